"""One configuration: build it and train it. `HyperModel.fit(hp, model, x, y, ...)` gets arrays, as KerasTuner gives it.
When it hands them on to `model.fit`, as almost every HyperModel does, the pipeline feeds the same images from memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from study.errors import StudyError
from study.objective import Objective
from study.system.keras_settings import settings_kept
from study.system.signals import contained
from study.system.time_limit import TimeLimit
from study.training.best_weights import BestWeights, Keep
from study.training.checkpoints import CheckpointFile
from study.training.epoch_callback import EpochCallback
from study.training.epochs import EpochLog, OnEpoch, take_result
from study.training.examples import Examples
from study.training.inherited import independent
from study.training.keras_private import creation_number
from study.training.model_state import Callbacks, OtherModel, parameters
from study.training.parts import parts
from study.training.pipeline import feed
from study.training.scores import scores


@dataclass(frozen=True)
class Training:
    """What is trained, and how: all that the resulting model follows from."""

    hypermodel: Any
    hp: Any
    """KerasTuner's; the same object is given to the HyperModel's `build` and to its `fit`, which may declare more."""
    examples: Examples
    epochs: int
    """How many epochs `HyperModel.fit` is asked for."""
    seed: int
    """Initial weights, order of images, dropout and augmentation follow from it."""
    objective: Objective = Objective()
    """What a number that `HyperModel.fit` returns stands for, and what its epochs are judged by."""
    stop_after: int | None = None
    """End the fit after that many logged epochs, over all of its stages, although it was asked for `epochs`. Schedules
    of the learning rate follow these epochs (`budget`)."""
    descents: tuple[int, ...] = ()
    """Logged epochs by which such schedules have come down, to begin again."""


@dataclass(frozen=True)
class Hooks:
    """What is called while a configuration is trained. Whatever they raise ends the fit."""

    on_built: Callable[[keras.Model], None] = lambda model: None
    """Called before the training with the model that `build` returned; it may be built by its `fit` only."""
    on_epoch: OnEpoch = lambda epoch, logs: None
    """Called after each epoch with its number, from 1, and its logs; a fit that continues from a checkpoint begins by
    calling it again for the checkpoint's epoch."""
    on_best: Keep | None = None
    """Keeps the weights of the model it is called with: of the epoch that is the best so far, judged by the log that
    scores it."""
    callbacks: Callable[[], Callbacks] = list
    """Makes further callbacks of Keras, which come before the study's own."""
    limit: TimeLimit = field(default_factory=TimeLimit)
    """How long `build` and `fit` may take."""


def fit(
    training: Training, log: EpochLog, hooks: Hooks = Hooks(), checkpoint: CheckpointFile | None = None
) -> keras.Model:
    """Build a configuration, train it and return the model.

    The log is filled in epoch by epoch, so that it can be read when the fit ends by an exception. Each epoch is saved
    in the checkpoint, if there is one, from which the fit continues.

    Raises:
        Dependent: `build` returned a model that was made before, in whole or in part, and `fit` changed that part.
        Diverged: the loss is not a finite number.
        Ended: the user's code wanted to end the process.
        Overdue: it took longer than it may.
        StudyError: `build` returned no model, or `fit` neither used its callbacks nor returned a result.
    """
    try:
        with settings_kept(), contained():
            return _attempt(training, log, hooks, checkpoint)
    except OtherModel as error:
        assert checkpoint is not None
        checkpoint.refuse(str(error))
        checkpoint.remove()
        with settings_kept(), contained():
            return _attempt(training, log, hooks, checkpoint)
    finally:
        if checkpoint is not None:
            checkpoint.wait()


def _attempt(training: Training, log: EpochLog, hooks: Hooks, checkpoint: CheckpointFile | None) -> keras.Model:
    best = BestWeights(hooks.on_best, log, training.objective) if hooks.on_best is not None else None
    last = EpochCallback(log, hooks.on_epoch, checkpoint, training.stop_after, best, hooks.limit, training.descents)
    callbacks = [*scores(training.objective, training.examples.scored), *hooks.callbacks(), last]
    newest = creation_number(tf.Variable(0))
    model = built(training.hypermodel, training.hp, training.seed, hooks.limit)
    hooks.on_built(model)
    found = parts(model)
    steps, weights = _steps(found), [(each, each.value.read_value()) for each in model.trainable_variables]
    with independent(model, found, newest, training.seed):
        arguments, options = training.examples.arguments(model, training.epochs)
        feed(model, training.examples, training.seed, last)
        with hooks.limit:
            result = training.hypermodel.fit(training.hp, model, *arguments, callbacks=callbacks, **options)
    take_result(log, result, training.epochs, training.objective)
    if best is not None:
        best.after_fit()
    log.parameters = parameters(model)
    log.trained = _steps(parts(model)) > steps or any(
        not np.array_equal(each.numpy(), value) for each, value in weights
    )
    return model


def built(hypermodel: Any, hp: Any, seed: int, limit: TimeLimit | None = None) -> keras.Model:
    """A configuration's model, in a new session of Keras.

    Raises:
        Overdue: it took longer than it may.
        StudyError: `build` returned something else.
    """
    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(policy)  # clearing the session resets it
    limit = limit or TimeLimit()
    limit.phase = "in build"
    with limit:
        hypermodel.declare_hyperparameters(hp)
        model = hypermodel.build(hp)
    limit.phase = "in epoch 1"
    if not isinstance(model, keras.Model):
        raise StudyError(f"build(hp) must return a keras.Model; it returned {type(model).__name__}")
    return model


def _steps(found: list[Any]) -> int:
    """Steps that the optimizers among a model's parts have taken."""
    return sum(int(each.iterations) for each in found if isinstance(each, keras.optimizers.Optimizer))
