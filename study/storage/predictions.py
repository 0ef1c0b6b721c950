"""What finals predicted, and the test images that they misclassified, as files of a study's folder."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.images import Shown
from study.paths import MISREAD
from study.system.files import write_whole

STEPS = 2**16
"""Probabilities are kept as multiples of 1 / STEPS, which compress well."""


def rounded(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (n, classes) as they are kept: rounded, but for images that would get another class by that."""
    steps = np.rint(probabilities * np.float32(STEPS)) / np.float32(STEPS)
    same = steps.argmax(axis=1) == probabilities.argmax(axis=1)
    return np.where(same[:, None], steps, probabilities)


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name, or raise an `OSError` and leave the file as it was."""

    def save(draft: Path) -> None:
        with draft.open("wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]

    write_whole(file, save)


def read_arrays(file: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of such a file by name; None where it is missing or cannot be read."""
    try:
        return _arrays(file)
    except OSError:
        return None


def _arrays(file: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays by name; None where there is no such file, or a damaged one."""
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def misread_images(folder: Path) -> dict[int, Shown]:
    """The images (height, width, channels) that some final misclassified, by their index in the test set.

    Args:
        folder: Of the study.
    """
    return _by_number(read_arrays(folder / MISREAD))


def keep_misread(folder: Path, images: Mapping[int, Shown]) -> None:
    """Add images, each of which is kept once, whichever finals misclassify it. Call it while no other process does.

    Raises:
        OSError: they cannot be written, or those that are kept cannot be read now.
    """
    known = _by_number(_arrays(folder / MISREAD))
    if images.keys() <= known.keys():
        return
    every = dict(sorted((known | dict(images)).items()))
    write_arrays(folder / MISREAD, {"numbers": np.array(list(every)), "images": np.stack(list(every.values()))})


def _by_number(arrays: Mapping[str, NDArray[Any]] | None) -> dict[int, Shown]:
    return dict(zip(arrays["numbers"].tolist(), arrays["images"], strict=True)) if arrays else {}
