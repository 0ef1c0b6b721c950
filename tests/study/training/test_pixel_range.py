"""Whether pixels are in the range that a model expects."""

from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers

import search_spaces
from study.config import PIXELS
from study.training.pixel_range import advice

SHAPE = (32, 32, 3)
Make = Callable[[], keras.Model]


def convolved(*before: Any, first: Any = None) -> keras.Model:
    return keras.Sequential(
        [keras.Input(SHAPE), *before, first or layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]
    )


def functional(prepared: Callable[[Any], Any], base: keras.Model | None = None) -> keras.Model:
    """A model whose first operations are those of `prepared`, with a model of its own in it."""
    inputs = keras.Input(SHAPE)
    inner = base or keras.Sequential([keras.Input(SHAPE), layers.ZeroPadding2D(1), layers.Conv2D(2, 3)])
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inner(prepared(inputs)))))


def adapted(mean: float, deviation: float) -> keras.Model:
    return convolved(layers.Normalization(mean=mean, variance=deviation**2))


def unbuilt() -> keras.Model:
    return keras.Sequential([layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)])


def nested() -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), keras.Sequential([layers.Rescaling(1 / 255)]), layers.Conv2D(2, 3)])


def augmented() -> keras.Model:
    return convolved(layers.RandomFlip(), layers.RandomRotation(0.1), layers.Rescaling(1 / 255))


def application(name: str, **options: Any) -> keras.Model:
    return functional(lambda x: x, getattr(keras.applications, name)(weights=None, input_shape=SHAPE, **options))


SCALING: dict[str, Make] = {
    "rescaling": lambda: convolved(layers.Rescaling(1 / 255)),
    "rescaling to -1..1": lambda: convolved(layers.Rescaling(1 / 127.5, offset=-1)),
    "dense": lambda: convolved(layers.Rescaling(1 / 255), layers.Flatten(), first=layers.Dense(3)),
    "unbuilt": unbuilt,
    "nested": nested,
    "augmented": augmented,
    "adapted": lambda: adapted(115.0, 60.0),
    "tf": lambda: functional(keras.applications.mobilenet_v2.preprocess_input),
    "torch": lambda: functional(keras.applications.densenet.preprocess_input),
    "caffe": lambda: functional(keras.applications.resnet50.preprocess_input),
    "EfficientNetB0": lambda: application("EfficientNetB0"),
    "MobileNetV3Small": lambda: application("MobileNetV3Small"),
    "ConvNeXtTiny": lambda: application("ConvNeXtTiny"),
}
NOT_SCALING: dict[str, Make] = {
    "plain": convolved,
    "to -1..1": lambda: convolved(layers.Rescaling(2, offset=-1)),
    "adapted": lambda: adapted(0.45, 0.25),
    "MobileNetV2": lambda: application("MobileNetV2"),
    "MobileNetV3Small": lambda: application("MobileNetV3Small", include_preprocessing=False),
}


class Subclass(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.scaling, self.dense = layers.Rescaling(1 / 255), layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(layers.Flatten()(self.scaling(inputs)))


class Raising(layers.Layer):
    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def call(self, inputs: Any) -> Any:
        raise RuntimeError("not now")


UNKNOWN: dict[str, Make] = {
    "subclass": Subclass,
    "raising": lambda: convolved(Raising()),
    "normalised within the image": lambda: convolved(layers.LayerNormalization()),
    "normalised by the batch": lambda: convolved(layers.BatchNormalization()),
    "no weights": lambda: keras.Sequential([keras.Input(SHAPE), layers.Flatten()]),
    "not linear": lambda: functional(lambda x: keras.ops.log1p(x)),
    "constant": lambda: functional(lambda x: 0 * x),
    "other images": lambda: keras.Sequential([keras.Input((5, 5, 1)), layers.Flatten(), layers.Dense(3)]),
    "two inputs": lambda: keras.Model([a := keras.Input(SHAPE), b := keras.Input(SHAPE)], layers.Conv2D(2, 3)(a + b)),
    "no model": lambda: None,
}


@pytest.mark.parametrize("name", SCALING)
def test_a_model_that_scales_is_fed_0_to_255(name: str) -> None:
    assert advice(SCALING[name](), "0..1", SHAPE) == (
        "the models scale pixels of 0..255 themselves and are given 0..1; --pixels 0..255 gives them what they expect"
    )
    assert advice(SCALING[name](), "0..255", SHAPE) is None


@pytest.mark.parametrize("name", NOT_SCALING)
def test_a_model_that_does_not_scale_is_fed_0_to_1(name: str) -> None:
    assert advice(NOT_SCALING[name](), "0..255", SHAPE) == (
        "the models do not scale their pixels and are given 0..255; --pixels 0..1 gives them what they expect"
    )
    assert advice(NOT_SCALING[name](), "0..1", SHAPE) is None


@pytest.mark.parametrize("name", UNKNOWN)
def test_nothing_is_said_of_what_cannot_be_judged(name: str) -> None:
    assert [advice(UNKNOWN[name](), pixels, SHAPE) for pixels in PIXELS] == [None, None]


@pytest.mark.parametrize("name", search_spaces.SPACES)
def test_the_built_in_spaces_are_fed_as_they_expect(name: str) -> None:
    shape = (8, 8, 1)
    model = search_spaces.load(name).hypermodel(shape, 10).build(keras_tuner.HyperParameters())
    assert advice(model, "0..1", shape) is None
    assert "--pixels 0..1" in str(advice(model, "0..255", shape))


def test_the_model_is_left_as_it_was() -> None:
    model = functional(lambda x: x / 255)
    images = np.random.default_rng(0).random((2, *SHAPE), np.float32)
    before, weights = model.predict(images, verbose=0), model.get_weights()
    layer = model.layers[-1]
    assert advice(model, "0..1", SHAPE) is not None
    assert np.array_equal(model.predict(images, verbose=0), before)
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert "call" not in vars(layer)
    layer.call = own = layer.call  # of a base that another study has trained
    advice(model, "0..1", SHAPE)
    assert vars(layer)["call"] is own
