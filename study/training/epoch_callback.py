"""What happens at the end of each epoch."""

import copy
import math
import time
from collections.abc import Sequence
from typing import Any

import keras

from study.system.time_limit import TimeLimit
from study.training import model_state
from study.training.best_weights import BestWeights
from study.training.checkpoints import Checkpoint, CheckpointFile
from study.training.epochs import EpochLog, Logs, OnEpoch, refuse_diverged, scalars
from study.training.hidden_state import HiddenState

_said: set[str] = set()
"""Why checkpoints were not kept, as far as this process has said so: it is the same for every trial of a space."""


class EpochCallback(keras.callbacks.Callback):
    """Logs each epoch, refuses one that diverged, has the best weights kept, saves a checkpoint, then calls `on_epoch`,
    which may end the fit by raising. It is the last of the callbacks, so that it sees the logs, and the model, as the
    others left them.

    The arguments are those of `fit.fit`, of its hooks and of `Training`.
    """

    def __init__(
        self,
        log: EpochLog,
        on_epoch: OnEpoch,
        file: CheckpointFile | None,
        stop_after: int | None = None,
        best: BestWeights | None = None,
        limit: TimeLimit | None = None,
        descents: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self._log, self._on_epoch, self._file = log, on_epoch, file
        self._stop_after, self._best, self._limit = stop_after, best, limit or TimeLimit()
        self._descents = descents
        self._checkpoint = file.read() if file is not None else None
        self._others: model_state.Callbacks = []
        self._hidden: HiddenState | None = None
        self._began, self._fits, self._stage = time.monotonic(), 0, 1
        self._resumable = False

    def first_epoch(self, others: model_state.Callbacks, epochs: int, is_fed: bool) -> int | None:
        """Called before each `fit` that has this callback: the epoch, from 0, at which it begins; None where it begins
        as it was asked to.

        Only a trial's first `fit` is saved and continued, and only if the pipeline feeds it: what a HyperModel does
        between two of them cannot be repeated, nor can the order of data that Keras shuffles. Otherwise the trial
        starts again, and so does one whose callbacks cannot be saved.
        """
        self._others = [each for each in others if not getattr(each, "forgets", False)]
        self._fits, self._stage = self._fits + 1, self._log.epochs + 1
        self._resumable = is_fed and self._fits == 1
        if not self._resumable and self._file is not None:
            self._file.remove()
        if self._resumable and (what := model_state.unsaved(self._others)) is not None:
            self._give_up(what)
        if self._is_over():
            return epochs
        if not self._resumable or self._checkpoint is None:
            return None
        state = self._checkpoint.state
        return epochs if state["stopped"] else int(state["epoch"]) + 1

    def annealed_after(self) -> list[float]:
        """Epochs of the fit that begins after which schedules have come down: those at which trials are compared, and
        those after which it is ended."""
        left = math.inf if self._stop_after is None else self._stop_after - self._log.epochs
        return [*(each - self._log.epochs for each in self._descents if 0 < each - self._log.epochs < left), left]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        with self._limit.held():
            self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        with self._limit.held():
            self._end_epoch(epoch, scalars(logs))

    def _begin(self) -> None:
        """Put back what the checkpoint holds, where there is one."""
        checkpoint, self._checkpoint = self._checkpoint, None
        if not self._resumable or self._file is None:
            return
        self._hidden = HiddenState(self.model, self._others)
        if checkpoint is None:
            return
        log, state = self._log, checkpoint.state
        model_state.restore_variables(self.model, checkpoint.variables, self._hidden.variables)
        model_state.restore_callbacks(self._others, state["callbacks"])
        self.model.stop_training = state["stopped"]
        log.history, log.epochs, log.seconds = state["history"], state["epochs"], state["seconds"]
        log.saved, log.parameters = log.epochs, model_state.parameters(self.model)
        self._limit.spent_earlier(log.seconds)
        self._limit.phase = f"in epoch {log.epochs + 1}"
        # The process may have been killed between saving this epoch and reporting it.
        self._on_epoch(log.epochs, state["scalars"])

    def _end_epoch(self, epoch: int, values: Logs) -> None:
        self._log.add(values)
        is_last = epoch + 1 >= (self.params or {}).get("epochs", math.inf)  # a loop of the user's own may not say it
        self._limit.phase = f"after epoch {self._log.epochs}" if is_last else f"in epoch {self._log.epochs + 1}"
        self._log.parameters = model_state.parameters(self.model)
        refuse_diverged(values, f"after epoch {self._log.epochs}")
        if self._best is not None:
            self._best.after_epoch(self.model, self._stage)
        if self._is_over():
            self.model.stop_training = True
        elif self._file is not None and self._resumable and not is_last:
            self._save(self._file, epoch, values)
        # The log's count, not Keras's, which starts from 0 again in the second stage of a fit.
        self._on_epoch(self._log.epochs, values)

    def _is_over(self) -> bool:
        return self._stop_after is not None and self._log.epochs >= self._stop_after

    def _save(self, file: CheckpointFile, epoch: int, values: Logs) -> None:
        """Write a checkpoint, if it can hold all that the rest of the training depends on."""
        log, hidden = self._log, self._hidden
        assert hidden is not None  # since the training began
        if (what := hidden.change()) is not None:
            self._give_up(what)
            return
        state = {
            "epoch": epoch,
            "stopped": bool(self.model.stop_training),
            "scalars": values,
            "history": {name: list(values) for name, values in log.history.items()},
            "epochs": log.epochs,
            "seconds": log.seconds + time.monotonic() - self._began,
            "callbacks": copy.deepcopy(model_state.copy_callbacks(self._others)),
        }
        file.write(Checkpoint(model_state.copy_variables(self.model, hidden.variables), state))
        log.saved = log.epochs

    def _give_up(self, what: str) -> None:
        """Keep no checkpoint of this training, and say why, once."""
        self._resumable, self._log.saved = False, 0
        if self._file is None:
            return
        self._file.remove()
        if what not in _said:
            _said.add(what)
            self._file.warn(
                f"no checkpoint is kept: {what}; a kill costs such a training all of its epochs, it starts again and "
                "gives the same result"
            )
