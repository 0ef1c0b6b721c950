"""A user's own images, in a NumPy archive (.npz)."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from study.data import cache
from study.data.arrays import ARRAYS, validated
from study.errors import StudyError, one_line
from study.images import Arrays

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
            key = f"npz-{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror}; give npz:FILE an existing file") from None
    arrays = cache.load(key, data_dir, lambda: _decode(file))
    return arrays, _class_names(file, int(arrays["y_train"].max()) + 1)


def _decode(file: Path) -> Arrays:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if missing := ", ".join(array for array in ARRAYS if array not in archive):
                raise StudyError(f"{file} must hold the arrays {', '.join(ARRAYS)}; it lacks {missing}")
            arrays = {array: archive[array] for array in ARRAYS}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise StudyError(f"{file} is not a NumPy archive of numbers ({one_line(error, 120)})") from None
    return validated(str(file), arrays)


def _class_names(file: Path, classes: int) -> tuple[str, ...]:
    with np.load(file, allow_pickle=False) as archive:
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
