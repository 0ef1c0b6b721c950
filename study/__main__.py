"""`python -m study` is the command `study`."""

from study.cli import entry_point

if __name__ == "__main__":  # worker processes import it too
    entry_point()
