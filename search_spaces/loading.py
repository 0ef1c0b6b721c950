"""Loads a HyperModel by name: one of our own spaces, or anything that KerasTuner accepts."""

import difflib
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
    module, _, attribute = name.partition(":")
    if name not in SPACES and not all(map(str.isidentifier, (*module.split("."), *attribute.split(".")))):
        near = difflib.get_close_matches(name.lower(), SPACES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        if "," in name:
            hint = "; repeat --space for several: --space dense --space cnn"
        raise SpaceError(f"there is no search space {name!r}: give {', '.join(SPACES)} or package.module:object{hint}")


def load(name: str) -> Space:
    """The space of that name: one of `SPACES`, or `package.module:object`.

    The object is a HyperModel class (its constructor gets those of `input_shape`, `num_classes` and `classes` that it
    accepts), a HyperModel instance, or a function `build(hp)`. Modules in the working directory are found.

    Raises:
        SpaceError: there is no such space, or it is not a HyperModel.
    """
    check_name(name)
    if name in SPACES:
        module_name, attribute = SPACES[name][0].split(":")
        return Space(name, _maker(name, getattr(importlib.import_module(module_name), attribute)))
    return Space(name, _maker(name, _import(name, *name.split(":"))))


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
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        _refuse_hidden(name, _missing(error))
        raise SpaceError(f"the search space {name!r} cannot be imported: {_one_line(error)}") from error
    _refuse_hidden(name, module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise SpaceError(f"the module {module_name!r} has no {attribute!r}; --space was given {name!r}") from None


def _refuse_hidden(name: str, module: str) -> None:
    """Refuse a module that another one hides, which has its name and was imported before, as our packages are.

    Raises:
        SpaceError: naming both.
    """
    top = module.partition(".")[0]
    hiding = sys.modules.get(top)
    if hiding is None:
        return
    places = getattr(hiding, "__path__", None) or filter(None, [getattr(hiding, "__file__", None)])
    folders = [Path(place).parent.resolve() for place in places]
    for entry in sys.path:
        if Path(entry).resolve() in folders:
            return
        file = Path(entry, *module.split("."))
        for found in (file.with_name(f"{file.name}.py"), file / "__init__.py"):
            if found.is_file():
                raise SpaceError(
                    f"the search space {name!r} cannot be imported: what is in {found.absolute()} is hidden by another "
                    f"module called {top}, {hiding!r}; rename yours"
                )


def _missing(error: BaseException) -> str:
    """The module that an import did not find, or in which it did not find a name."""
    if isinstance(error, AttributeError) and inspect.ismodule(error.obj):
        return error.obj.__name__
    return (isinstance(error, ImportError) and error.name) or ""


def _one_line(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # a user's class may raise anything
        text = "(it has no text that can be read)"
    return " ".join(f"{type(error).__name__}: {text}".split())


def _maker(name: str, found: Any) -> Callable[[Shape, int], Any]:
    import keras_tuner

    if isinstance(found, keras_tuner.HyperModel):
        return lambda input_shape, num_classes: found
    if inspect.isclass(found) and issubclass(found, keras_tuner.HyperModel):
        return lambda input_shape, num_classes: _instance(name, found, input_shape, num_classes)
    if callable(found) and not inspect.isclass(found) and _has_parameters(found):
        return lambda input_shape, num_classes: _wrapped(found)
    raise SpaceError(
        f"{name!r} is not a search space: it must be a keras_tuner.HyperModel (class or instance) or a function "
        f"build(hp); it is {type(found).__name__}"
    )


def _has_parameters(function: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(function).parameters)
    except ValueError:  # a function of C's that does not say
        return False


def _instance(name: str, hypermodel: Any, input_shape: Shape, num_classes: int) -> Any:
    offered = {"input_shape": input_shape, "num_classes": num_classes, "classes": num_classes}
    taken = inspect.signature(hypermodel).parameters
    try:
        return hypermodel(**{key: value for key, value in offered.items() if key in taken})
    except (Exception, SystemExit) as error:  # a user's constructor may raise anything
        raise SpaceError(
            f"the search space {name!r} cannot be made from input_shape and num_classes: {_one_line(error)}"
        ) from error


def _wrapped(build: Callable[[Any], Any]) -> Any:
    """A build function as a HyperModel, like KerasTuner's own wrapper."""
    import keras_tuner

    class DefaultHyperModel(keras_tuner.HyperModel):  # KerasTuner's own name
        def build(self, hp: Any) -> Any:
            return build(hp)

    return DefaultHyperModel()
