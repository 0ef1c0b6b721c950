"""What `search` was given, handed on to `HyperModel.fit` as it is."""

import inspect
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from study.data.arrays import described
from study.images import Images
from study.training.examples import Examples, SearchData

ROUNDING = 1e-6
"""How far a pixel may lie from a 255th and still be one."""

SHAPE = "shape of the array"


@dataclass(frozen=True)
class UserData(Examples):
    """The arguments of `search`, callbacks excepted."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def scored(self) -> Images | None:
        return None  # its labels go their own way

    def arguments(self, model: keras.Model, epochs: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.positional, self.named


def search_data(positional: tuple[Any, ...], named: dict[str, Any], *, as_it_came: bool = False) -> SearchData:
    """What `search` was given. Images that are multiples of 1/255 are fed from memory as bytes, which is faster and
    saves each epoch; everything else, or all of it, goes to Keras as it came."""
    places = ("x", "y", *(f"argument {index}" for index in range(3, len(positional) + 1)))
    call = dict(zip(places, positional, strict=False)) | named
    parts = {name: fingerprint(call[name]) for name in sorted(call) if name != "epochs"}
    train, validation = None if as_it_came else _images(call.get("x")), None
    if train is not None:
        positional = (train.scaled, *positional[1:]) if positional else ()
        named = named if positional else {**named, "x": train.scaled}
        held_out = named.get("validation_data")
        if isinstance(held_out, tuple) and (validation := _images(held_out[0])) is not None:
            named = {**named, "validation_data": (validation.scaled, *held_out[1:])}
    return SearchData(parts, UserData(train, validation, positional, named))


def by_name(positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `keras.Model.fit`, all but x and y by their names."""
    names = list(inspect.signature(keras.Model.fit).parameters)[1:]
    return positional[:2], {**dict(zip(names[2:], positional[2:], strict=False)), **named}


def example(data: UserData) -> Any:
    """Some of the inputs of a model; None where they cannot be told apart without drawing from a generator."""
    x: Any = data.named["x"] if "x" in data.named else next(iter(data.positional), None)
    if hasattr(x, "element_spec") and hasattr(x, "take"):  # of tf.data
        return next((each[0] if isinstance(each, tuple) else each for each in x.take(1)), None)
    parts = keras.tree.flatten(x)
    return keras.tree.map_structure(lambda each: each[:1], x) if all(hasattr(each, "shape") for each in parts) else None


def specification(inputs: Any) -> Any:
    """Shape and type of each array of some inputs, as JSON."""
    if isinstance(inputs, dict):
        return {name: specification(each) for name, each in inputs.items()}
    if isinstance(inputs, (list, tuple)):
        return [specification(each) for each in inputs]
    return {SHAPE: list(inputs.shape), "dtype": keras.backend.standardize_dtype(inputs.dtype)}


def zeros(specified: Any) -> Any:
    """Inputs of that specification."""
    if isinstance(specified, list):
        return [zeros(each) for each in specified]
    if SHAPE in specified:
        return keras.ops.zeros(specified[SHAPE], specified["dtype"])
    return {name: zeros(each) for name, each in specified.items()}


def _images(x: Any) -> Images | None:
    """Float images as bytes; None for what is none or would lose something."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.ndim < 3 or not x.size:
        return None
    if not (x.min() >= 0 and x.max() <= 1):
        return None
    pixels = np.rint(x * 255).astype(np.uint8)
    images = Images(pixels, np.zeros(len(pixels), np.int64))  # the labels go their own way
    return images if np.abs(images.scaled - x).max() < ROUNDING else None


def fingerprint(value: Any) -> str:
    """What tells whether a search continues on the same data; of a generator or tf.data it is the type alone."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(fingerprint, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {fingerprint(each)}" for name, each in value.items())
    if hasattr(value, "__array__"):  # of NumPy, TensorFlow, pandas
        return described(np.asarray(value))
    return repr(value) if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__
