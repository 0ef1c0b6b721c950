"""All that a Keras training consists of between two epochs, copied out of a model and put back into another.

Keras's own `BackupAndRestore` forgets the state of random generators (dropout, augmentation) and of callbacks
(early stopping), and writes its two files in place.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.checkpoints import packable
from study.config import Direction
from study.errors import StudyFailure
from study.files import write_whole

Callbacks = list[keras.callbacks.Callback]


class OtherModel(ValueError):
    """What was saved does not fit the model."""


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, of the last one where no epoch logs the objective. Unlike Keras's
    `ModelCheckpoint` it goes on after a kill: what it remembers is saved with the model.

    Args:
        keep: Keeps a model's weights.
        objective: What epochs are judged by.
        direction: Which way that is better.
    """

    def __init__(self, keep: Callable[[keras.Model], None], objective: str, direction: Direction) -> None:
        super().__init__()
        self.keep = keep
        self.objective = objective
        self.sign = 1 if direction == "maximize" else -1
        self.best = -math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logged = (logs or {}).get(self.objective)
        value = self.best if logged is None else self.sign * float(logged)
        if value > self.best or logged is None:
            self.best = value
            self.keep(self.model)


def keep_weights(file: Path, model: keras.Model) -> None:
    """Write a model's weights, and the shapes that it was built for beside them.

    Raises:
        StudyFailure: they cannot be written.
    """
    shapes = json.dumps(model.get_build_config())
    try:
        write_whole(file, model.save_weights)
        write_whole(file.with_suffix(".json"), lambda draft: draft.write_text(shapes))
    except OSError as error:
        raise StudyFailure(
            f"{file} cannot be written ({error.strerror or error}); what is finished is kept: make room on its disk, "
            "then search again"
        ) from None


def variables(model: keras.Model) -> list[Any]:
    """Weights, optimiser (learning rate and iterations included) and every random generator's state.

    `model.variables` has the generators of layers, `model.weights` has not; Keras's global one belongs to no model.
    """
    from keras.src.random.seed_generator import global_seed_generator

    return [*model.variables, *model.optimizer.variables, global_seed_generator().state]


def copy_variables(model: keras.Model) -> list[NDArray[Any]]:
    """The values of `variables`, which no step changes any more: TensorFlow writes into a copy of what is read."""
    return [np.asarray(variable.value.read_value()) for variable in variables(model)]


def put_back_variables(model: keras.Model, values: list[NDArray[Any]]) -> None:
    """Give a built model the copied values.

    Raises:
        OtherModel: there are more or fewer of them, or others in shape or type.
    """
    own = variables(model)
    if [_kind(variable) for variable in own] != [_kind(value) for value in values]:
        raise OtherModel("its model is another")
    for variable, value in zip(own, values, strict=True):
        variable.assign(value)


def resumable(callbacks: Callbacks) -> bool:
    """Whether all that callbacks remember can be saved: values of a checkpoint, besides the model and functions.

    `ModelCheckpoint` and `BackupAndRestore` remember files of their own, which may be gone or older.
    """
    return not any(
        isinstance(callback, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore))
        or any(
            not (packable(value) or callable(value) or isinstance(value, keras.Model))
            for name, value in vars(callback).items()
            if name != "params"
        )
        for callback in callbacks
    )


def copy_callbacks(callbacks: Callbacks) -> list[dict[str, Any]]:
    """What callbacks remember (best value, patience, history), by attribute: whatever a checkpoint can hold."""
    return [
        {"class": type(callback).__name__}
        | {name: value for name, value in vars(callback).items() if _kept(name, value)}
        for callback in callbacks
    ]


def put_back_callbacks(callbacks: Callbacks, states: list[dict[str, Any]]) -> None:
    """Let callbacks remember it.

    Raises:
        OtherModel: they are not the same callbacks.
    """
    if [type(callback).__name__ for callback in callbacks] != [state["class"] for state in states]:
        raise OtherModel("its callbacks are others")
    for callback, state in zip(callbacks, states, strict=True):
        vars(callback).update({name: value for name, value in state.items() if name != "class"})


def _kept(name: str, value: Any) -> bool:
    # Keras turns the sign of min_delta round when a callback learns its direction; a new callback does so itself.
    return name not in ("params", "class", "min_delta") and packable(value)


def _kind(value: Any) -> tuple[tuple[int, ...], str]:
    return tuple(value.shape), str(value.dtype)
