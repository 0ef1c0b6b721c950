"""Decoded arrays on the disk, memory-mapped: workers share one copy, and sets larger than the memory still train."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from study.data.arrays import ARRAYS, REMARK
from study.errors import StudyError, one_line
from study.images import Arrays


def root(data_dir: str | None) -> Path:
    """The folder that TensorFlow Datasets and the cache share."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def load(key: str, data_dir: str | None, decode: Callable[[], Arrays]) -> Arrays:
    """The arrays that the cache holds under a key, memory-mapped, read only: the four, and `REMARK` if there is one.

    Args:
        key: Names a folder of the cache; it must change with the content.
        data_dir: Holds the cache; by default `TFDS_DATA_DIR` or ~/tensorflow_datasets.
        decode: Makes the arrays where the cache does not have them.

    Raises:
        StudyError: The cache cannot be written, or is damaged.
    """
    folder = root(data_dir) / "arrays" / key
    if not folder.is_dir():
        _write(folder, decode())
    try:
        names = (*ARRAYS, REMARK) if (folder / f"{REMARK}.npy").exists() else ARRAYS
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    except (OSError, ValueError, EOFError) as error:
        why = one_line(error, 120)
        raise StudyError(f"the cached images in {folder} are damaged ({why}); delete that folder") from None


def _write(folder: Path, arrays: Arrays) -> None:
    """All the arrays or none: what is killed here leaves no folder of that name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as own:
            draft = Path(own) / "arrays"
            draft.mkdir()
            for name, array in arrays.items():
                np.save(draft / f"{name}.npy", array)
            with contextlib.suppress(OSError):  # another process was faster
                draft.rename(folder)
    except OSError as error:
        why = error.strerror or one_line(error, 120)
        raise StudyError(f"images cannot be cached in {folder}: {why}; give another --data-dir") from None
