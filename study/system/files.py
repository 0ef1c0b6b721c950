"""Files that are there as a whole or not at all, whatever happens meanwhile; on a disk or in an object store."""

import errno
import os
import re
import shutil
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


def remove_folder(folder: Path) -> None:
    """Delete a folder with all in it, if it exists; raises an `OSError` where it cannot be deleted."""
    if is_local(folder):
        if folder.exists():
            shutil.rmtree(folder)
    elif exists(folder):
        store: Any = folder
        with _client_errors(folder):
            store.fs.rm(store.path, recursive=True)


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
    draft = file.with_name(f"{mine()}{file.name}")  # no two writers share it
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


def mine(kind: str = "draft") -> str:
    """The beginning of the name of a file or folder that `sweep_drafts` deletes once this process is dead."""
    return f"{kind}-{short_host()}-{os.getpid()}-"


def sweep_drafts(folder: Path, kind: str = "draft") -> None:
    """Delete the drafts that dead processes of this host left in a folder: files, and folders with all in them."""
    for file in inside(folder):
        owner = re.match(rf"{kind}-{short_host()}-(\d+)-", file.name)
        if owner is None or psutil.pid_exists(int(owner[1])):
            continue
        if is_local(file) and file.is_dir():
            shutil.rmtree(file, ignore_errors=True)  # another process may do the same
        else:
            with suppress(OSError):  # it takes room, nothing else
                file.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """The bytes of all files of a folder that this user may see; 0 where there is none."""
    if not is_local(folder):
        store: Any = folder
        return int(store.fs.du(store.path)) if exists(folder) else 0
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it is gone, or somebody else's
                found += os.lstat(os.path.join(place, name)).st_size
    return found


def readable(size: float) -> str:
    """A number of bytes for a reader, such as 41 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            break
        size, unit = size / 1000, "TB"
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 9.95 else f"{size:.1f} {unit}"
