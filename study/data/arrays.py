"""The arrays of an image classification set: checked, brought to one form, and described."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.pixels import as_bytes
from study.errors import StudyError
from study.images import Arrays, Labels

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
REMARK = "remark"
"""Beside the arrays, a text: what to say of them; absent where there is nothing to say."""
FORM = 2
"""Raised when `validated` makes something else of the same arrays: what was cached before is not read."""
MOST_CHANNELS = 4
"""Of a second axis as short as this, before longer ones, nobody can say that it is the height."""
MOST_CLASSES = 100_000  # a larger label is taken for something else, such as an identifier
VALIDATION_SHARE = 1 / 6  # of the training images: 10,000 of MNIST's 60,000


def validated(name: str, arrays: Arrays) -> Arrays:
    """The arrays as uint8 images (n, height, width, channels), 0 to 255, and int64 labels (n,), 0 to classes - 1.

    Args:
        name: What messages call the data set.
        arrays: Images (n, height, width[, channels]), 0 to 255 or 0 to 1, and integer labels (n,) or (n, 1).

    Returns:
        The four arrays, and `REMARK` where the pixels were changed.

    Raises:
        StudyError: What is wrong with them, in one line; also where they cannot be split.
    """
    images, labels = {}, {}
    for part in ("train", "test"):
        images[part], y = _as_images(f"{name}: x_{part}", np.asarray(arrays[f"x_{part}"])), arrays[f"y_{part}"]
        labels[part] = _as_labels(f"{name}: y_{part}", np.asarray(y), len(images[part]))
    train, test = images["train"].shape[1:], images["test"].shape[1:]
    if train != test:
        raise StudyError(f"{name}: training images are {train} and test images {test}; make them the same")
    classes, largest = int(labels["train"].max()) + 1, labels["test"].max()
    if classes < 2:
        raise StudyError(f"{name}: y_train has one class; a classifier needs at least 2, labelled 0, 1, ...")
    if largest >= classes:
        raise StudyError(f"{name}: y_test has the label {largest}; y_train has 0 to {classes - 1} only")
    validation_size(name, labels["train"])
    x_train, x_test, remark = as_bytes(name, images["train"], images["test"])
    checked: Arrays = {"x_train": x_train, "y_train": labels["train"], "x_test": x_test, "y_test": labels["test"]}
    return checked | ({REMARK: np.array(remark)} if remark else {})


def _as_images(what: str, x: NDArray[Any]) -> NDArray[Any]:
    """Shape (n, height, width, channels)."""
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise StudyError(f"{what} must be images (n, height, width[, channels]); its shape is {x.shape}")
    if x.ndim == 4 and x.shape[1] <= MOST_CHANNELS < x.shape[3] and x.shape[1] < x.shape[2]:
        advice = "if the channels come first, give np.moveaxis(x, 1, -1)"
        raise StudyError(f"{what} must be images (n, height, width, channels); its shape is {x.shape}; {advice}")
    return x.reshape(*x.shape[:3], -1)


def _as_labels(what: str, y: NDArray[Any], images: int) -> Labels:
    y = y[:, 0] if y.shape[1:] == (1,) else y
    if y.shape != (images,):
        advice = "; of one-hot labels give y.argmax(axis=1)" if y.ndim == 2 and len(y) == images else ""
        raise StudyError(f"{what} must be one label per image, shape ({images},); its shape is {y.shape}{advice}")
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))
    if not whole or float(y.min()) < 0 or float(y.max()) > MOST_CLASSES:
        shown = ", ".join(f"{each!r:.20}" for each in y[:3].tolist())
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
