"""What a model computes for one image, beside what TensorFlow's profiler counts."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from search_spaces import SPACES, load
from study.search.hyperparameters import TrialHyperParameters
from study.training.size import multiply_adds

IMAGE = (12, 12, 3)


def counted(model: keras.Model) -> int:
    """By TensorFlow: multiplications and additions of matrix products and convolutions, in halves."""
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec((1, *IMAGE)))
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(graph=function.graph, options=options, cmd="op")
    kinds = ("Conv2D", "MatMul", "DepthwiseConv2dNative")
    total, waiting = 0, list(found.children)
    while waiting:
        each = waiting.pop()
        waiting += each.children
        total += each.float_ops if each.name in kinds else 0
    return total // 2


MODELS = {
    "convolutions": [
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.SeparableConv2D(6, 3),
        layers.DepthwiseConv2D(3),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(5),
    ],
    "nested": [keras.Sequential([layers.Conv2D(4, 3)]), layers.Dense(2), layers.Flatten(), layers.Dense(5)],
}


@pytest.mark.parametrize("name", MODELS)
def test_convolutions_and_dense_layers_are_counted_as_tensorflow_does(name: str) -> None:
    model = keras.Sequential([keras.Input(IMAGE), *MODELS[name]])
    assert multiply_adds(model) == counted(model) > 0


@pytest.mark.parametrize("space", SPACES)
def test_the_spaces_are_counted(space: str) -> None:
    model = load(space).hypermodel(IMAGE, 10).build(TrialHyperParameters.with_values({}))
    assert multiply_adds(model) == counted(model) > 0


def test_groups_of_channels_are_multiplied_within_themselves() -> None:
    model = keras.Sequential([keras.Input(IMAGE), layers.Conv2D(6, 3, groups=3)])
    assert multiply_adds(model) == 10 * 10 * (3 * 3 * 1) * 6


def test_what_is_not_known_is_not_counted() -> None:
    shared = layers.Dense(3)
    inputs = keras.Input((3,))
    recurrent = keras.Sequential([keras.Input((4, 3)), layers.LSTM(2)])
    unbuilt = keras.Sequential([layers.Dense(2)])
    assert multiply_adds(keras.Model(inputs, shared(inputs))) == 9
    assert multiply_adds(keras.Model(inputs, shared(shared(inputs)))) is None
    assert multiply_adds(recurrent) is None
    assert multiply_adds(unbuilt) is None
    recurrent.trainable = shared.trainable = False
    assert multiply_adds(recurrent) is None
    assert multiply_adds(keras.Model(inputs, shared(shared(inputs)))) is None
