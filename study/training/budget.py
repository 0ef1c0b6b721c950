"""How many steps a fit takes, for the schedules of the learning rate that have to know it: those with a method
`set_budget(first, steps)`."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from study.training.model_state import Callbacks
from study.training.parts import parts


def budget(model: keras.Model, initial_epoch: int, annealed_after: Sequence[float]) -> Callbacks:
    """The callback that tells a model's schedules their budget, if it has such schedules.

    Args:
        model: Compiled.
        initial_epoch: The epoch, from 0, at which its fit would begin if nothing had interrupted it.
        annealed_after: Epochs of the fit, ascending, after which schedules have come down and begin again, or the fit
            is ended.
    """
    return [_Budget(initial_epoch, annealed_after)] if any(_schedules(model)) else []


class _Budget(keras.callbacks.Callback):
    """Tells each schedule, before the first step that needs it, that the optimizer has counted `first` steps and
    `steps` more follow until the rate has come down. It comes before the callback that restores a checkpoint, and so
    counts all steps of an interrupted fit."""

    forgets = True  # nothing of it is saved

    def __init__(self, initial_epoch: int, annealed_after: Sequence[float]) -> None:
        super().__init__()
        self._initial_epoch, self._annealed_after = initial_epoch, annealed_after
        self._schedules: list[tuple[Any, int]] = []
        self._told: tuple[float, float] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self.params["steps"]:  # Keras does not know how long the data are
            return
        self._told = None
        self._schedules = [
            (schedule, int(optimizer.iterations) * (optimizer.gradient_accumulation_steps or 1))
            for optimizer, schedule in _schedules(self.model)
        ]
        self.on_epoch_begin(self._initial_epoch)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        done, epochs = epoch - self._initial_epoch, self.params["epochs"] - self._initial_epoch
        begun = max((each for each in self._annealed_after if each <= done), default=0)
        ended = min((each for each in self._annealed_after if done < each < epochs), default=epochs)
        if self._told != (begun, ended):
            self._told, steps = (begun, ended), self.params["steps"]
            for schedule, first in self._schedules:
                schedule.set_budget(first + int(steps * begun), int(steps * (ended - begun)))


def _schedules(model: keras.Model) -> Iterator[tuple[keras.optimizers.Optimizer, Any]]:
    """Each optimizer of a model with its schedule that has to be told."""
    for optimizer in parts(model):
        if isinstance(optimizer, keras.optimizers.Optimizer):
            for each in vars(optimizer).values():
                if isinstance(each, keras.optimizers.schedules.LearningRateSchedule) and hasattr(each, "set_budget"):
                    yield optimizer, each
