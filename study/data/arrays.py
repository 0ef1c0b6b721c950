"""The arrays of an image classification set: checked, brought to one form, and described."""

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.labels import as_labels
from study.data.parts import test_rows, validation_size
from study.data.pixels import as_pixels
from study.data.request import Request
from study.errors import StudyError
from study.images import Arrays, Labels

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
REMARK, LEAK, CLASS_NAMES, VALIDATION = "remark", "leak", "class_names", "validation"
"""Beside the arrays, each absent where there is nothing to say: a text on what was made of them; one on test images
that are training images too; a text per class; and the rows of the training images that are the validation set."""
EXTRA = (REMARK, LEAK, CLASS_NAMES, VALIDATION)
FORM = 4
"""Raised when `validated` makes something else of the same arrays: what was cached before is not read."""
MOST_CHANNELS = 4
"""Of a second axis as short as this, before longer ones, nobody can say that it is the height."""
CHANNELS_FIRST = (1, 3)
"""Grey or colour: a second axis that is the channels where both others have at least `LEAST_SIDE` pixels."""
LEAST_SIDE = 8


def validated(name: str, arrays: Arrays, request: Request | None = None) -> Arrays:
    """The arrays as images (n, height, width, channels), bytes or, if they are standardised, float32, and int64 labels
    (n,), 0 to classes - 1.

    Args:
        name: What messages call the data set.
        arrays: Images (n, height, width[, channels]), channels first, or flat rows of square grey ones; 0 to 255, 0 to
            1, or standardised. Labels (n,) or (n, 1) as integers or text, or one-hot (n, classes). `x_val` and `y_val`
            are the validation set, if they are there. Without `x_test` and `y_test` a test set is cut from the others.
        request: How it is cut.

    Returns:
        The four arrays; the validation images are the last training images. Of `EXTRA`, what there is to say.

    Raises:
        StudyError: What is wrong with them, in one line; also where they cannot be split.
    """
    parts = tuple(part for part in ("train", "val", "test") if f"x_{part}" in arrays)
    remarks: list[str] = []
    images = {part: as_images(f"{name}: x_{part}", np.asarray(arrays[f"x_{part}"]), remarks) for part in parts}
    given = {part: np.asarray(arrays[f"y_{part}"]) for part in parts}
    labels, class_names = as_labels(name, given, {part: len(images[part]) for part in parts})
    _check(name, images, labels)
    if "test" not in parts:
        cut, remark = test_rows(name, labels["train"], request or Request(), class_names)
        remarks.append(remark)
        for each in (images, labels):
            each["train"], each["test"] = each["train"][~cut], each["train"][cut]
    if "val" not in parts:
        validation_size(name, labels["train"])
    found, remark = as_pixels(name, {f"x_{part}": x for part, x in images.items()})
    remarks += [remark] if remark else []
    extra: Arrays = {CLASS_NAMES: np.array(class_names)} if class_names else {}
    if "val" in parts:
        extra[VALIDATION] = np.arange(len(labels["train"]), len(labels["train"]) + len(labels["val"]))
        found["x_train"] = np.concatenate([found["x_train"], found["x_val"]])
        labels["train"] = np.concatenate([labels["train"], labels["val"]])
    extra |= {REMARK: np.array("\n".join(remarks))} if remarks else {}
    return {**{f"x_{part}": found[f"x_{part}"] for part in ("train", "test")}, "y_train": labels["train"],
            "y_test": labels["test"], **extra}  # fmt: skip


def _check(name: str, images: Arrays, labels: dict[str, Labels]) -> None:
    """Refuse parts that do not belong together."""
    train, classes = images["train"].shape[1:], int(labels["train"].max()) + 1
    words = {"test": "test", "val": "validation"}
    for part in images.keys() - {"train"}:
        if images[part].shape[1:] != train:
            other = f"{words[part]} images {images[part].shape[1:]}"
            raise StudyError(f"{name}: training images are {train} and {other}; make them the same")
    if classes < 2:
        raise StudyError(f"{name}: y_train has one class; a classifier needs at least 2, labelled 0, 1, ...")
    if "val" in labels and (counts := np.bincount(labels["train"])).min() == 0:
        raise StudyError(f"{name}: class {counts.argmin()} has no training image; number the classes without gaps")
    for part in images.keys() - {"train"}:
        if (largest := int(labels[part].max())) >= classes:
            raise StudyError(f"{name}: y_{part} has the label {largest}; y_train has 0 to {classes - 1} only")


def as_images(what: str, x: NDArray[Any], remarks: list[str]) -> NDArray[Any]:
    """Shape (n, height, width, channels); where it was another one, `remarks` gets a line."""
    side = math.isqrt(x.shape[1]) if x.ndim == 2 else 0
    if side > 1 and side * side == x.shape[1] and len(x):
        remarks.append(f"{what} has rows of {side * side} pixels: read as {side}x{side}, grey")
        return x.reshape(len(x), side, side, 1)
    if x.ndim not in (3, 4) or 0 in x.shape:
        advice = f"; {x.shape[1]} numbers are no square grey image: reshape them" if x.ndim == 2 else ""
        raise StudyError(f"{what} must be images (n, height, width[, channels]); its shape is {x.shape}{advice}")
    if x.ndim == 4 and x.shape[1] in CHANNELS_FIRST and min(x.shape[2:]) >= LEAST_SIDE:
        moved = np.moveaxis(x, 1, -1)
        remarks.append(f"{what} has its channels first, {x.shape}: read as {moved.shape}")
        return moved
    if x.ndim == 4 and x.shape[1] <= MOST_CHANNELS < x.shape[3] and x.shape[1] < x.shape[2]:
        advice = "if the channels come first, give np.moveaxis(x, 1, -1)"
        raise StudyError(f"{what} must be images (n, height, width, channels); its shape is {x.shape}; {advice}")
    return x.reshape(*x.shape[:3], -1)


def described(array: NDArray[Any]) -> str:
    """Shape, type and the first 64 bits of the SHA-256 of an array, such as `90x6x6x1 uint8 0123456789abcdef`."""
    plain = array.dtype.kind in "biuf"  # Python objects are hashed by their text: their bytes are addresses
    content = np.ascontiguousarray(array).data if plain else repr(array.tolist()).encode()
    return f"{'x'.join(map(str, array.shape))} {array.dtype} {hashlib.sha256(content).hexdigest()[:16]}"
