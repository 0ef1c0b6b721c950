"""What a model consists of. Keras lists the layers and variables that it knows of; a second optimizer, a schedule with
a variable, or the counter that a function keeps is found along attributes only."""

import functools
import os
import sys
from collections import deque
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import keras
import tensorflow as tf

KINDS = (
    keras.layers.Layer,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.callbacks.Callback,
    keras.random.SeedGenerator,
)
"""Keras's classes whose attributes are looked at, besides those of the user's classes."""
OURS = {"study", "search_spaces"}
LIBRARIES = str(Path(keras.__file__).parents[1]) + os.sep
"""The folder of the installed packages: not always `site-packages`, for `pip install --target` takes any."""
CONTAINERS = (list, tuple, dict, deque)
PLAIN = {bool, int, float, str, bytes, type(None), type, set}
"""Types that refer to nothing."""
LONGEST = 1000
"""Elements of a container that is looked into; a longer one is data."""


def parts(*roots: Any) -> list[Any]:
    """Everything that a model or callback refers to, itself included, each once, in an order that follows from the code
    alone: layers, optimizers, losses, schedules, objects and functions of the user's, and TensorFlow's variables."""
    found: dict[int, Any] = {}
    waiting = list(reversed(roots))
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += reversed([part for part in _within(each) if type(part) not in PLAIN])
    return list(found.values())


def variables(found: list[Any]) -> list[tf.Variable]:
    """The variables among a model's parts, but for those of metrics, which start from 0 in each epoch."""
    metrics = [each for each in found if isinstance(each, keras.metrics.Metric)]
    passing = {id(variable.value) for metric in metrics for variable in metric.variables}
    return [each for each in found if isinstance(each, tf.Variable) and id(each) not in passing]


def is_users(part: Any) -> bool:
    """Whether a part is a function of the user's or an object of a class of theirs: neither Python's, nor this
    package's, nor one of an installed library."""
    module = part.__module__ if isinstance(part, FunctionType) else type(part).__module__
    return _is_users((module or "builtins").partition(".")[0])


@functools.cache
def _is_users(package: str) -> bool:
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    is_installed = "-packages" in file or (file.startswith(LIBRARIES) and package in packages_distributions())
    return package not in OURS | sys.stdlib_module_names and not is_installed


def named(function: FunctionType) -> dict[str, Any]:
    """What a function's code refers to outside of it, by name: in the functions around it, and in its module."""
    code, around = function.__code__, function.__closure__ or ()
    found = {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    for name, cell in zip(code.co_freevars, around, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # nothing was assigned to it yet
            continue
    return found


def _within(part: Any) -> Iterable[Any]:
    if isinstance(part, CONTAINERS):
        elements = part.values() if isinstance(part, dict) else part
        return elements if len(part) <= LONGEST else ()
    if isinstance(part, keras.Variable):
        return [part.value]
    if isinstance(part, KINDS) and not type(part).__module__.startswith("study."):
        return [*vars(part).values(), *_methods(part)]
    if isinstance(part, FunctionType):
        return named(part).values() if is_users(part) else ()
    if isinstance(part, MethodType):
        return part.__func__, part.__self__
    if isinstance(part, functools.partial):
        return part.func, part.args, part.keywords
    if isinstance(part, tf.types.experimental.PolymorphicFunction):
        return [part.python_function]
    if isinstance(part, tf.random.Generator):
        return [part.state]
    return [*getattr(part, "__dict__", {}).values(), *_methods(part)] if is_users(part) else ()


def _methods(part: Any) -> list[FunctionType]:
    """The functions of an object's class that are the user's."""
    if not is_users(part):
        return []
    own = (base for base in type(part).__mro__ if _is_users(base.__module__.partition(".")[0]))
    return [each for base in own for each in vars(base).values() if isinstance(each, FunctionType)]
