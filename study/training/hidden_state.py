"""State that Keras does not list, and that decides how a training goes on nevertheless."""

import random
from types import FunctionType, NoneType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from study.training.keras_private import attributes_of_keras
from study.training.model_state import Callbacks, listed
from study.training.parts import LONGEST, is_users, named, parts, variables

LARGEST = 2**20
"""Bytes of an array that is compared; a larger one is data."""
HANDLES = (tf.resource, tf.variant)
"""Types of tensors that are no values."""

Remembered = dict[tuple[int, str], tuple[str, Any]]
"""Values that objects and functions remember, each with what it is called, by the owner's `id` and the name."""


class HiddenState:
    """What a model and its callbacks remember beyond the variables that Keras lists and the callbacks' attributes.

    Variables can be saved with the model. Of all else, and of variables that appear while the model trains, it can only
    be noticed that they change.
    """

    def __init__(self, model: keras.Model, callbacks: Callbacks) -> None:
        self._model, self._callbacks = model, callbacks
        self._found = parts(model, *callbacks)  # kept, so that each keeps its `id`
        self._begin = _remembered(self._found)
        self._has_code_of_users = any(map(is_users, self._found))
        known = {id(each) for each in listed(model)}
        self.variables = [each for each in variables(self._found) if id(each) not in known]
        """Variables that Keras does not list, in an order that follows from the code alone."""
        self._variables = known | {id(each) for each in self.variables}

    def change(self) -> str | None:
        """What has changed since the beginning that no checkpoint can hold, in words; None if nothing has."""
        found = parts(self._model, *self._callbacks) if self._has_code_of_users else []
        if new := [each for each in [*listed(self._model), *variables(found)] if id(each) not in self._variables]:
            return f"{_maker(found, new[0])} while the model trains: build it in build(hp)"
        now = _remembered(found) if found else self._begin
        for key in {**self._begin, **now}:
            before, after = self._begin.get(key, ("", None)), now.get(key, ("", None))
            if before != after:
                return f"{before[0] or after[0]} changes while the model trains"
        return None


def _maker(found: list[Any], variable: tf.Variable) -> str:
    """Who makes a variable."""
    for each in found:
        if isinstance(each, keras.optimizers.Optimizer) and any(own.value is variable for own in each.variables):
            return f"the optimizer {each.name} ({type(each).__name__}) makes its variables"
    return f"the variable {variable.name} is made"


def _remembered(found: list[Any]) -> Remembered:
    """By objects and functions of the user's, and whether each layer is trainable. Callbacks are saved as they are."""
    remembered: Remembered = {}
    for each in found:
        if isinstance(each, keras.layers.Layer):
            remembered[id(each), "trainable"] = f"{each.name}.trainable", each.trainable
        if not is_users(each) or isinstance(each, keras.callbacks.Callback):
            continue
        is_function = isinstance(each, FunctionType)
        values = named(each) if is_function else getattr(each, "__dict__", {})
        label = each.__qualname__ if is_function else type(each).__name__
        for name, value in values.items():
            if name not in attributes_of_keras() and (copied := _copied(value)) is not None:
                remembered[id(each), name] = f"{label}.{name}", copied
    return remembered


def _copied(value: Any) -> Any:
    """What equals a later copy as long as a plain value has not changed; None for what is none."""
    if isinstance(value, (bool, int, float, str, bytes, NoneType, np.generic)):
        return repr(value)  # a NaN equals itself
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = frozenset if isinstance(value, (set, frozenset)) else tuple
        return len(value) if len(value) > LONGEST else kind(map(_copied, value))
    if isinstance(value, dict):
        return len(value) if len(value) > LONGEST else {str(key): _copied(each) for key, each in value.items()}
    if isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value) and value.dtype not in HANDLES:
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.nbytes <= LARGEST else None
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    return value.getstate() if isinstance(value, random.Random) else None
