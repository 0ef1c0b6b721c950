"""A user's own images, in a NumPy archive (.npz)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from study.data import cache
from study.data.arrays import ARRAYS, FORM, validated
from study.errors import StudyError, one_line
from study.images import Arrays
from study.system import memory

CLASS_NAMES = "class_names"  # an optional array of an archive: one text per class


def read(file: Path, data_dir: str | None) -> tuple[Arrays, tuple[str, ...]]:
    """The arrays of an archive, from the cache in `data_dir` where they are in it, and the names of its classes.

    An archive that has been moved to `data_dir` is found there.

    Raises:
        StudyError: The file is missing, or is not an archive of an image classification set that can be split.
    """
    if not file.is_file() and data_dir is not None:
        file = Path(data_dir) / file.name
    try:
        with file.open("rb") as stream:
            key = f"npz-{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}-{FORM}"
    except OSError as error:
        raise StudyError(
            f"{file} cannot be read: {error.strerror}; give npz:FILE an existing file; where a study's has moved, "
            "'study resume NAME --dataset npz:FILE' continues with it"
        ) from None
    arrays = cache.load(key, data_dir, lambda: _decode(file))
    return arrays, _class_names(file, int(arrays["y_train"].max()) + 1)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            yield archive
    except StudyError:
        raise
    except Exception as error:  # whatever NumPy, zipfile and its decompressors raise for a damaged file
        raise StudyError(f"{file} is not a NumPy archive of numbers ({one_line(error, 120)})") from None


def _decode(file: Path) -> Arrays:
    with _opened(file) as archive:
        if missing := ", ".join(array for array in ARRAYS if array not in archive):
            raise StudyError(f"{file} must hold the arrays {', '.join(ARRAYS)}; it lacks {missing}")
        _check_memory(file, {member.filename: member.file_size for member in archive.zip.infolist()})
        arrays = {array: archive[array] for array in ARRAYS}
    return validated(str(file), arrays)


def _check_memory(file: Path, sizes: dict[str, int]) -> None:
    """Refuse an archive whose arrays, of these sizes in bytes, are larger than the memory that is left."""
    needed, left = sum(sizes.get(f"{array}.npy", 0) for array in ARRAYS), memory.available()
    if needed > left:
        raise StudyError(
            f"{file} takes {needed / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are left; give fewer or smaller "
            "images, or uint8 pixels, which take one byte each"
        )


def _class_names(file: Path, classes: int) -> tuple[str, ...]:
    with _opened(file) as archive:
        if CLASS_NAMES not in archive:
            return ()
        try:
            names = archive[CLASS_NAMES]
        except ValueError:  # pickled Python objects
            names = np.empty(0)
    if names.dtype.kind != "U" or names.shape != (classes,):
        given = f"{names.dtype} {names.shape}"
        raise StudyError(f"{file}: {CLASS_NAMES} must be one text per class, shape ({classes},); it is {given}")
    if len(set(names.tolist())) < classes:
        raise StudyError(f"{file}: {CLASS_NAMES} must be different texts; one occurs twice")
    return tuple(names.tolist())
