"""How the images reach the model: from bytes in memory, in an order that follows from (seed, epoch), gathered and
scaled by TensorFlow, many steps per call. The arithmetic is that of plain `fit` with the same batches, to rounding, but
Keras's iterator over a tf.data pipeline costs as much per batch as a step of a small dense model."""

import inspect
import random
from collections.abc import Mapping
from contextlib import suppress
from numbers import Integral
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from study.images import Images
from study.training.batches import Batches, validation_batches
from study.training.budget import budget
from study.training.epoch_callback import EpochCallback
from study.training.examples import Examples
from study.training.fused import fuse
from study.training.keras_private import TrainFunction, can_take_train_function
from study.training.model_state import Callbacks

PLAIN = ("sample_weight", "validation_split", "steps_per_epoch")
"""Arguments of `fit` with which Keras feeds the model itself."""
STEPS_PER_EXECUTION = 64
"""Batches per call into TensorFlow. More gain nothing, and a signal has to wait for the end of a call."""


def feed(model: keras.Model, examples: Examples, seed: int, last: EpochCallback) -> None:
    """Let `model.fit` recognise the scaled images of `examples` and read them from memory.

    A call with anything else (other arrays, weights, a generator) goes to Keras as it is.

    Args:
        model: Compiled.
        examples: What it is trained and validated on.
        seed: The order of the images, and Python's and NumPy's random numbers, follow from it and the epoch.
        last: Comes after all other callbacks and says with which epoch to begin, where `fit` is given it.
    """
    plain_fit = model.fit

    def fit(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("verbose", 0)
        given = inspect.signature(plain_fit).bind(*args, **kwargs).arguments
        if examples.train is None or not _can_feed(examples.train, given):
            return plain_fit(*args, **_last_at_the_end(model, kwargs, given.get("initial_epoch", 0), last))
        order_seed = seed if given.pop("shuffle", True) else None
        y, size = given.pop("y"), int(given.pop("batch_size", None) or 32)
        batches = Batches(examples.train, y, size, order_seed, _weights(y, given.pop("class_weight", None)))
        others, ours = _apart(given.pop("callbacks", None), last)
        if not any(isinstance(each, keras.callbacks.History) for each in others):
            others.append(keras.callbacks.History())  # Keras would add its own after the last
        telling = budget(model, given.get("initial_epoch", 0), last.annealed_after() if ours else [])
        if ours and (first := last.first_epoch(others, given.get("epochs", 1), is_fed=True)) is not None:
            given["initial_epoch"] = first
        validation, held_out = examples.validation, given.get("validation_data")
        if validation is not None and isinstance(held_out, tuple) and held_out[0] is validation.scaled:
            given["validation_data"] = validation_batches(validation, *held_out[1:])
            given.pop("validation_batch_size", None)
        given["x"], feeding = _training_input(model, batches, others)
        callbacks = [*feeding, _epoch_seeds(batches, seed), *others, *telling, *ours]
        return plain_fit(**given, callbacks=callbacks, shuffle=False)

    model.fit = fit


def _apart(callbacks: Any, last: EpochCallback) -> tuple[Callbacks, Callbacks]:
    """The callbacks that `fit` was given but for the last one, and that one alone if it was given it."""
    found = keras.tree.flatten(callbacks or [])
    others = [each for each in found if each is not last]
    return others, [last] if len(others) < len(found) else []


def _last_at_the_end(
    model: keras.Model, given: dict[str, Any], initial_epoch: int, last: EpochCallback
) -> dict[str, Any]:
    """The named arguments of a `fit` that Keras feeds itself, with `last` after the other callbacks."""
    others, ours = _apart(given.get("callbacks"), last)
    telling = budget(model, initial_epoch, last.annealed_after() if ours else [])
    if not ours:
        return {**given, "callbacks": [*others, *telling]} if telling else given
    first = last.first_epoch(others, given.get("epochs", 1), is_fed=False)
    begin = {} if first is None else {"initial_epoch": first}
    return {**given, "callbacks": [*others, *telling, *ours], **begin}


def _can_feed(train: Images, given: dict[str, Any]) -> bool:
    """Whether `fit` was given these images, with a target for each and nothing that only Keras can feed."""
    y: Any = given.get("y")
    known = given.get("x") is train.scaled and isinstance(y, np.ndarray) and len(y) == len(train)
    size = given.get("batch_size") or 32
    weighted = given.get("class_weight")
    wrong = not isinstance(size, Integral) or size < 1
    wrong |= weighted is not None and not (known and isinstance(weighted, dict) and np.ndim(y) < 3)
    if wrong:
        return False  # Keras says what
    return known and all(given.get(option) is None for option in PLAIN)


def _weights(y: NDArray[Any], class_weight: Mapping[int, float] | None) -> NDArray[np.float32] | None:
    """The weight of each image (n,) as Keras takes it from those of classes: 1 where a class has none."""
    if class_weight is None:
        return None
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))
    return np.array([class_weight.get(int(label), 1.0) for label in labels], np.float32)


def _epoch_seeds(batches: Batches, seed: int) -> keras.callbacks.Callback:
    """Shuffles the images of each epoch, and seeds Python's and NumPy's random numbers with (seed, epoch), so that
    their states need not be saved."""

    def begin(epoch: int, logs: Any) -> None:
        batches.begin(epoch)
        random.seed(f"{seed} {epoch}")
        np.random.seed([seed, epoch])

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def _training_input(model: keras.Model, batches: Batches, others: Callbacks) -> tuple[tf.data.Dataset, Callbacks]:
    """What Keras iterates over, and the callback that trains on the batches without asking Keras's iterator for them,
    if the model can be trained so."""
    created = _create_variables(model, batches)
    fuse(model)
    if not can_take_train_function(model):
        return batches.dataset(), []
    # Where Keras has no variables left to create it only counts what it iterates over.
    counted = tf.data.Dataset.range(batches.count) if created else batches.dataset()
    return counted, [ManySteps(model, batches, others)]


def _create_variables(model: keras.Model, batches: Batches) -> bool:
    """Create the variables of optimizer and metrics, and return whether that was possible. TensorFlow traces a step
    twice if variables are created in its first call."""
    x, y, *_ = batches[0]
    shape = _output_shape(model, x)
    if not model.built or model.optimizer is None:
        return False
    model.optimizer.build(model.trainable_variables)
    plain = type(model).compute_metrics is keras.Model.compute_metrics
    if not plain or not isinstance(shape, tuple) or None in shape[1:]:
        return False
    model.compute_metrics(x[:1], y[:1], tf.zeros((1, *shape[1:])))
    model.reset_metrics()
    return True


def _output_shape(model: keras.Model, x: tf.Tensor) -> Any:
    """The shape of a model's output, if it has a single one; a model that is not built yet is built for that."""
    if not model.built:
        with suppress(Exception):  # whatever a user's model raises, it raises again in its first step
            return model(keras.KerasTensor((None, *x.shape[1:]), x.dtype)).shape
    return getattr(model, "output_shape", None)


class ManySteps(TrainFunction):
    """Trains a model by a function that takes many steps per call, until the fit ends. It is the first of the callbacks
    and made before the fit. If one of the `others` acts on batches, a call takes a single step.
    """

    def __init__(self, model: keras.Model, batches: Batches, others: Callbacks) -> None:
        steps = 1 if any(map(_acts_on_batches, others)) else STEPS_PER_EXECUTION
        self._next = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._train = _train_function(model, batches, steps, self._next)
        super().__init__(model, lambda _: self._train(), steps)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._next.assign(0)


def _train_function(model: keras.Model, batches: Batches, steps: int, first: tf.Variable) -> Any:
    """A function that trains on `steps` batches from number `first` on, and moves `first` on by as many; it returns the
    logs of the last of these steps. It is one of TensorFlow's, but for a model that runs eagerly."""

    def traced(function: Any, **options: Any) -> Any:
        return function if model.run_eagerly else tf.function(function, autograph=False, **options)

    train_step = traced(model.train_step, jit_compile=model.jit_compile or None)

    def one_more(step: Any, _: Any) -> tuple[Any, Any]:
        return step + 1, train_step(batches[step])

    def train() -> Any:
        begin = first.read_value()
        end = tf.minimum(begin + steps, batches.count)
        first.assign(end)
        return tf.while_loop(lambda step, _: step < end, one_more, one_more(begin, None))[1]

    return traced(train)


def _acts_on_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback overrides a hook that is called for each batch. A LambdaCallback's hooks are attributes."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    own = [getattr(getattr(callback, hook, None), "__func__", None) for hook in hooks]
    return own != [getattr(keras.callbacks.Callback, hook) for hook in hooks]
