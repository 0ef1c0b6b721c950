"""What a final's model predicts of test data that are arrays, as far as a page shows it."""

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from study.keras_tuner.union import are_arrays
from study.training.examples import loss_of

MOST_CLASSES = 200
"""Of more there is no confusion matrix."""


class Predictions(NamedTuple):
    """Of one final."""

    confusion: list[list[int]] | None = None
    """Test examples by true class (row) and predicted class (column), of a classifier."""
    regression: dict[str, NDArray[Any]] | None = None
    """`targets` and `predictions`, (n,) each, of a model that predicts one number per example."""


def predictions(model: keras.Model, x: Any, y: Any, batch_size: int | None = None) -> Predictions:
    """What a model predicts. Nothing where the data are no arrays, or there are several outputs or other targets than
    integer labels, one-hot ones, or one number for each example.

    Args:
        model: Trained and compiled.
        x: The inputs.
        y: The targets.
        batch_size: Where it was asked for.
    """
    if not are_arrays(x) or not hasattr(y, "__array__"):
        return Predictions()
    targets = _column(np.asarray(y))
    if targets.dtype.kind not in "biuf" or not (targets.ndim == 1 or _is_one_hot(targets)):
        return Predictions()
    found = model.predict(x, batch_size=batch_size, verbose=0)
    if not isinstance(found, np.ndarray) or len(found) != len(targets):
        return Predictions()
    found = _column(found)
    if found.ndim == 2 and found.shape[1] <= MOST_CLASSES:
        labels = targets.argmax(axis=1) if targets.ndim == 2 else targets
        is_classifier = targets.shape == found.shape or targets.dtype.kind in "biu" or _has_crossentropy(model)
        return Predictions(_confusion(labels, found.argmax(axis=1), found.shape[1])) if is_classifier else Predictions()
    if targets.ndim != 1 or found.ndim != 1:
        return Predictions()
    if _has_crossentropy(model) and np.isin(targets, (0, 1)).all():
        threshold = 0.0 if getattr(loss_of(model), "from_logits", False) else 0.5
        return Predictions(_confusion(targets, found > threshold, 2))
    return Predictions(regression={"targets": targets.astype(np.float64), "predictions": found.astype(np.float64)})


def _column(array: NDArray[Any]) -> NDArray[Any]:
    """(n, 1) as (n,)."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_one_hot(targets: NDArray[Any]) -> bool:
    return targets.ndim == 2 and bool(np.isin(targets, (0, 1)).all() and (targets.sum(axis=1) == 1).all())


def _has_crossentropy(model: keras.Model) -> bool:
    loss = loss_of(model)
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return "crossentropy" in name.lower().replace("_", "")


def _confusion(labels: NDArray[Any], predicted: NDArray[Any], classes: int) -> list[list[int]] | None:
    """None where the labels are no classes of the model's."""
    true = labels.astype(np.int64)
    if not np.array_equal(true, labels) or true.min() < 0 or true.max() >= classes:
        return None
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (true, predicted.astype(np.int64)), 1)
    return counts.tolist()
