"""What the spaces share: fitting, and the schedule of the learning rate."""

import math
from typing import Any

import keras

SCHEDULES = ("constant", "cosine")


def fit(hp: Any, model: Any, schedule: str, batch_sizes: list[int], *args: Any, **kwargs: Any) -> Any:
    """`model.fit` with a tuned batch size (default 128) and a schedule of the learning rate.

    The other arguments are those of `model.fit`. The batch size is declared here, where it is used, as KerasTuner
    advises.

    Args:
        hp: The hyperparameters.
        model: Compiled.
        schedule: One of `SCHEDULES`.
        batch_sizes: The choices.
    """
    callbacks = list(kwargs.pop("callbacks", None) or [])
    if schedule == "cosine":
        callbacks.insert(0, cosine(float(model.optimizer.learning_rate), kwargs.get("epochs", 1)))
    batch_size = hp.Choice("batch_size", batch_sizes, default=128)
    return model.fit(*args, batch_size=batch_size, callbacks=callbacks, **kwargs)


def cosine(peak: float, epochs: int) -> keras.callbacks.Callback:
    """The learning rate of each epoch: half a cosine from `peak` towards 0 over `epochs` (Loshchilov and Hutter
    2017, equation 5, without restarts). It depends on the epoch alone, so a resumed fit continues unchanged."""

    def rate(epoch: int, _: float) -> float:
        return peak * (1 + math.cos(math.pi * epoch / epochs)) / 2

    return keras.callbacks.LearningRateScheduler(rate)
