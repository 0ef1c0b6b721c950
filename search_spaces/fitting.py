"""What the spaces share in their training."""

from typing import Any

from search_spaces.schedules import Budget, schedule_of


def fit(hp: Any, model: Any, batch_sizes: list[int], *args: Any, **kwargs: Any) -> Any:
    """`model.fit` with a tuned batch size (default 128), which is declared where it is used, as KerasTuner advises. A
    schedule of the learning rate learns how long the training is.

    The other arguments are those of `model.fit`.

    Args:
        hp: The hyperparameters.
        model: Compiled.
        batch_sizes: The choices.
    """
    callbacks = list(kwargs.pop("callbacks", None) or [])
    if schedule_of(model) is not None:
        callbacks.insert(0, Budget(kwargs.get("initial_epoch", 0)))
    batch_size = hp.Choice("batch_size", batch_sizes, default=128)
    return model.fit(*args, batch_size=batch_size, callbacks=callbacks, **kwargs)
