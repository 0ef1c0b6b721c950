"""Files that are there as a whole or not at all, whatever happens meanwhile; on a disk or in an object store."""

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from study.errors import StudyError, one_line
from study.paths import whole
from study.system import extras
from study.system.processes import short_host


def folder(text: str | Path) -> Path:
    """A folder by its path or, if the package for it is installed, a place in an object store by its URL (fsspec)."""
    if isinstance(text, Path) or "://" not in text or text.startswith("file://"):
        return whole(str(text).removeprefix("file://"))
    extras.check("--home URL")
    from upath import UPath

    found: Path = UPath(text, use_listings_cache=False)  # other processes write there too
    return found


def is_local(path: Path) -> bool:
    """Whether the path is on a file system, not in an object store."""
    return isinstance(path, Path)


def exists(path: Path) -> bool:
    """Whether there is a file or folder at that path; raises a `StudyError` where its store cannot be reached."""
    try:
        return path.exists()
    except Exception as error:  # whatever the store's client raises
        raise StudyError(f"{path} cannot be reached: {one_line(error, 200)}") from None


def inside(folder: Path) -> list[Path]:
    """The files of a folder; none where it does not exist, or where its last file is deleted during the listing."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(file: Path) -> None:
    """Delete a file if it exists; raises an `OSError` where it cannot be deleted."""
    with _client_errors(file):
        file.unlink(missing_ok=True)


def write_whole(file: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a draft, flush it, and replace `file` by it in one step; an `OSError` leaves it as it was."""
    if not is_local(file):  # object stores show an object only once it is complete
        store: Any = file
        with tempfile.TemporaryDirectory() as own:
            draft = Path(own) / file.name
            save(draft)
            with _client_errors(file):
                store.fs.put_file(str(draft), store.path)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"draft-{short_host()}-{os.getpid()}-{file.name}")  # no two writers share it
    try:
        save(draft)
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _client_errors(file: Path) -> Iterator[None]:
    """Turn whatever an object store's client raises into the error of a file."""
    try:
        yield
    except Exception as error:
        if is_local(file):
            raise
        raise OSError(errno.EIO, one_line(error, 200), str(file)) from error


def sweep_drafts(folder: Path) -> None:
    """Delete the drafts that dead processes of this host left in a folder."""
    for file in inside(folder):
        owner = re.match(rf"draft-{short_host()}-(\d+)-", file.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            with suppress(OSError):  # it takes room, nothing else
                file.unlink(missing_ok=True)
