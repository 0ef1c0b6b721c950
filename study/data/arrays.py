"""The arrays of an image classification set: checked, brought to one form, and described."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError
from study.images import Arrays, Labels, Pixels

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 100_000  # a larger label is taken for something else, such as an identifier
VALIDATION_SHARE = 1 / 6  # of the training images: 10,000 of MNIST's 60,000


def validated(name: str, arrays: Arrays) -> Arrays:
    """The arrays as uint8 images (n, height, width, channels), 0 to 255, and int64 labels (n,), 0 to classes - 1.

    Args:
        name: What messages call the data set.
        arrays: Images (n, height, width[, channels]), 0 to 255 or 0 to 1, and integer labels (n,) or (n, 1).

    Raises:
        StudyError: What is wrong with them, in one line; also where they cannot be split.
    """
    checked: Arrays = {}
    for part in ("train", "test"):
        x, y = np.asarray(arrays[f"x_{part}"]), np.asarray(arrays[f"y_{part}"])
        if x.ndim not in (3, 4) or 0 in x.shape:
            raise StudyError(f"{name}: x_{part} must be images (n, height, width[, channels]); its shape is {x.shape}")
        y = y[:, 0] if y.shape[1:] == (1,) else y
        if y.shape != x.shape[:1]:
            raise StudyError(f"{name}: y_{part} must be one label per image, shape ({len(x)},); its shape is {y.shape}")
        checked[f"x_{part}"] = _as_bytes(f"{name}: x_{part}", x.reshape(*x.shape[:3], -1))
        checked[f"y_{part}"] = _as_labels(f"{name}: y_{part}", y)
    train, test = checked["x_train"].shape[1:], checked["x_test"].shape[1:]
    if train != test:
        raise StudyError(f"{name}: training images are {train} and test images {test}; make them the same")
    classes, largest = int(checked["y_train"].max()) + 1, checked["y_test"].max()
    if classes < 2:
        raise StudyError(f"{name}: y_train has one class; a classifier needs at least 2, labelled 0, 1, ...")
    if largest >= classes:
        raise StudyError(f"{name}: y_test has the label {largest}; y_train has 0 to {classes - 1} only")
    validation_size(name, checked["y_train"])
    return checked


def _as_bytes(what: str, x: NDArray[Any]) -> Pixels:
    if x.dtype == np.uint8 and x.max() > 1:
        return x
    if x.dtype.kind not in "iufb":
        raise StudyError(f"{what} must be numbers; its type is {x.dtype}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise StudyError(f"{what} has pixels that are NaN or infinite; replace them")
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 255:
        raise StudyError(f"{what} must have pixels from 0 to 255, or 0 to 1; they are {low:g} to {high:g}")
    return np.rint(x * np.float64(255 if high <= 1 else 1)).astype(np.uint8)


def _as_labels(what: str, y: NDArray[Any]) -> Labels:
    whole = y.dtype.kind in "iu" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))
    if not whole or y.min() < 0 or y.max() > MOST_CLASSES:
        shown = ", ".join(map(str, y[:3].tolist()))
        raise StudyError(f"{what} must be integer labels counted from 0; it begins {shown} ({y.dtype})")
    return y.astype(np.int64)


def validation_size(name: str, labels: Labels) -> int:
    """How many of the training images with these labels, int64 (n,), become the validation set.

    Raises:
        StudyError: A class has too few images to be in both parts; the message calls the data set `name`.
    """
    counts = np.bincount(labels)
    size = max(round(len(labels) * VALIDATION_SHARE), len(counts))
    if counts.min() < 2 or len(labels) - size < len(counts):
        label = int(counts.argmin())
        rule = f"every class from 0 to {len(counts) - 1} needs at least 2 training images (better 12)"
        raise StudyError(f"{name} cannot be split: {rule}; class {label} has {counts[label]}; add images or remove it")
    return size


def described(array: NDArray[Any]) -> str:
    """Shape, type and the first 64 bits of the SHA-256 of an array, such as `90x6x6x1 uint8 0123456789abcdef`."""
    plain = array.dtype.kind in "biuf"  # Python objects are hashed by their text: their bytes are addresses
    content = np.ascontiguousarray(array).data if plain else repr(array.tolist()).encode()
    return f"{'x'.join(map(str, array.shape))} {array.dtype} {hashlib.sha256(content).hexdigest()[:16]}"
