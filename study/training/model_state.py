"""All that a Keras training consists of between two epochs, copied out of a model and restored into another.
Keras's `BackupAndRestore` loses the state of random generators and callbacks, and writes its two files in place."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from study.system.files import write_whole
from study.training.checkpoints import packable
from study.training.keras_private import global_random_state

Callbacks = list[keras.callbacks.Callback]


class OtherModel(ValueError):
    """What was saved does not fit the model or its callbacks."""


def keep_weights(file: Path, model: keras.Model) -> None:
    """Write a model's weights, and beside them the shapes that it was built for. It raises whatever fails."""
    shapes = json.dumps(model.get_build_config())
    with built_in_parts(model):
        write_whole(file, model.save_weights)
    write_whole(file.with_suffix(".json"), lambda draft: draft.write_text(shapes))


@contextmanager
def built_in_parts(model: keras.Model) -> Iterator[None]:
    """While the block runs, a model whose parts are built is, too: Keras saves and loads no weights of another, and one
    that trains by a step of its own, without `call`, never is."""
    was = model.built
    model.built = was or bool(model.weights)
    try:
        yield
    finally:
        model.built = was


def copy_variables(model: keras.Model, others: Sequence[tf.Variable] = ()) -> list[NDArray[Any]]:
    """Weights, optimizer (with learning rate and iterations), the state of every random generator, and `others`. The
    arrays share TensorFlow's memory, but no later step changes them: it copies a variable that was read before it
    writes to it."""
    return [np.asarray(variable.read_value()) for variable in _variables(model, others)]


def restore_variables(model: keras.Model, values: list[NDArray[Any]], others: Sequence[tf.Variable] = ()) -> None:
    """Give a built model the copied values; `OtherModel` if their number, shapes or types are not its variables'."""
    own = _variables(model, others)
    if [(tuple(each.shape), each.dtype.name) for each in own] != [(each.shape, str(each.dtype)) for each in values]:
        raise OtherModel("its model is another")
    for variable, value in zip(own, values, strict=True):
        variable.assign(value)


def listed(model: keras.Model) -> list[tf.Variable]:
    """The variables that Keras knows of: those of the model, random generators of layers included, and of its
    optimizer."""
    optimizer = getattr(model, "optimizer", None)  # a model that is not compiled has no such attribute
    return [each.value for each in [*model.variables, *(optimizer.variables if optimizer is not None else ())]]


def parameters(model: keras.Model) -> int:
    """The number of weights and biases, also of a model that is never built as a whole: one with a step of its own."""
    return model.count_params() if model.built else sum(math.prod(each.shape) for each in model.weights)


def _variables(model: keras.Model, others: Sequence[tf.Variable]) -> list[tf.Variable]:
    return [*listed(model), *others, global_random_state().value]


def unsaved(callbacks: Callbacks) -> str | None:
    """What callbacks have, besides the model and functions, that no checkpoint can hold, in words; None if nothing."""
    for each in callbacks:
        name = type(each).__name__
        if isinstance(each, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)):
            return f"the callback {name} keeps files of its own"  # they may be gone or older
        for attribute, value in vars(each).items():
            if attribute != "params" and not packable(value) and not callable(value):  # a model can be called, too
                return f"the callback {name} keeps a {type(value).__name__} as {attribute}"
    return None


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
