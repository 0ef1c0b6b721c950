"""Decoded arrays on the disk, memory-mapped: copies, where each worker would take long to decode them again.

A process holds a lock on the copies that it uses, until its run ends; the kernel releases it when the process ends,
however it ends.
"""

import contextlib
import errno
import fcntl
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from study.data.arrays import ARRAYS, EXTRA
from study.errors import StudyError, one_line
from study.images import Arrays, Pixels
from study.system import rights
from study.system.files import inside, mine, readable, size, sweep_drafts

LOCKED = "x_test.npy"
"""The file of a copy that is locked while somebody uses it."""
ATTEMPTS = 10
"""To find a copy, which others may free just then."""
SOURCE = "source.txt"
"""The file of a copy that says what it was made of."""


_locks: list[int] = []
"""The descriptors with which this process holds its locks."""


@dataclass(frozen=True)
class Copy:
    """A decoded copy of a data set."""

    folder: Path
    source: str
    """What it was made of; the folder's name for a copy of an earlier version."""
    size: int
    """Bytes."""
    in_use: bool
    """Whether a process has it open, or that cannot be told."""


def root(data_dir: str | None) -> Path:
    """The folder that TensorFlow Datasets and the cache share."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def place(data_dir: str | None) -> Path:
    """The folder of the copies."""
    return root(data_dir) / "arrays"


Make = Callable[[str, tuple[int, ...]], Pixels]
"""Makes an array of the copy, uint8, by its name and shape, in a file: what it holds need not fit into memory."""


def load(key: str, data_dir: str | None, decode: Callable[[Make], Arrays], source: str = "") -> Arrays:
    """The arrays that the cache holds under a key, memory-mapped, read only: the four, and what there is of `EXTRA`.

    Args:
        key: Names a folder of the cache; it must change with the content.
        data_dir: Holds the cache; by default `TFDS_DATA_DIR` or ~/tensorflow_datasets.
        decode: Makes the arrays where the cache does not have them; the large ones with what it is given, if it likes.
        source: What they are made of, for a reader.

    Raises:
        StudyError: The cache cannot be written, or is damaged.
    """
    folder = place(data_dir) / key
    why = ""
    for _ in range(ATTEMPTS):
        if not folder.is_dir():
            _write(folder, decode, source)
        try:
            return _mapped(folder)
        except (OSError, ValueError, EOFError) as error:
            why = one_line(error, 120)
        if folder.is_dir():
            break
    raise StudyError(f"the cached images in {folder} are damaged ({why}); delete that folder")


@contextlib.contextmanager
def releasing() -> Iterator[None]:
    """After the block, this process uses no copy any more; what it has mapped stays readable."""
    try:
        yield
    finally:
        while _locks:
            os.close(_locks.pop())


def copies(data_dir: str | None) -> list[Copy]:
    """The copies that this user may read, by name. What dead processes of this host left half written is deleted.

    Raises:
        StudyError: The folder of the copies cannot be read.
    """
    where = place(data_dir)
    try:
        sweep_drafts(where)
        folders = sorted(inside(where))
    except OSError as error:
        why = rights.explained(where, error)
        raise StudyError(f"{where} cannot be read: {why}; make it readable, or give another --data-dir") from None
    return [copy for folder in folders if (copy := _copy(folder)) is not None]


def _copy(folder: Path) -> Copy | None:
    with contextlib.suppress(OSError):  # it is no folder, or somebody else's
        if (folder / LOCKED).is_file():
            said = folder / SOURCE
            source = said.read_text(errors="replace").strip() if said.is_file() else folder.name
            with _alone(folder) as alone:
                return Copy(folder, source, size(folder), in_use=not alone)
    return None


def free(copy: Copy) -> bool:
    """Delete a copy that nobody uses, and say whether that was so.

    Raises:
        StudyError: It cannot be deleted.
    """
    with _alone(copy.folder) as alone:
        if not alone:
            return False
        try:
            with _draft(copy.folder) as own:
                copy.folder.rename(own / copy.folder.name)  # in one step, for who reads it just then
        except OSError as error:
            why = rights.explained(copy.folder, error)
            raise StudyError(f"{copy.folder} cannot be deleted: {why}; ask its owner, or delete it yourself") from None
    return True


def _mapped(folder: Path) -> Arrays:
    descriptor = os.open(folder / LOCKED, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: `_alone` is never sure there
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        names = [*ARRAYS, *(name for name in EXTRA if (folder / f"{name}.npy").exists())]
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    except BaseException:
        os.close(descriptor)
        raise
    _locks.append(descriptor)
    return arrays


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody uses a copy; nobody begins to while the block runs."""
    try:
        descriptor = os.open(folder / LOCKED, os.O_RDONLY)
    except OSError:  # it is gone, or somebody else's
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = True
    except OSError:
        alone = False
    try:
        yield alone
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A folder beside one, which is deleted with all in it after the block; where this process is killed, by another
    one."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=mine()) as own:
        yield Path(own)


def _write(folder: Path, decode: Callable[[Make], Arrays], source: str) -> None:
    """All the arrays or none: what is killed here leaves no folder of that name, and what cannot be decoded nothing."""
    new = [each for each in folder.parents if not each.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep_drafts(folder.parent)
        with _draft(folder) as own:
            draft = own / "arrays"
            draft.mkdir()
            for name, array in decode(partial(_made, draft)).items():
                if not (file := draft / f"{name}.npy").exists():
                    np.save(file, array)
            if source:
                (draft / SOURCE).write_text(source)
            with contextlib.suppress(OSError):  # another process was faster
                draft.rename(folder)
    except OSError as error:
        why = error.strerror or one_line(error, 120)
        raise StudyError(f"images cannot be cached in {folder}: {why}; give another --data-dir") from None
    finally:
        for each in new:
            with contextlib.suppress(OSError):  # it has something in it now
                each.rmdir()


def _made(draft: Path, name: str, shape: tuple[int, ...]) -> Pixels:
    """An array in a file for which the disk has room: without, the process would be killed while it fills the map."""
    file, needed, free = draft / f"{name}.npy", math.prod(shape), shutil.disk_usage(draft).free
    try:
        if needed > free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        array: Pixels = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        with file.open("rb+") as stream:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    except OSError as error:
        raise StudyError(
            f"there is no room for the decoded images in {draft.parents[1]}: {readable(needed)} are needed and "
            f"{readable(free)} free ({error.strerror}); make room, or give another --data-dir"
        ) from None
    return array
