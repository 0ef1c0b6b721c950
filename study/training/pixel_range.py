"""Whether a model is given its pixels in the range that it expects."""

from contextlib import ExitStack, suppress
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.config import PIXELS
from study.training.fused import layers_within
from study.training.keras_private import method_replaced

LEVELS = (0.0, 1.0, 255.0)
"""The pixels of the constant images that a model is shown."""
SMALL_STEP, LARGE_STEP = 0.05, 0.5
"""What a step of 1 in a pixel becomes before the first weights: smaller where 0 to 255 are scaled (1/127.5 and 1/58 are
usual), larger where 0 to 1 are expected. Nothing is said of what lies between."""
FAR = 10.0
"""A pixel of 0 that comes out more steps than this from 0 has lost the mean of pixels of 0 to 255."""


class _Reached(Exception):
    """The first layer with weights."""


def advice(model: keras.Model, pixels: str, shape: tuple[int, int, int]) -> str | None:
    """What to say of a model whose layers before the first kernel expect other pixels than it is given.

    Args:
        model: It is built if it is not, and otherwise left as it is.
        pixels: One of `PIXELS`: what it is given.
        shape: Height, width, channels of the images.

    Returns:
        None where the ranges agree, and where they cannot be told: the model is neither Functional nor Sequential, it
        normalises before its first kernel, or what it does there is not linear.
    """
    expected = None
    with suppress(Exception):  # of a user's layers: whatever they raise is said when they are trained
        expected = _expected(_before_kernel(model, shape))
    if expected is None or expected == pixels:
        return None
    what = "scale pixels of 0..255 themselves" if expected == PIXELS[1] else "do not scale their pixels"
    return f"the models {what} and are given {pixels}; --pixels {expected} gives them what they expect"


def _before_kernel(model: keras.Model, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """What reaches the first layer with a kernel (levels, ...) when a model is shown a constant image of each level.

    Raises:
        Exception: there is no such layer, or other weights come before it; whatever the model raises.
    """
    if not isinstance(model, keras.Sequential) and not hasattr(model, "inputs"):
        raise TypeError("neither Functional nor Sequential")
    if not model.built:
        model.build((None, *shape))
    reached: list[Any] = []

    def stop(layer: keras.layers.Layer, inputs: Any, *args: Any, **kwargs: Any) -> None:
        reached.append(inputs if hasattr(layer, "kernel") else None)
        raise _Reached

    images = np.ones((len(LEVELS), *shape), np.float32) * np.reshape(LEVELS, (-1, 1, 1, 1)).astype(np.float32)
    with ExitStack() as stack:
        for layer in layers_within(model):
            if layer.weights and not hasattr(layer, "layers") and not isinstance(layer, keras.layers.Normalization):
                stack.enter_context(method_replaced(layer, "call", stop))
        with suppress(_Reached):
            model(images, training=False)
    return np.asarray(reached[0], np.float64)


def _expected(shown: NDArray[np.float64]) -> str | None:
    """One of `PIXELS`, by what becomes of each level; None where that cannot be told."""
    zero, one, full = shown
    step = np.abs(one - zero)
    if not step.any() or not np.allclose(full - zero, (one - zero) * LEVELS[-1], rtol=0.01):
        return None
    if step.max() < SMALL_STEP or np.abs(zero[step > 0]).max() > FAR * step.max():
        return PIXELS[1]
    return PIXELS[0] if step.max() > LARGE_STEP else None
