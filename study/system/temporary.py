"""Temporary files of what is trained: in a folder of their own, which is removed with everything in it.

TensorFlow writes a file for each function that it converts, and deletes it only where Python ends by itself. A worker
does not, and a process may be killed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from study.errors import StudyError
from study.system.files import mine, sweep_drafts

KIND = "study"
"""How the names of these folders begin."""
VARIABLE = "TMPDIR"
"""The environment variable by which Python and TensorFlow are told where temporary files go."""


def create() -> Path:
    """A new folder where temporary files go, for this process or one that it starts; what dead processes of this host
    left of theirs is removed.

    Raises:
        StudyError: there is no place for temporary files.
    """
    try:
        place = Path(tempfile.gettempdir())
        with suppress(OSError):  # somebody else's
            sweep_drafts(place, KIND)
        return Path(tempfile.mkdtemp(prefix=mine(KIND))).absolute()
    except OSError as error:
        raise StudyError(
            f"no folder for temporary files can be created ({error.strerror or error}); set {VARIABLE} to one that can "
            "be written"
        ) from None


def remove(folder: Path) -> None:
    """Remove such a folder with everything in it; what cannot be removed is left to the next process that creates
    one."""
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """While the block runs, temporary files of this process go to a folder, and so do those of processes that it
    starts."""
    before, known = os.environ.get(VARIABLE), tempfile.tempdir
    os.environ[VARIABLE] = tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = known
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


@contextmanager
def own() -> Iterator[None]:
    """The same with a new folder, which is removed after the block."""
    folder = create()
    try:
        with used(folder):
            yield
    finally:
        remove(folder)
