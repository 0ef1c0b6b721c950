"""Models of every kind that a description must tell apart, and must find alike wherever they are built.

As a program it prints the shorthand of each, after it has built some other models."""

import json
import random
import sys
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import numpy as np
import tiny
from keras import layers

from search_spaces import load
from study.training.description import description, shorthand

BASE = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(8)], name="base")
SHAPE = (6, 6, 1)


class Scaled(layers.Layer):
    """Gives no configuration: its argument is a function."""

    def __init__(self, function: Any, units: int = 4) -> None:
        super().__init__()
        self.function, self.units = function, units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, x: Any) -> Any:
        return self.function(x @ self.kernel)


class Odd(layers.Layer):
    """Its configuration has what no other has: a set, an object with an address, an array."""

    def __init__(self, words: Any = frozenset({"tall", "wide", "deep", "narrow"}), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def get_config(self) -> dict[str, Any]:
        own = {"words": set(self.words), "thing": object(), "text": repr(object()), "array": np.random.rand(3)}
        return {**super().get_config(), **own}

    def call(self, x: Any) -> Any:
        return x


class Block(layers.Layer):
    """Layers within a layer."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.first, self.others = layers.Dense(units), [layers.Dropout(0.5, seed=random.randrange(99))]

    def call(self, x: Any) -> Any:
        return self.others[0](self.first(x))


class Subclassed(keras.Model):
    """A model with a weight of its own; it is built when it is trained."""

    def __init__(self, units: int = 8) -> None:
        super().__init__()
        self.flat, self.hidden, self.top = layers.Flatten(), Block(units), layers.Dense(3, "softmax")
        self.scale = self.add_weight(shape=(3,), name="scale")

    def call(self, x: Any) -> Any:
        return self.top(self.hidden(self.flat(x))) * self.scale


class Adversarial(Subclassed):
    """A second optimizer, whose schedule Keras does not know of."""

    def compile(self, *args: Any, rate: float = 0.1, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        self.other = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(rate, 100))


class OwnLoss:
    """A loss that Keras cannot serialize."""

    __slots__ = ()

    def __call__(self, y: Any, p: Any) -> Any:
        return keras.ops.mean(p)


class Secretive(Subclassed):
    """Does not say what it consists of."""

    @property
    def layers(self) -> Any:
        raise RuntimeError("none of your business")


def graph(*, add: bool = True, activation: str = "relu") -> keras.Model:
    """A graph with two branches, a nested model and two calls of one layer."""
    x = keras.Input(SHAPE)
    shared = layers.Conv2D(4, 3, padding="same", activation=activation)
    y = shared(shared(layers.Conv2D(4, 1)(x)))
    z = layers.RandomFlip()(layers.Conv2D(4, 3, padding="same", kernel_initializer=keras.initializers.HeNormal(3))(x))
    joined = y + z if add else y * z
    inner = keras.Sequential([keras.Input((6, 6, 4)), layers.GlobalMaxPooling2D(), layers.Dense(5)])
    return keras.Model(x, layers.Dense(3, "softmax")(inner(joined)))


def stack(*found: Any) -> keras.Model:
    """Layers one after the other."""
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *found, layers.Dense(3, "softmax")])


def compiled(model: keras.Model, optimizer: Any = "adam", loss: Any = None, metrics: Any = (), **options: Any) -> Any:
    """The model, compiled."""
    model.compile(optimizer, loss or "sparse_categorical_crossentropy", metrics=list(metrics) or None, **options)
    return model


def space(name: str, **values: Any) -> Callable[[], Any]:
    """A configuration of one of our own spaces."""

    def build() -> Any:
        hp = keras_tuner.HyperParameters()
        hp.values.update(values)
        return load(name).hypermodel((28, 28, 1), 10).build(hp)

    return build


def mixed() -> Any:
    """In another policy, with an optimizer around the optimizer."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return compiled(stack(layers.Dense(4)), keras.optimizers.Adam(0.1))
    finally:
        keras.config.set_dtype_policy(before)


def frozen() -> Any:
    """A base that all models share."""
    BASE.trainable = False
    x = keras.Input(SHAPE)
    return compiled(keras.Model(x, layers.Dense(3, "softmax")(BASE(x))))


def recurrent() -> Any:
    """Layers around layers."""
    x = keras.Input(SHAPE)
    rows = layers.TimeDistributed(keras.Sequential([layers.Flatten(), layers.Dense(4)]))(x)
    return compiled(keras.Model(x, layers.Dense(3)(layers.Bidirectional(layers.LSTM(4, dropout=0.1))(rows))))


class Sub(tiny.Tiny):
    """A space of models that are built when they are trained."""

    def build(self, hp: Any) -> keras.Model:
        return compiled(Subclassed(hp.Choice("units", [4, 8])), metrics=["accuracy"], run_eagerly=True)


MODELS: dict[str, Callable[[], Any]] = {
    **{name: space(name) for name in ("dense", "paper", "cnn")},
    "deep": space("dense", layers=3, batch_normalization=True, dropout=0.2, weight_decay=0.01),
    "tiny": lambda: tiny.Tiny().build(keras_tuner.HyperParameters()),
    "graph": lambda: compiled(graph(), metrics=["accuracy", keras.metrics.AUC(), keras.metrics.AUC(name="mine")]),
    "subclassed": lambda: compiled(Subclassed()),
    "adversarial": lambda: compiled(Adversarial()),
    "secretive": lambda: compiled(Secretive()),
    "not built": lambda: compiled(keras.Sequential([layers.Flatten(), layers.Dense(3)])),
    "not compiled": lambda: stack(layers.Dense(4)),
    "lambda": lambda: compiled(stack(layers.Lambda(lambda x: 2 * x)), loss=lambda y, p: keras.ops.mean(p)),
    "without configuration": lambda: compiled(stack(Scaled(lambda x: x), Odd(), Block(4)), loss=OwnLoss()),
    "augmented": lambda: compiled(
        keras.Sequential([keras.Input(SHAPE), layers.RandomRotation(0.1), layers.GaussianNoise(0.1), layers.Flatten()])
    ),
    "seeded": lambda: compiled(
        stack(layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(seed=random.randrange(10**6))))
    ),
    "normalized": lambda: compiled(
        keras.Sequential([keras.Input(SHAPE), layers.Normalization(mean=np.array([0.5]), variance=[2.0])])
    ),
    "scheduled": lambda: compiled(
        stack(), keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001]))
    ),
    "mixed": mixed,
    "frozen": frozen,
    "recurrent": recurrent,
}
"""Models by name."""

if __name__ == "__main__":
    compiled(graph(), metrics=[keras.metrics.AUC()])
    random.seed()
    np.random.seed()
    found = {name: shorthand(description(build())) for name, build in reversed(MODELS.items())}
    sys.stdout.write(f"{json.dumps(found)}\n")
