"""All that a Keras training consists of between two epochs, copied out of a model and restored into another.
Keras's `BackupAndRestore` loses the state of random generators and callbacks, and writes its two files in place."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.errors import StudyFailure
from study.objective import Objective
from study.system.files import write_whole
from study.training.checkpoints import packable
from study.training.keras_private import global_random_state

Callbacks = list[keras.callbacks.Callback]


class OtherModel(ValueError):
    """What was saved does not fit the model or its callbacks."""


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, or of the last one if no epoch logs the objective. Unlike Keras's
    `ModelCheckpoint` it continues after a kill: what it remembers is saved with the model."""

    def __init__(self, keep: Callable[[keras.Model], None], objective: Objective) -> None:
        super().__init__()
        self.keep, self.monitor, self.rank = keep, objective.name, objective.rank
        self.best = math.inf  # the rank of the best epoch so far

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logged = (logs or {}).get(self.monitor)
        if logged is None:
            self.keep(self.model)
        elif (rank := self.rank(float(logged))) < self.best:
            self.best = rank
            self.keep(self.model)


def keep_weights(file: Path, model: keras.Model) -> None:
    """Write a model's weights, and beside them the shapes that it was built for; `StudyFailure` if that fails."""
    shapes = json.dumps(model.get_build_config())
    try:
        write_whole(file, model.save_weights)
        write_whole(file.with_suffix(".json"), lambda draft: draft.write_text(shapes))
    except OSError as error:
        why = f"{file} cannot be written ({error.strerror or error})"
        raise StudyFailure(f"{why}; what is finished is kept: make room on its disk, then search again") from None


def copy_variables(model: keras.Model) -> list[NDArray[Any]]:
    """Weights, optimizer (with learning rate and iterations) and the state of every random generator. The arrays share
    TensorFlow's memory, but no later step changes them: it copies a variable that was read before it writes to it."""
    return [np.asarray(variable.value.read_value()) for variable in _variables(model)]


def restore_variables(model: keras.Model, values: list[NDArray[Any]]) -> None:
    """Give a built model the copied values; `OtherModel` if their number, shapes or types are not its variables'."""
    own = _variables(model)
    if [(tuple(each.shape), str(each.dtype)) for each in own] != [(each.shape, str(each.dtype)) for each in values]:
        raise OtherModel("its model is another")
    for variable, value in zip(own, values, strict=True):
        variable.assign(value)


def _variables(model: keras.Model) -> list[keras.Variable]:
    # Unlike `model.weights`, `model.variables` includes the random generators of layers.
    return [*model.variables, *model.optimizer.variables, global_random_state()]


def resumable(callbacks: Callbacks) -> bool:
    """Whether everything that callbacks remember, besides the model and functions, can be saved in a checkpoint."""
    if any(isinstance(each, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)) for each in callbacks):
        return False  # their files may be gone or older
    values = (value for each in callbacks for name, value in vars(each).items() if name != "params")
    return all(packable(value) or callable(value) for value in values)  # a model can be called, too


def copy_callbacks(callbacks: Callbacks) -> list[dict[str, Any]]:
    """What callbacks remember (best value, patience, history), by attribute, as far as a checkpoint can hold it."""
    # Keras flips the sign of min_delta when a callback learns its direction, and would flip a restored one once more.
    left_out = ("params", "class", "min_delta")
    return [
        {name: value for name, value in vars(each).items() if name not in left_out and packable(value)}
        | {"class": type(each).__name__}
        for each in callbacks
    ]


def restore_callbacks(callbacks: Callbacks, states: list[dict[str, Any]]) -> None:
    """Let callbacks remember what was copied; `OtherModel` if they are of other classes."""
    if [type(each).__name__ for each in callbacks] != [state["class"] for state in states]:
        raise OtherModel("its callbacks are others")
    for each, state in zip(callbacks, states, strict=True):
        vars(each).update({name: value for name, value in state.items() if name != "class"})
