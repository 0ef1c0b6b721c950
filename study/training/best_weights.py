"""The weights of the epoch that scores a training."""

from collections.abc import Callable
from typing import Any

import keras
from numpy.typing import NDArray

from study.objective import Objective
from study.training.epochs import EpochLog

Keep = Callable[[keras.Model], None]


class BestWeights:
    """Has a model's weights kept after its best epoch, by the logs that score it, or after each epoch that is as long
    as none has logged the objective.

    Which epochs count is known at the end (`EpochLog.first`): if those of the last stage of a `fit` alone do, its best
    epoch need not be the best of all. Its weights are remembered beside those that are kept.
    """

    def __init__(self, keep: Keep, log: EpochLog, objective: Objective) -> None:
        self._keep, self._log, self._objective = keep, log, objective
        self._of_stage: tuple[int, keras.Model, list[NDArray[Any]]] | None = None

    def after_epoch(self, model: keras.Model, stage: int) -> None:
        """Called after each epoch; `stage` is the first epoch, from 1, of the stage of the fit."""
        log, epoch = self._log, self._log.epochs
        best = log.best(self._objective)
        if best is None or best[0] == epoch:
            self._keep(model)
        elif stage > 1 and (of_stage := log.best(self._objective, stage)) is not None and of_stage[0] == epoch:
            self._of_stage = epoch, model, model.get_weights()

    def after_fit(self) -> None:
        """Called when the log is complete."""
        best = self._log.best(self._objective)
        if best is None or self._of_stage is None or self._log.result:
            return
        epoch, model, weights = self._of_stage
        if best[0] == epoch:
            last = model.get_weights()
            model.set_weights(weights)
            self._keep(model)
            model.set_weights(last)
