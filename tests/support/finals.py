"""Tuners of models of every kind, whose finals are made in seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import keras_tuner
import numpy as np
from keras import layers

import study

EAGER = {"run_eagerly": True}
"""Quicker than to trace a function for a few steps."""


class Kind(NamedTuple):
    """A kind of model, with data."""

    build: Callable[[Any], keras.Model]
    objective: Any
    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any]


def parts(x: Any, y: Any) -> tuple[tuple[Any, Any], ...]:
    """Training, validation and test data: 24, 12 and 12 examples of 48."""
    return tuple(
        keras.tree.map_structure(lambda array, one=begin, other=end: array[one:other], (x, y))
        for begin, end in ((0, 24), (24, 36), (36, 48))
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def regression() -> Kind:
    def build(hp: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((3,)), layers.Dense(hp.Int("units", 2, 8, default=2), "relu"),
                                  layers.Dense(1)])  # fmt: skip
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-4, 0.05])), "mse", metrics=["mae"], **EAGER)
        return model

    x = rng().normal(size=(48, 3)).astype("float32")
    return Kind(build, "val_mae", *parts(x, x.sum(axis=1, keepdims=True)))


def text() -> Kind:
    judgements, things = ["good", "fine", "bad", "poor"], [f"thing{each}" for each in range(12)]
    texts = [f"{judgements[each % 4]} {things[each // 4]}" for each in range(48)]
    table = layers.TextVectorization(output_sequence_length=3)
    table.adapt(texts)

    def build(hp: Any) -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input((3,), dtype="int64"),
                layers.Embedding(table.vocabulary_size(), hp.Int("size", 2, 6, default=2)),
                layers.GlobalAveragePooling1D(),
                layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-4, 0.1])), "binary_crossentropy",
                      metrics=["accuracy"], **EAGER)  # fmt: skip
        return model

    return Kind(build, "val_accuracy", *parts(np.asarray(table(np.array(texts))), np.array([1, 1, 0, 0] * 12)))


def forecast() -> Kind:
    def build(hp: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((4, 1)), layers.LSTM(hp.Int("units", 1, 3, default=1)), layers.Dense(1)])
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-4, 0.05])), "mse", **EAGER)
        return model

    series = np.sin(np.arange(52) / 3).astype("float32")
    x = np.stack([series[each : each + 4] for each in range(48)])[..., None]
    return Kind(build, "val_loss", *parts(x, series[4:]))


def several() -> Kind:
    """Two inputs and two outputs."""

    def build(hp: Any) -> keras.Model:
        inputs = {name: keras.Input((3,), name=name) for name in ("left", "right")}
        hidden = layers.Dense(hp.Int("units", 2, 6, default=2), "relu")(layers.Concatenate()([*inputs.values()]))
        outputs = {
            "kind": layers.Dense(3, "softmax", name="kind")(hidden),
            "size": layers.Dense(1, name="size")(hidden),
        }
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-4, 0.05])),
                      {"kind": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"kind": "accuracy"},
                      **EAGER)  # fmt: skip
        return model

    x = {name: rng().normal(size=(48, 3)).astype("float32") for name in ("left", "right")}
    objective = keras_tuner.Objective("val_kind_accuracy", direction="max")
    return Kind(build, objective, *parts(x, {"kind": np.arange(48) % 3, "size": x["left"].sum(axis=1)}))


def autoencoder() -> Kind:
    def build(hp: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((5,)), layers.Dense(hp.Int("code", 1, 4, default=1)), layers.Dense(5)])
        model.compile(keras.optimizers.Adam(hp.Choice("rate", [1e-4, 0.05])), "mse", **EAGER)
        return model

    x = rng().normal(size=(48, 5)).astype("float32")
    return Kind(build, "val_loss", *parts(x, x))


KINDS: dict[str, Callable[[], Kind]] = {
    "regression": regression, "text": text, "forecast": forecast, "several": several, "autoencoder": autoencoder,
}  # fmt: skip


def searched(folder: Path, kind: Kind, hypermodel: Any = None, **options: Any) -> Any:
    """A tuner after three trials of two epochs."""
    settings = {"objective": kind.objective, "max_trials": 3, "sampler": "random", "pruner": "none", "seed": 1,
                "directory": folder, "project_name": "any", **options}  # fmt: skip
    tuner = study.OptunaTuner(hypermodel or kind.build, **settings)
    tuner.search(*kind.train, epochs=2, validation_data=kind.validation, verbose=0)
    return tuner
