"""Labels as they are given, and the one form they are brought to."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError
from study.images import Labels

MOST_CLASSES = 100_000  # a larger label is taken for something else, such as an identifier


def as_labels(
    name: str, given: dict[str, NDArray[Any]], images: dict[str, int]
) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """The labels of each part as numbers, and the names of the classes where the labels are text."""
    labels: dict[str, Labels] = {}
    flat = {part: _one_per_image(f"{name}: y_{part}", y, images[part]) for part, y in given.items()}
    texts = [part for part, y in flat.items() if y.dtype.kind in "US"]
    if not texts:
        return {part: _as_integers(f"{name}: y_{part}", y) for part, y in flat.items()}, ()
    if others := [part for part in flat if part not in texts]:
        kinds = f"y_{texts[0]} is text and y_{others[0]} {flat[others[0]].dtype}"
        raise StudyError(f"{name}: labels are of two kinds, {kinds}; give both as text or both as integers from 0")
    words = {part: np.char.decode(y, "utf-8", "replace") if y.dtype.kind == "S" else y for part, y in flat.items()}
    names = np.unique(words["train"])
    for part, y in words.items():
        if len(unknown := np.setdiff1d(y, names)):
            raise StudyError(f"{name}: y_{part} has the label {str(unknown[0])!r:.40}, which y_train lacks")
        labels[part] = np.searchsorted(names, y).astype(np.int64)
    return labels, tuple(names.tolist())


def _one_per_image(what: str, y: NDArray[Any], images: int) -> NDArray[Any]:
    """Labels of shape (n,), from (n, 1) and one-hot ones too."""
    y = y[:, 0] if y.shape[1:] == (1,) else y
    if y.ndim == 2 and len(y) == images and y.dtype.kind in "iufb":
        if ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
            classes: NDArray[np.int64] = y.argmax(axis=1)
            return classes
        raise StudyError(f"{what} has rows that are not one-hot; give one label per image, shape ({images},)")
    if y.shape != (images,):
        raise StudyError(f"{what} must be one label per image, shape ({images},); its shape is {y.shape}")
    return y


def _as_integers(what: str, y: NDArray[Any]) -> Labels:
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))
    if not whole or float(y.min()) < 0 or float(y.max()) > MOST_CLASSES:
        shown = ", ".join(f"{each!r:.20}" for each in y[:3].tolist())
        raise StudyError(f"{what} must be integer labels counted from 0, or text; it begins {shown} ({y.dtype})")
    return y.astype(np.int64)
