"""How many steps a fit takes, for the schedules of the learning rate that have to know it: those with a method
`set_budget(first, steps)`."""

from collections.abc import Iterator
from typing import Any

import keras

from study.training.model_state import Callbacks
from study.training.parts import parts


def budget(model: keras.Model, initial_epoch: int, most: float) -> Callbacks:
    """The callback that tells a model's schedules their budget, if it has such schedules.

    Args:
        model: Compiled.
        initial_epoch: The epoch, from 0, at which its fit would begin if nothing had interrupted it.
        most: Epochs after which the fit is ended from outside.
    """
    return [_Budget(initial_epoch, most)] if any(_schedules(model)) else []


class _Budget(keras.callbacks.Callback):
    """When a fit begins, the optimizer has counted `first` steps; the fit takes `steps` more. It comes before the
    callback that restores a checkpoint, and so counts all steps of an interrupted fit."""

    forgets = True  # nothing of it is saved

    def __init__(self, initial_epoch: int, most: float) -> None:
        super().__init__()
        self._initial_epoch, self._most = initial_epoch, most

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        epochs = min(self.params["epochs"] - self._initial_epoch, self._most)
        if not self.params["steps"]:  # Keras does not know how long the data are
            return
        for optimizer, schedule in _schedules(self.model):
            first = int(optimizer.iterations) * (optimizer.gradient_accumulation_steps or 1)
            schedule.set_budget(first, int(self.params["steps"] * epochs))


def _schedules(model: keras.Model) -> Iterator[tuple[keras.optimizers.Optimizer, Any]]:
    """Each optimizer of a model with its schedule that has to be told."""
    for optimizer in parts(model):
        if isinstance(optimizer, keras.optimizers.Optimizer):
            for each in vars(optimizer).values():
                if isinstance(each, keras.optimizers.schedules.LearningRateSchedule) and hasattr(each, "set_budget"):
                    yield optimizer, each
