"""Logs of a search for TensorBoard: the epochs of each trial, named as Keras's own callback names them, and the trial's
hyperparameters. That callback acts on every batch, which would make each batch a call into TensorFlow of its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from study.records import Value


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the logs of each epoch into two runs below a trial's folder, `train` and `validation`, each with `values`,
    the trial's hyperparameters, which are complete once the fit begins.

    `attempt` does what may fail, and returns why it did; after that nothing more is logged.
    """

    forgets = True
    """A checkpoint need not hold anything of it: a trial may continue without it, or with another folder."""

    def __init__(self, folder: Path, values: Mapping[str, Value], attempt: Callable[[Callable[[], None]], str]) -> None:
        super().__init__()
        self._folder, self._values, self._attempt = folder, values, attempt
        self._writers: dict[str, Any] = {}
        self._failed = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._failed:
            self._failed = bool(self._attempt(lambda: self._write(epoch, logs or {})))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        while self._writers:
            self._attempt(self._writers.popitem()[1].close)

    def _write(self, epoch: int, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            with self._writer(part).as_default():
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value, step=epoch)
        for writer in self._writers.values():
            writer.flush()  # a trial may be killed at any time

    def _writer(self, part: str) -> Any:
        """The writer of a part; the hyperparameters come first."""
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(f"{self._folder}/{part}")
            with self._writers[part].as_default():
                hparams.hparams(dict(self._values))
        return self._writers[part]
