"""A dry run before a search: a space's defaults, trained twice on a few images."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from study.errors import Overdue
from study.images import Images
from study.objective import Objective
from study.system.time_limit import TimeLimit
from study.training.epochs import EpochLog, OnEpoch
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit
from study.training.inherited import Dependent

EPOCHS = 2
PER_CLASS, LEAST = 2, 32
"""Images that are trained on: so many of each class, and in all."""


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run has shown."""

    trained: bool
    """Whether `fit` trained the model that `build` returned."""
    repeatable: bool
    """Whether the same seed gave bit for bit identical weights and logs. On a GPU, whose sums have no fixed order,
    it is not asked."""


def rehearse(
    hypermodel: Any,
    new_hp: Callable[[], Any],
    examples: Examples,
    epochs: int,
    objective: Objective,
    on_epoch: OnEpoch,
    limit: TimeLimit | None = None,
) -> Rehearsal | None:
    """Train a space's defaults twice with the same seed. Nothing of it is kept.

    Args:
        hypermodel: The space.
        new_hp: Makes hyperparameters that have their defaults.
        examples: Those of the search; a few of them are used.
        epochs: How many the study's trials train at most; `EPOCHS` of them are enough.
        objective: The study's.
        on_epoch: Called after each epoch; what it raises that is no `Exception` ends the dry run.
        limit: How long it may take.

    Returns:
        None where the training fails or takes too long: so few images may be the reason, and otherwise the first trial
        says so.

    Raises:
        Dependent: the training changes what was made before `build` began.
    """
    train, validation = _few(examples.train, PER_CLASS, LEAST), _few(examples.validation, 1, LEAST // 2)
    few = Examples(train, validation, class_weights=examples.class_weights)
    hooks = Hooks(on_epoch=on_epoch, limit=limit or TimeLimit())
    ended: list[tuple[EpochLog, list[NDArray[Any]]]] = []
    for _ in range(2):
        log = EpochLog()
        training = Training(hypermodel, new_hp(), few, min(EPOCHS, epochs), seed=0, objective=objective)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the first trial says it again
            try:
                model = fit(training, log, hooks)
            except Dependent:
                raise
            except (Exception, Overdue):
                return None
        ended.append((log, model.get_weights()))
    keras.backend.clear_session()
    repeatable = bool(tf.config.list_physical_devices("GPU")) or _same(*ended)
    return Rehearsal(ended[0][0].trained, repeatable)


def _few(images: Images | None, per_class: int, least: int) -> Images | None:
    """The first images of each class, and others up to `least`."""
    if images is None:
        return None
    chosen = np.zeros(len(images), bool)
    for label in np.unique(images.y):
        chosen[np.flatnonzero(images.y == label)[:per_class]] = True
    missing = max(0, least - int(chosen.sum()))
    chosen[np.flatnonzero(~chosen)[:missing]] = True
    return Images(images.x[chosen], images.y[chosen], pixels=images.pixels)


def _same(one: tuple[EpochLog, list[NDArray[Any]]], other: tuple[EpochLog, list[NDArray[Any]]]) -> bool:
    (log, weights), (other_log, other_weights) = one, other
    same_logs = log.history == other_log.history and log.result == other_log.result
    return same_logs and len(weights) == len(other_weights) and all(map(np.array_equal, weights, other_weights))
