"""Learning rates that follow the whole of a training: they act at every step and end at 0 with the last one.

Such a schedule has to know how many steps the training takes, its budget. A study tells it before each `model.fit`;
elsewhere the callback `Budget` does, or the argument `steps`.
"""

import math
from abc import abstractmethod
from typing import Any

import keras
from keras import ops

SCHEDULES = ("constant", "cosine", "one_cycle")


class Annealed(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is a function of how much of the training is done; 0 after its end.

    Args:
        peak: The highest rate.
        steps: Batches of the training, if they are fixed; None waits for `set_budget`.
    """

    def __init__(self, peak: float, steps: int | None = None) -> None:
        self.peak, self.steps = peak, steps
        # Variables, because Keras does not trace the training step again for a second `fit`.
        self._first = keras.Variable(0.0, trainable=False, dtype="float32", name="first_step")
        self._steps = keras.Variable(float(steps or 0), trainable=False, dtype="float32", name="steps")
        self._is_known = steps is not None

    def set_budget(self, first: int, steps: int) -> None:
        """The training that begins takes `steps` batches, and the optimizer has counted `first` before it. Called
        before each `model.fit`; without effect where the number of steps is fixed."""
        if self.steps is None and steps > 0:
            self._first.assign(first)
            self._steps.assign(steps)
            self._is_known = True

    def __call__(self, step: Any) -> Any:
        """The rate of a step, from 0, as the optimizer counts them; float32.

        Raises:
            ValueError: nobody has said how many steps the training takes.
        """
        if not self._is_known:
            raise ValueError(
                f"{type(self).__name__} does not know how many steps the training takes: give it steps=, or give "
                "model.fit the callback search_spaces.Budget() and data of a known length"
            )
        done = (ops.cast(step, "float32") - self._first + 0.5) / self._steps  # in the middle of the step
        return self.peak * self.share(ops.clip(done, 0.0, 1.0))

    @abstractmethod
    def share(self, done: Any) -> Any:
        """The share of the peak when this share of the training is done; both 0 to 1."""

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor. A budget that was set belongs to a training and is not among them."""
        return {"peak": self.peak, "steps": self.steps}


@keras.saving.register_keras_serializable("search_spaces")
class Cosine(Annealed):
    """Half a cosine from the peak to 0 (Loshchilov and Hutter 2017, equation 5, without restarts)."""

    def share(self, done: Any) -> Any:
        return (1 + ops.cos(math.pi * done)) / 2


@keras.saving.register_keras_serializable("search_spaces")
class OneCycle(Annealed):
    """Linearly up to the peak, then linearly down to 0 (Smith and Topin 2018, ending at 0).

    Args:
        peak: The highest rate.
        warmup_ratio: The share of the training before the peak, above 0 and below 1.
        steps: As for `Annealed`.
    """

    def __init__(self, peak: float, warmup_ratio: float = 0.25, steps: int | None = None) -> None:
        super().__init__(peak, steps)
        if not 0 < warmup_ratio < 1:
            raise ValueError(f"warmup_ratio lies between 0 and 1; it was given {warmup_ratio}")
        self.warmup_ratio = warmup_ratio

    def share(self, done: Any) -> Any:
        return ops.minimum(done / self.warmup_ratio, (1 - done) / (1 - self.warmup_ratio))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "warmup_ratio": self.warmup_ratio}


class Budget(keras.callbacks.Callback):
    """Tells the schedule of a model how many steps its fit takes, once, when the fit begins. A study needs no such
    callback.

    Args:
        initial_epoch: That of the fit.
    """

    forgets = True  # its state need not be saved

    def __init__(self, initial_epoch: int = 0) -> None:
        super().__init__()
        self.initial_epoch = initial_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        schedule, optimizer = schedule_of(self.model), _optimizer(self.model)
        if schedule is not None and self.params["steps"]:
            first = int(optimizer.iterations) * (optimizer.gradient_accumulation_steps or 1)
            schedule.set_budget(first, self.params["steps"] * (self.params["epochs"] - self.initial_epoch))


def schedule_of(model: keras.Model) -> Annealed | None:
    """The schedule of a compiled model that has to be told its budget; None if it has none."""
    # `optimizer.learning_rate` is the rate of the current step.
    return next((each for each in vars(_optimizer(model)).values() if isinstance(each, Annealed)), None)


def _optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)  # where the loss is scaled


def scheduled(hp: Any, rate: float) -> float | Annealed:
    """The learning rate with a tuned schedule, constant by default; with one cycle its warm-up is tuned, too."""
    schedule = hp.Choice("schedule", list(SCHEDULES))
    with hp.conditional_scope("schedule", ["one_cycle"]):
        warmup_ratio = hp.Float("warmup_ratio", 0.1, 0.4, step=0.05, default=0.25)
    if schedule == "cosine":
        return Cosine(rate)
    return rate if schedule == "constant" else OneCycle(rate, warmup_ratio)
