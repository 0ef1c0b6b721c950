"""How much a model computes for one image."""

import math
import warnings
from collections.abc import Iterator

import keras
from keras import layers

KERNELS = {
    layers.Dense: ("kernel",),
    layers.Conv1D: ("kernel",),
    layers.Conv2D: ("kernel",),
    layers.Conv3D: ("kernel",),
    layers.DepthwiseConv1D: ("kernel",),
    layers.DepthwiseConv2D: ("kernel",),
    layers.SeparableConv1D: ("depthwise_kernel", "pointwise_kernel"),
    layers.SeparableConv2D: ("depthwise_kernel", "pointwise_kernel"),
}
"""Layers that multiply kernels with every position of what they return."""


def multiply_adds(model: keras.Model) -> int | None:
    """Multiplications, with an addition each, that a model takes for one image: those of its dense layers and
    convolutions, beside which the others are few. None where that is not known: the model is built when it is called,
    uses a layer twice, or has matrices in layers of other kinds."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of functions in a configuration
            return sum(map(_multiply_adds, _single(model)))
    except Exception:  # a layer without an output or with several, or whatever a user's get_config raises
        return None


def _single(model: keras.Model) -> Iterator[layers.Layer]:
    shared = set() if isinstance(model, keras.Sequential) else _shared(model)
    for layer in model.layers:
        if layer.name in shared and layer.weights:
            raise ValueError(f"{layer.name} is used more than once")
        if isinstance(layer, keras.Model):
            yield from _single(layer)
        else:
            yield layer


def _shared(model: keras.Model) -> set[str]:
    """The layers of a functional model that are called more than once."""
    return {each["name"] for each in model.get_config().get("layers", []) if len(each["inbound_nodes"]) > 1}


def _multiply_adds(layer: layers.Layer) -> int:
    names = KERNELS.get(type(layer))
    if names is None:
        if any(len(each.shape) > 1 for each in layer.weights):
            raise TypeError(f"{type(layer).__name__} is not counted")
        return 0
    shape = layer.output.shape[1:]
    positions = shape[1:] if getattr(layer, "data_format", "") == "channels_first" else shape[:-1]
    found: int = math.prod(positions) * sum(math.prod(getattr(layer, name).shape) for name in names)
    return found
