"""Search spaces that record each epoch: when it began and ended, and its validation accuracy."""

import math
import os
import time
from typing import Any

import keras
from overhead import EPOCHS_FILE

from search_spaces.cnn import CNNHyperModel
from search_spaces.dense import DenseHyperModel


class Recorder(keras.callbacks.Callback):
    """Appends a line per epoch: begin and end in seconds since 1970, and the validation accuracy, which is nan for an
    epoch that was not finished."""

    _began: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.write((logs or {}).get("val_accuracy", math.nan))

    def write(self, value: float = math.nan) -> None:
        """Record the epoch that has begun, if any."""
        if self._began is not None:
            with open(os.environ[EPOCHS_FILE], "a") as file:
                file.write(f"{self._began} {time.time()} {value}\n")
        self._began = None


class Timed:
    """A space that records its epochs."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        recorder = Recorder()
        try:
            return super().fit(hp, model, *args, callbacks=[recorder, *callbacks], **kwargs)
        finally:
            recorder.write()


class Dense(Timed, DenseHyperModel):
    """The `dense` space."""


class CNN(Timed, CNNHyperModel):
    """The `cnn` space."""
