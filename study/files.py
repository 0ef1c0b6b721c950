"""Files that are there as a whole or not at all, whatever happens while they are written, on a disk or in an object
store."""

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from study import extras
from study.errors import StudyError, one_line
from study.hosts import short_host


def folder(text: str | Path) -> Path:
    """A folder by its path, or a place in an object store by its URL, such as `s3://bucket/runs` (fsspec).

    Raises:
        StudyError: what an object store needs is not installed.
    """
    if isinstance(text, Path) or "://" not in text or text.startswith("file://"):
        return Path(str(text).removeprefix("file://"))
    extras.check("--home URL")
    from upath import UPath

    # Others write there too: what was listed once is not remembered.
    found: Any = UPath(text, use_listings_cache=False)
    return found  # type: ignore[no-any-return]


def is_local(path: Path) -> bool:
    """Whether it is on a file system, not in an object store."""
    return isinstance(path, Path)


def exists(path: Path) -> bool:
    """Whether it is there.

    Raises:
        StudyError: an object store cannot be asked.
    """
    try:
        return path.exists()
    except Exception as error:  # whatever the store's client raises
        raise StudyError(f"{path} cannot be reached: {one_line(error, 200)}") from None


def inside(folder: Path) -> list[Path]:
    """What lies in a folder: nothing where there is none, or where another deletes the last while it is listed."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(file: Path) -> None:
    """Delete a file, if it is there.

    Raises:
        OSError: it cannot be.
    """
    if is_local(file):
        file.unlink(missing_ok=True)
        return
    with _store(file):
        file.unlink(missing_ok=True)


def write_whole(file: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a draft, bring it to the disk, and put it in the place of `file` in one step.

    The draft lies beside it and names its process, so that two writers do not meet in it.

    Raises:
        OSError: it cannot be written; what was in its place is still there.
    """
    if not is_local(file):
        _put(file, save)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"draft-{short_host()}-{os.getpid()}-{file.name}")
    try:
        save(draft)
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _put(file: Any, save: Callable[[Path], Any]) -> None:
    """An object is there when all of it is."""
    with tempfile.TemporaryDirectory() as own:
        draft = Path(own) / file.name
        save(draft)
        with _store(file):
            file.fs.put_file(str(draft), file.path)


@contextmanager
def _store(file: Path) -> Iterator[None]:
    """Whatever an object store's client raises, as an error of a file."""
    try:
        yield
    except Exception as error:
        raise OSError(errno.EIO, one_line(error, 200), str(file)) from error


def sweep_drafts(folder: Path) -> None:
    """Delete the drafts that dead processes of this host left in a folder."""
    for file in inside(folder):
        owner = re.match(rf"draft-{short_host()}-(\d+)-", file.name)
        if owner is not None and not psutil.pid_exists(int(owner[1])):
            file.unlink(missing_ok=True)
