"""What a model has from before its `build` began: a base model or a layer that was made outside of it, once for all
trials. Such a trial would begin where another one ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

import keras
import numpy as np
import tensorflow as tf

from study.errors import Overdue, StudyError
from study.training.keras_private import creation_number
from study.training.parts import parts, variables

_built: WeakValueDictionary[int, keras.layers.Layer] = WeakValueDictionary()
"""The layers of models that this process has built, as long as they live, by `id`."""


class Dependent(StudyError):
    """A trial that depends on what another trial leaves behind."""


def remember(found: list[Any]) -> None:
    """Remember the layers among a model's parts: one that is found in a later model, too, belongs to all of them."""
    _built.update({id(each): each for each in found if isinstance(each, keras.layers.Layer)})


@contextmanager
def independent(model: keras.Model, found: list[Any], newest: int, seed: int) -> Iterator[None]:
    """Watch the variables that a model inherits while it is trained. Random generators among them are seeded again.

    Args:
        model: As `build` returned it.
        found: Its `parts`.
        newest: The number of TensorFlow's last variable before `build` began (`keras_private.creation_number`).
        seed: The state of inherited random generators follows from it.

    Raises:
        Dependent: the training changed an inherited variable, or made one for an inherited layer.
    """
    layers = [each for each in found if _built.get(id(each)) is each]
    remember(found)
    _reseed(found, newest, seed)
    before = {id(each): (each, each.read_value()) for each in _states(found) if creation_number(each) <= newest}
    try:
        yield
    except (Exception, Overdue) as error:
        _refuse_changed(model, layers, before, newest, error)
        raise
    _refuse_changed(model, layers, before, newest)


def _states(found: list[Any]) -> list[tf.Variable]:
    """The variables among a model's parts that hold what was learnt."""
    seeds = {id(each.state.value) for each in found if isinstance(each, keras.random.SeedGenerator)}
    return [each for each in variables(found) if id(each) not in seeds]


def _reseed(found: list[Any], newest: int, seed: int) -> None:
    generators = [each.state for each in found if isinstance(each, keras.random.SeedGenerator)]
    inherited = [each for each in generators if creation_number(each.value) <= newest]
    for state, start in zip(inherited, np.random.SeedSequence(seed).generate_state(len(inherited)), strict=True):
        state.assign(np.array([start, 0], state.dtype))


def _refuse_changed(
    model: keras.Model,
    layers: list[keras.layers.Layer],
    before: dict[int, tuple[tf.Variable, tf.Tensor]],
    newest: int,
    cause: BaseException | None = None,
) -> None:
    made = [each for each in _states(parts(*layers)) if creation_number(each) > newest]
    changed = [variable for variable, value in before.values() if not _equal(variable.read_value(), value)]
    for variable in [*changed, *made]:
        raise Dependent(
            f"{_owner(model, variable)} was made outside build(hp) and a trial changes it, so that the next one would "
            "begin where it ended: make it in build(hp), or freeze it (trainable = False)"
        ) from cause


def _equal(one: tf.Tensor, other: tf.Tensor) -> bool:
    first, second = np.asarray(one), np.asarray(other)
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _owner(model: keras.Model, variable: tf.Variable) -> str:
    """The layer of a model, or the optimizer, that a variable belongs to."""
    kinds = {"layer": model.layers, "optimizer": [model.optimizer]}
    for kind, owners in kinds.items():
        for owner in owners:
            if any(each is variable for each in parts(owner)):
                return f"the {kind} {owner.name} ({type(owner).__name__})"
    return f"the variable {variable.name}"
