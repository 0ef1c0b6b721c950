"""All that a Keras training consists of between two epochs, copied out of a model and put back into another.

Keras's own `BackupAndRestore` forgets the state of random generators (dropout, augmentation) and of callbacks
(early stopping), and writes its two files in place.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.checkpoints import packable

Callbacks = list[keras.callbacks.Callback]


class OtherModel(ValueError):
    """What was saved does not fit the model."""


def variables(model: keras.Model) -> list[Any]:
    """Weights, optimiser (learning rate and iterations included) and every random generator's state.

    `model.variables` has the generators of layers, `model.weights` has not; Keras's global one belongs to no model.
    """
    from keras.src.random.seed_generator import global_seed_generator

    return [*model.variables, *model.optimizer.variables, global_seed_generator().state]


def copy_variables(model: keras.Model) -> list[NDArray[Any]]:
    """The values of `variables`, which no step changes any more."""
    return [np.array(variable) for variable in variables(model)]


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
