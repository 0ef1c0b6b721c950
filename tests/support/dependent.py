"""Search spaces whose trials depend on more than their hyperparameters and their seed, or train no model to test."""

from typing import Any

import keras
import tiny
from keras import layers

BASE = keras.Sequential([keras.Input((tiny.SIDE, tiny.SIDE, 1)), layers.Flatten(), layers.Dense(8)], name="base")


class SharedBase(tiny.Tiny):
    """Every trial goes on with the base of the one before."""

    trainable = True

    def build(self, hp: Any) -> keras.Model:
        BASE.trainable = self.trainable
        model = keras.Sequential([BASE, layers.Dense(tiny.CLASSES, "softmax")])
        optimizer = keras.optimizers.SGD(hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
        return model


class FrozenBase(SharedBase):
    """No trial changes the base."""

    trainable = False


class LateBase(tiny.Tiny):
    """Only other configurations than the defaults share a layer, which the first of them builds."""

    shared = layers.Dense(8, name="late")

    def build(self, hp: Any) -> keras.Model:
        deep = hp.Choice("kind", ["plain", "deep"]) == "deep"
        hp.Float("rate", 1e-2, 0.5, sampling="log")
        return tiny.compiled(*([self.shared] if deep else []))


class Policy(tiny.Tiny):
    """Leaves a policy behind, which the layers of the next model would have."""

    def build(self, hp: Any) -> keras.Model:
        model = tiny.compiled(layers.Dense(8), learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1))
        keras.config.set_dtype_policy("mixed_bfloat16")
        return model


class Counter(tiny.Tiny):
    """Trains the slower the more models this process has built."""

    built = 0

    def build(self, hp: Any) -> keras.Model:
        type(self).built += 1
        return tiny.compiled(learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1) / self.built)


class Folds(tiny.Tiny):
    """Trains a copy of the model, and returns how good that is."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> float:
        copy = keras.models.clone_model(model)
        copy.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
        copy.fit(x, y, verbose=0, callbacks=kwargs["callbacks"], validation_data=validation_data)
        return float(copy.evaluate(*validation_data, verbose=0, return_dict=True)["accuracy"])
