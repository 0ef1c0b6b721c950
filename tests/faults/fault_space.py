"""Two small search spaces with dropout and augmentation, which write down each epoch that they train."""

import os
import time
from typing import Any

import keras
import keras_tuner
from launcher import EPOCHS_FILE

from search_spaces import OneCycle
from study.training.rehearsal import LEAST


class WriteDown(keras.callbacks.Callback):
    """Appends a line at the end of each epoch on these images, but for the few of the dry run before the search."""

    def __init__(self, images: Any) -> None:
        super().__init__()
        self.counts = len(images) > LEAST

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if EPOCHS_FILE in os.environ and self.counts:
            with open(os.environ[EPOCHS_FILE], "a") as file:
                file.write(f"{os.getpid()} {epoch}\n")


class Dense(keras_tuner.HyperModel):
    """Augmentation, dropout, a conditional width, a tuned batch size, and a rate that falls on a plateau."""

    baseline_epochs = 3

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.input_shape, self.num_classes = input_shape, num_classes

    def body(self, hp: Any) -> list[Any]:
        """The layers between image and logits."""
        layers = [keras.layers.Flatten()]
        if hp.Boolean("deep"):
            with hp.conditional_scope("deep", [True]):
                layers.append(keras.layers.Dense(hp.Int("units", 16, 64, step=16), "relu"))
        return layers

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input(self.input_shape),
                keras.layers.RandomTranslation(hp.Float("shift", 0.0, 0.2, step=0.05), 0.1, fill_mode="constant"),
                *self.body(hp),
                keras.layers.Dropout(hp.Float("dropout", 0.1, 0.5)),
                keras.layers.Dense(self.num_classes, "softmax"),
            ]
        )
        rate = hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)
        # Eagerly: so small a model is trained faster than traced.
        model.compile(
            keras.optimizers.Adam(self.scheduled(rate)),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            run_eagerly=True,
        )
        return model

    def scheduled(self, rate: float) -> Any:
        """A rate that callbacks may change."""
        return rate

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.2)
        batch_size = hp.Choice("batch_size", [128, 256])
        return model.fit(*args, batch_size=batch_size, callbacks=[WriteDown(args[0]), plateau, *callbacks], **kwargs)


class Conv(Dense):
    """The same with a convolution and normalisation."""

    def body(self, hp: Any) -> list[Any]:
        """The layers between image and logits."""
        return [
            keras.layers.Conv2D(hp.Choice("filters", [4, 8]), 3, strides=2),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
        ]


class Looked(Dense):
    """Trained in the graph, in epochs long enough to be looked into, with a rate that follows the whole training."""

    def build(self, hp: Any) -> keras.Model:
        model = super().build(hp)
        model.run_eagerly = False
        return model

    def scheduled(self, rate: float) -> Any:
        return OneCycle(rate)

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        return model.fit(
            *args, batch_size=hp.Choice("batch_size", [8, 16]), callbacks=[WriteDown(args[0]), *callbacks], **kwargs
        )


class LongWay(Looked):
    """The baseline takes a while to begin, so that others wait for it after their first epoch."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        if not hp.Float("speed", 0.0, 1.0, default=0.0):
            time.sleep(8)
        return super().fit(hp, model, *args, **kwargs)


class Trivial(keras_tuner.HyperModel):
    """Trains in no time."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.input_shape, self.num_classes = input_shape, num_classes

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential(
            [keras.Input(self.input_shape), keras.layers.Flatten(), keras.layers.Dense(self.num_classes, "softmax")]
        )
        rate = hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2)
        model.compile(
            keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=1024, **kwargs)


class Deadly(Trivial):
    """Kills its process wherever it is not the baseline."""

    def build(self, hp: Any) -> keras.Model:
        if hp.Float("poison", 0.0, 1.0, default=0.0) > 0.5:
            os.abort()
        return super().build(hp)


class Huge(Trivial):
    """Asks for more memory than there is, wherever it is not the baseline."""

    def build(self, hp: Any) -> keras.Model:
        units = 10 if hp.Float("size", 0.0, 1.0, default=0.0) < 0.3 else 200_000_000
        keras.ops.ones((units, 64))
        return super().build(hp)


class Paced(Trivial):
    """Takes half a second an epoch."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        wait = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: time.sleep(0.5))
        return super().fit(hp, model, *args, callbacks=[WriteDown(args[0]), wait, *callbacks], **kwargs)
