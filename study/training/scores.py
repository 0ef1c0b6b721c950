"""Objectives that count every class alike, however many images it has: they are computed from what a model predicts of
the validation images, so that no model has to report them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, recall_score

from study.images import Images
from study.objective import BALANCED_ACCURACY, MACRO_F1, Objective
from study.training.model_state import Callbacks
from study.training.prediction import probabilities

Score = Callable[..., float]
SCORES: dict[str, Score] = {BALANCED_ACCURACY: recall_score, MACRO_F1: f1_score}
"""Of scikit-learn, each averaged over the classes. The mean recall is called balanced accuracy."""


def scores(objective: Objective, validation: Images | None) -> Callbacks:
    """The callback that adds the objective to the logs of each epoch, where it is one of `SCORES`.

    Args:
        objective: What the epochs are judged by.
        validation: With their true classes; None where there are none.
    """
    return [_Scored(objective.name, validation)] if objective.name in SCORES and validation is not None else []


def score(name: str, labels: NDArray[Any], predicted: NDArray[Any]) -> float:
    """One of `SCORES`, 0 to 1, of true and predicted classes (n,). Classes that no image has do not count."""
    return float(SCORES[name](labels, predicted, labels=np.unique(labels), average="macro", zero_division=0))


class _Scored(keras.callbacks.Callback):
    """It comes before all others, which may act on what it adds. What a model logs itself under the name is kept."""

    forgets = True  # nothing of it is saved

    def __init__(self, name: str, validation: Images) -> None:
        super().__init__()
        self._name, self._validation = name, validation

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None and self._name not in logs:
            predicted = probabilities(self.model, self._validation).argmax(axis=1)
            logs[self._name] = score(self._name, self._validation.y, predicted)
