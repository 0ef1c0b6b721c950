"""What happens at the end of each epoch."""

import copy
import time
from typing import Any

import keras

from study.training import model_state
from study.training.checkpoints import Checkpoint, CheckpointFile
from study.training.epochs import EpochLog, Logs, OnEarlyCheck, OnEpoch, refuse_diverged, scalars


class EpochCallback(keras.callbacks.Callback):
    """Logs each epoch, refuses one that diverged, saves a checkpoint, then calls `on_epoch`, which may end the fit by
    raising. It is the last of the callbacks, so that it sees the logs as the others left them.

    The arguments are those of `fit.fit` and the hooks of the same names; the pipeline reads `on_early_check`.
    """

    def __init__(
        self, log: EpochLog, on_epoch: OnEpoch, on_early_check: OnEarlyCheck | None, file: CheckpointFile | None
    ) -> None:
        super().__init__()
        self._log, self._on_epoch, self.on_early_check, self._file = log, on_epoch, on_early_check, file
        self._checkpoint = file.read() if file is not None else None
        self._others: model_state.Callbacks = []
        self._began, self._fits = time.monotonic(), 0
        self._resumable = False

    def first_epoch(self, others: model_state.Callbacks, epochs: int) -> int | None:
        """Called before a `fit`: the epoch, from 0, at which it continues; None where it starts again.

        Only a trial's first `fit` is saved and continued: what a HyperModel does between two of them cannot be
        repeated. A trial that trains in stages starts again, and so does one whose callbacks cannot be saved.
        """
        self._others = [each for each in others if not getattr(each, "forgets", False)]
        self._fits += 1
        self._resumable = self._fits == 1 and model_state.resumable(self._others)
        if not self._resumable and self._file is not None:
            self._file.remove()
        if not self._resumable or self._checkpoint is None:
            return None
        state = self._checkpoint.state
        return epochs if state["stopped"] else int(state["epoch"]) + 1

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        checkpoint, self._checkpoint = self._checkpoint, None
        if not self._resumable or checkpoint is None:
            return
        log, state = self._log, checkpoint.state
        model_state.restore_variables(self.model, checkpoint.variables)
        model_state.restore_callbacks(self._others, state["callbacks"])
        self.model.stop_training = state["stopped"]
        log.history, log.epochs, log.seconds = state["history"], state["epochs"], state["seconds"]
        log.saved, log.parameters = log.epochs, self.model.count_params()
        # The process may have been killed between saving this epoch and reporting it.
        self._on_epoch(log.epochs, state["scalars"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = scalars(logs)
        self._log.add(values)
        self._log.parameters = self.model.count_params()
        refuse_diverged(values, f"after epoch {self._log.epochs}")
        if self._file is not None and self._resumable and epoch + 1 < self.params["epochs"]:
            self._save(self._file, epoch, values)
        # The log's count, not Keras's, which starts from 0 again in the second stage of a fit.
        self._on_epoch(self._log.epochs, values)

    def _save(self, file: CheckpointFile, epoch: int, values: Logs) -> None:
        log = self._log
        state = {
            "epoch": epoch,
            "stopped": bool(self.model.stop_training),
            "scalars": values,
            "history": {name: list(values) for name, values in log.history.items()},
            "epochs": log.epochs,
            "seconds": log.seconds + time.monotonic() - self._began,
            "callbacks": copy.deepcopy(model_state.copy_callbacks(self._others)),
        }
        file.write(Checkpoint(model_state.copy_variables(self.model), state))
        log.saved = log.epochs
