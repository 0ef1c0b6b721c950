"""`python -m study` is the command `study`."""

from study.cli import entry_point

entry_point()
