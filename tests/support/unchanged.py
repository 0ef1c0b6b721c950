"""Search spaces that build other models than they did, or may do so without being others."""

import random
from typing import Any

import keras
import tiny
from keras import layers


class Branched(tiny.Tiny):
    """Its defaults do not learn; what does is in another branch. `units` is what somebody edits there."""

    units = 8

    def build(self, hp: Any) -> keras.Model:
        if hp.Choice("kind", ["plain", "deep"]) == "deep":
            return tiny.compiled(layers.Dense(self.units, "relu"), learning_rate=0.1)
        return tiny.compiled(learning_rate=1e-9)


class Edited(tiny.Tiny):
    """What its `build` gives is replaced between a run and its resume."""

    layer: tuple[type[layers.Layer], dict[str, Any]] = (layers.Dense, {"units": 64, "activation": "relu"})
    more: tuple[float, ...] = ()
    rate, loss = 0.1, "sparse_categorical_crossentropy"
    optimizer: Any = keras.optimizers.SGD
    metrics: tuple[str, ...] = ("accuracy",)

    def build(self, hp: Any) -> keras.Model:
        kind, options = self.layer
        stack = [layers.Flatten(), kind(**options), *map(layers.Dropout, self.more), layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((tiny.SIDE, tiny.SIDE, 1)), *stack])
        hp.Choice("unused", [1, 2])
        model.compile(self.optimizer(self.rate), self.loss, metrics=list(self.metrics), run_eagerly=True)
        return model


class Random(tiny.Tiny):
    """Draws its architecture, and seeds of its own, from Python's generator."""

    def build(self, hp: Any) -> keras.Model:
        hp.Choice("unused", [1, 2])
        start = keras.initializers.GlorotUniform(seed=random.randrange(1000))
        return tiny.compiled(layers.Dense(random.randrange(4, 40), kernel_initializer=start), layers.Dropout(0.1))
