"""All that the study uses of Keras beyond its documented interface. No other file does.

| Name | Used for | If it changes |
| --- | --- | --- |
| `Adam._momentums`, `Adam._velocities`, `SGD.momentums` | the fused steps of these | every fit with them fails |
| `Optimizer._get_variable_index` | finding the moments that belong to a variable | every fused step fails |
| `Optimizer.update_step`, replaced in an instance | fused steps | silently slow, or different numbers |
| `BatchNormalization.call`, replaced in an instance | fused batch normalisation | silently slow, or different numbers |
| `Conv2D.call`, replaced in an instance | gradients of biases in bfloat16 | silently inexact, or different numbers |
| `Layer.call`, replaced in an instance for a moment | seeing what reaches the first weights | no advice on pixels |
| `Model.train_function`, assigned | many steps per call into TensorFlow | silently slow, or skipped batches |
| `Model.steps_per_execution`, assigned | the same: how many batches Keras counts per call | wrong number of steps |
| `Model.make_train_function` | recognising models that bring their own | their function would be replaced |
| `Model.distribute_strategy` | recognising models that are trained on several devices | every fit fails |
| `Model._eval_epoch_iterator`, `.stop_evaluating` | telling Keras's own state from the user's | no checkpoints |
| `tf.Variable._unique_id` | recognising variables from before a `build` | shared layers are not recognised |
| `global_seed_generator` | saving the state of Keras's global random generator | no checkpoint can be written |

`tests/study/training/test_keras_private.py` checks the meaning of each.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Literal

import keras
import tensorflow as tf

from study.training.epochs import Logs


def adam_moments(optimizer: keras.optimizers.Adam, variable: keras.Variable) -> tuple[tf.Variable, tf.Variable]:
    """Adam's running means of a variable's gradient and of its square, of the variable's shape."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index].value, optimizer._velocities[index].value


def momentum(optimizer: keras.optimizers.SGD, variable: keras.Variable) -> tf.Variable:
    """The momentum of a variable, of its shape."""
    return optimizer.momentums[optimizer._get_variable_index(variable)].value


def replace_method(owner: Any, name: Literal["call", "update_step"], function: Callable[..., Any]) -> None:
    """Let a layer's `call` or an optimizer's `update_step` be a function of ours, which gets the layer or optimizer as
    its first argument. Without a subclass of ours, a saved model consists of Keras's own classes."""
    setattr(owner, name, partial(function, owner))


@contextmanager
def method_replaced(owner: Any, name: Literal["call"], function: Callable[..., Any]) -> Iterator[None]:
    """The same for a while."""
    before = vars(owner).get(name)
    replace_method(owner, name, function)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not None:
            setattr(owner, name, before)


def can_take_train_function(model: keras.Model) -> bool:
    """Whether a training function of ours would do what the model's own does: the model is trained on one device, and
    does not bring a training function of its own."""
    own = type(model).make_train_function is not keras.Model.make_train_function
    return not own and model.distribute_strategy is tf.distribute.get_strategy()


class TrainFunction(keras.callbacks.Callback):
    """A training function of ours in a model, for the one fit that gets this callback. It is called with Keras's
    iterator, which it may ignore, for every `steps` batches or what is left of an epoch, and returns the logs."""

    def __init__(self, model: keras.Model, function: Callable[[Any], Logs], steps: int) -> None:
        super().__init__()
        self._own_steps = model.steps_per_execution
        model.steps_per_execution, model.train_function = steps, function

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Keras has made its iterator over the batches; validation makes another, which takes the model's own steps.
        self.model.steps_per_execution = self._own_steps

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model.train_function = None


@cache
def attributes_of_keras() -> frozenset[str]:
    """The names of attributes that Keras itself sets in layers and models, and changes while they train."""
    return frozenset({*vars(keras.Model()), "_eval_epoch_iterator", "history", "stop_evaluating", "stop_training"})


def creation_number(variable: tf.Variable) -> int:
    """A number that is larger for every variable that is made later in this process."""
    number = str(getattr(variable, "_unique_id", "")).rpartition("_")[2]
    return int(number) if number.isdigit() else sys.maxsize  # as if it were made just now


def global_random_state() -> keras.Variable:
    """The state (2,) of the generator that Keras draws from wherever no seed is given; it belongs to no model."""
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator().state
