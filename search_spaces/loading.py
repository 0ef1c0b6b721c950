"""Loads a HyperModel by name: one of our own spaces, or anything that KerasTuner accepts."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPACES = {
    "dense": ("search_spaces.dense:DenseHyperModel", "multi-layer perceptron; baseline Flatten-128-10"),
    "paper": ("search_spaces.paper:PaperHyperModel", "the CNN of Shao et al. 2023 and its five hyperparameters"),
    "cnn": ("search_spaces.cnn:CNNHyperModel", "convolutional network: architecture, augmentation, schedule"),
}
"""Each name's location and description."""

Shape = tuple[int, int, int]


class SpaceError(ValueError):
    """A search space that cannot be loaded; the text says why in one line."""


@dataclass(frozen=True)
class Space:
    """A search space and its name."""

    name: str
    _make: Callable[[Shape, int], Any]

    def hypermodel(self, input_shape: Shape, num_classes: int) -> Any:
        """The KerasTuner HyperModel for images of this shape (height, width, channels) and number of classes."""
        return self._make(input_shape, num_classes)


def check_name(name: str) -> None:
    """Refuse a name that cannot be a search space, before anything is imported.

    Raises:
        SpaceError: with the names that exist.
    """
    if name not in SPACES and ":" not in name:
        raise SpaceError(f"there is no search space {name!r}: give {', '.join(SPACES)} or package.module:object")


def load(name: str) -> Space:
    """The space of that name: one of `SPACES`, or `package.module:object`.

    The object is a HyperModel class (its constructor gets those of `input_shape`, `num_classes` and `classes` that it
    accepts), a HyperModel instance, or a function `build(hp)`. Modules in the working directory are found.

    Raises:
        SpaceError: there is no such space, or it is not a HyperModel.
    """
    check_name(name)
    path = SPACES[name][0] if name in SPACES else name
    module_name, _, attribute = path.partition(":")
    return Space(name, _maker(name, _import(name, module_name, attribute)))


def given(name: str, found: Any) -> Space:
    """A space that is given as an object, of one of the kinds described in `load`.

    Raises:
        SpaceError: it is not a HyperModel.
    """
    return Space(name, _maker(name, found))


def _import(name: str, module_name: str, attribute: str) -> Any:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # like `python -m`; a console script does not search the folder
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise anything
        text = " ".join(str(error).split())
        raise SpaceError(f"the search space {name!r} cannot be imported: {type(error).__name__}: {text}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise SpaceError(f"the module {module_name!r} has no {attribute!r}; --space was given {name!r}") from None


def _maker(name: str, found: Any) -> Callable[[Shape, int], Any]:
    import keras_tuner

    if isinstance(found, keras_tuner.HyperModel):
        return lambda input_shape, num_classes: found
    if inspect.isclass(found) and issubclass(found, keras_tuner.HyperModel):
        return lambda input_shape, num_classes: _instance(name, found, input_shape, num_classes)
    if callable(found) and not inspect.isclass(found) and inspect.signature(found).parameters:
        return lambda input_shape, num_classes: _wrapped(found)
    raise SpaceError(
        f"{name!r} is no search space: it must be a keras_tuner.HyperModel (class or instance) or a function "
        f"build(hp); it is {type(found).__name__}"
    )


def _instance(name: str, hypermodel: Any, input_shape: Shape, num_classes: int) -> Any:
    offered = {"input_shape": input_shape, "num_classes": num_classes, "classes": num_classes}
    taken = inspect.signature(hypermodel).parameters
    try:
        return hypermodel(**{key: value for key, value in offered.items() if key in taken})
    except Exception as error:  # a user's constructor may raise anything
        text = " ".join(str(error).split())
        raise SpaceError(
            f"the search space {name!r} cannot be made from input_shape and num_classes: {type(error).__name__}: {text}"
        ) from error


def _wrapped(build: Callable[[Any], Any]) -> Any:
    """A build function as a HyperModel, like KerasTuner's own wrapper."""
    import keras_tuner

    class BuildFunction(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return build(hp)

    return BuildFunction()
