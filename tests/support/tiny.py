"""Search spaces and data small enough to train in a test."""

import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

from study.data import datasets
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit

SIDE, CLASSES = 6, 3


def write_archive(
    file: Path, *, images: int = 90, channels: int = 1, side: int = SIDE, seed: int = 0, **arrays: Any
) -> Path:
    """An npz of bright squares in noise, at a place that depends on the class; `arrays` replace its own."""
    rng = np.random.default_rng(seed)
    parts: dict[str, Any] = {}
    for part, n in (("train", images), ("test", images // 2)):
        y = np.arange(n) % CLASSES
        x = rng.integers(0, 120, (n, side, side, channels))
        for label in range(CLASSES):
            x[y == label, 2 * label : 2 * label + 2, 1:4] += 130
        parts[f"x_{part}"], parts[f"y_{part}"] = x.astype(np.uint8), y
    np.savez(file, **{**parts, **arrays})
    return file


def small_images(folder: Path, images: int) -> datasets.Dataset:
    """Such an archive as a data set."""
    file = write_archive(folder / "tiny.npz", images=images)
    return datasets.load(f"npz:{file}", split_seed=0, data_dir=str(folder))


def examples(data: datasets.Dataset) -> Examples:
    """What a search trains and validates on."""
    return Examples(data.train, data.validation)


def fitted(
    data: datasets.Dataset,
    hypermodel: Any,
    epochs: int = 3,
    seed: int = 1,
    log: EpochLog | None = None,
    checkpoint: CheckpointFile | None = None,
    **hooks: Any,
) -> tuple[keras.Model, EpochLog]:
    """A HyperModel's defaults, trained; `hooks` are fields of `Hooks`."""
    log = EpochLog() if log is None else log
    training = Training(hypermodel, keras_tuner.HyperParameters(), examples(data), epochs, seed)
    return fit(training, log, Hooks(**hooks), checkpoint), log


def compiled(
    *layers: Any, learning_rate: float = 0.1, loss: str = "sparse_categorical_crossentropy", eagerly: bool = True
) -> keras.Model:
    """A classifier of the tiny images."""
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), *layers, keras.layers.Dense(CLASSES, "softmax")]
    )
    # Eagerly: tracing a graph takes longer than training such a model.
    model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), loss, metrics=["accuracy"], run_eagerly=eagerly)
    return model


class Tiny(keras_tuner.HyperModel):
    """Dropout, a log-uniform rate, a conditional parameter and a tuned batch size."""

    baseline_epochs = 2

    def build(self, hp: Any) -> keras.Model:
        layers: list[Any] = []
        if hp.Choice("kind", ["plain", "deep"]) == "deep":
            with hp.conditional_scope("kind", ["deep"]):
                layers.append(keras.layers.Dense(hp.Int("units", 4, 16, step=4), "relu"))
        layers.append(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.3, step=0.1, default=0.1)))
        return compiled(*layers, learning_rate=hp.Float("rate", 1e-2, 0.5, sampling="log", default=0.1))

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=hp.Choice("batch_size", [32, 64]), **kwargs)


class Shrinking(keras_tuner.HyperModel):
    """The defaults are the largest model: 40 units, each with 40 parameters and 39 multiply-adds."""

    least, most = 1, 40

    def build(self, hp: Any) -> keras.Model:
        return compiled(keras.layers.Dense(hp.Int("units", self.least, self.most, default=self.most), "relu"))


class Wide(Shrinking):
    """At least 2,003 parameters."""

    least, most = 50, 90


class Graph(Tiny):
    """Trained as a graph, as users' models are, in batches of 16."""

    callbacks: tuple[keras.callbacks.Callback, ...] = ()

    def build(self, hp: Any) -> keras.Model:
        return compiled(
            keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2), eagerly=False
        )

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=16, callbacks=[*callbacks, *self.callbacks], **kwargs)


class TinyOther(Tiny):
    """A second space."""

    def build(self, hp: Any) -> keras.Model:
        return compiled(keras.layers.Dense(hp.Int("width", 4, 8), hp.Choice("activation", ["relu", "tanh"])))


class Slow(Tiny):
    """Takes a while for each epoch."""

    baseline_epochs = 1
    seconds = 0.08

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        wait = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: time.sleep(self.seconds))
        return model.fit(*args, callbacks=[wait, *callbacks], **kwargs)


class SlowInStages(Slow):
    """Trains in two stages, so that its epochs are not saved."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        model.fit(x, y, **{**kwargs, "epochs": 1})
        return super().fit(hp, model, x, y, **kwargs)


def build_function(hp: Any) -> keras.Model:
    """A space as a function, whose loss wants one-hot labels."""
    return compiled(learning_rate=hp.Float("rate", 1e-1, 0.5, sampling="log"), loss="categorical_crossentropy")


instance = Tiny()


class Failing(Tiny):
    """Fails unless it is of the baseline's kind."""

    def build(self, hp: Any) -> keras.Model:
        if hp.Choice("kind", ["good", "bad"]) == "bad":
            raise RuntimeError("out of luck")
        return compiled()


class AlwaysFailing(Tiny):
    """Can be built, and fails in every fit."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        raise MemoryError("no memory left")


class Diverging(Tiny):
    """Its learning rate makes the loss infinite or NaN."""

    def build(self, hp: Any) -> keras.Model:
        model = linear()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.SGD(1e38), loss=loss, metrics=["accuracy"])
        return model


class FailingFinals(Tiny):
    """Fails on the images of the finals, which are more than those of the search."""

    def fit(self, hp: Any, model: keras.Model, x: Any, *args: Any, **kwargs: Any) -> Any:
        if len(x) > 80:
            raise RuntimeError("more than 80 images")
        return model.fit(x, *args, **kwargs)


class Demanding(Tiny):
    """Takes its validation data by name, as KerasTuner's own example does."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
        x_val, y_val = validation_data
        return model.fit(x, y, validation_data=(x_val, y_val), **kwargs)


class NoMetric(Tiny):
    """Does not report accuracy."""

    def build(self, hp: Any) -> keras.Model:
        model = linear()
        model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model


def linear() -> keras.Model:
    """A model that returns logits, not compiled."""
    return keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)])


def broken_defaults(hp: Any) -> keras.Model:
    """Cannot be built."""
    raise RuntimeError("nothing here")


no_space = {"kind": "dictionary"}
