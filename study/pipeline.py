"""How the images reach the model: from uint8 in memory, in an order that follows from (seed, epoch), gathered and
scaled in the graph, many steps a call into TensorFlow.

`model.fit` stays Keras's own: it is given batches instead of arrays, and a training function that takes many steps
at once. The arithmetic is that of plain `fit` for the same order of batches, to rounding.
"""

import inspect
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from study.datasets import Images
from study.fused import fuse

STEPS_PER_EXECUTION = 64
"""Batches a call into TensorFlow; more gain nothing, and a signal waits for the call to end."""
LOOK_SHARE = 1 / 8
"""Of the first epoch, after which it is looked at."""
LEAST_STEPS = 64
"""Batches of an epoch that is looked into; a shorter one says little before its end, and ends soon."""
EVALUATION_BYTES = 64 * 2**20
"""Of float32 pixels in a batch of validation or test images."""
PLAIN = ("sample_weight", "class_weight", "validation_split", "steps_per_epoch")
"""Arguments of `fit` that leave it to Keras how the model is fed."""

OnLook = Callable[[dict[str, float]], None]
FirstEpoch = Callable[[list[keras.callbacks.Callback], int], int | None]


def feed(
    model: keras.Model,
    train: Images | None,
    validation: Images | None,
    seed: int,
    last: keras.callbacks.Callback,
    first_epoch: FirstEpoch,
    on_look: OnLook | None = None,
) -> None:
    """Let `model.fit` recognise the arrays of `train` and `validation` and read them from memory.

    Anything else that it is called with (other arrays, weights, a generator) goes to Keras as it is.

    Args:
        model: Compiled.
        train: Its `scaled` is what `fit` will be called with; None where it will be called with something else.
        validation: Likewise, in `validation_data`.
        seed: Of the order of images.
        last: The callback that comes after all others, where `fit` is given it.
        first_epoch: Called with the other callbacks and the number of epochs before the fit; the epoch to begin
            with, counted from 0, or None.
        on_look: Called `LOOK_SHARE` into the first epoch with the training metrics so far, where `fit` is given `last`
            and that epoch has at least `LEAST_STEPS` batches; what it raises ends the fit.
    """
    plain_fit = model.fit
    signature = inspect.signature(plain_fit)

    def fit_from_memory(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("verbose", 0)
        given = signature.bind(*args, **kwargs).arguments
        y = given.get("y")
        known = train is not None and given.get("x") is train.scaled and isinstance(y, np.ndarray)
        if (
            train is None
            or not known
            or y is None
            or len(y) != len(train)
            or any(given.get(option) is not None for option in PLAIN)
        ):
            return plain_fit(*args, **kwargs)
        callbacks = list(given.get("callbacks") or [])
        others = [each for each in callbacks if each is not last]
        if not any(isinstance(each, keras.callbacks.History) for each in others):
            others.append(keras.callbacks.History())  # Keras would add its own after the last
        order_seed = seed if given.pop("shuffle", True) else None
        batches = _Batches(_pixels(train), given.pop("y"), given.pop("batch_size", None) or 32, order_seed)
        given["callbacks"] = [_EpochNumber(batches, seed), *others]
        if last in callbacks:
            given["callbacks"].append(last)
            first = first_epoch(others, given.get("epochs", 1))
            if first is not None:
                given["initial_epoch"] = first
        held_out = given.get("validation_data")
        if validation is not None and isinstance(held_out, tuple) and held_out[0] is validation.scaled:
            given["validation_data"] = _validation_batches(validation, *held_out[1:])
            given.pop("validation_batch_size", None)
        created = _create_variables(model, batches)
        fuse(model)
        many = _takes_many_steps(model)
        # Keras makes an iterator, which a training function of ours does not ask: there is nothing to trace for it.
        given["x"] = tf.data.Dataset.range(batches.count) if many and created else batches.dataset()
        if many:
            steps = 1 if any(map(_acts_on_batches, others)) else STEPS_PER_EXECUTION
            look = on_look if last in callbacks and batches.count >= LEAST_STEPS else None
            given["callbacks"].insert(0, _ManySteps(model, batches, steps, look))
        return plain_fit(**given, shuffle=False)

    model.fit = fit_from_memory


class _Batches:
    """The batches of one epoch: every image once, the last batch smaller; in their own order where `seed` is None."""

    def __init__(self, pixels: tf.Tensor, y: NDArray[Any], size: int, seed: int | None) -> None:
        self.size = size
        self.count = math.ceil(len(y) / size)
        self._seed = seed
        self._pixels, self._targets = pixels, tf.constant(y)
        self._order = tf.Variable(tf.range(len(y), dtype=tf.int64), trainable=False)

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch."""
        if self._seed is not None:
            index = tf.range(len(self._targets))
            order = tf.random.experimental.stateless_shuffle(index, seed=[self._seed, epoch])
            self._order.assign(tf.cast(order, tf.int64))

    def __getitem__(self, number: Any) -> tuple[Any, Any]:
        """A batch by its number: pixels float32, 0 to 1 (size, height, width, channels), and targets (size, ...)."""
        index = self._order[number * self.size : (number + 1) * self.size]
        return _scale(tf.gather(self._pixels, index)), tf.gather(self._targets, index)

    def dataset(self) -> tf.data.Dataset:
        """All of them, in the order of the epoch that was begun last."""
        return tf.data.Dataset.range(self.count).map(self.__getitem__).prefetch(2)


class _EpochNumber(keras.callbacks.Callback):
    """Shuffles the images of each epoch, and lets Python's and NumPy's random numbers follow from (seed, epoch) too,
    so that they need not be saved."""

    def __init__(self, batches: _Batches, seed: int) -> None:
        super().__init__()
        self._batches = batches
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.begin(epoch)
        random.seed(f"{self._seed} {epoch}")
        np.random.seed([self._seed, epoch])


class _ManySteps(keras.callbacks.Callback):
    """Puts a training function into the model that takes many steps a call, until the fit ends.

    Keras's own way, an iterator over a tf.data pipeline, costs as much as a small dense model's step.
    """

    def __init__(self, model: keras.Model, batches: _Batches, steps: int, on_look: OnLook | None) -> None:
        super().__init__()
        self._on_look = on_look
        self._look_at = math.ceil(batches.count * LOOK_SHARE)
        if on_look is not None:  # a call ends there
            steps = math.ceil(self._look_at / math.ceil(self._look_at / steps))
        self._steps, self._done = steps, 0
        self._next = tf.Variable(0, dtype=tf.int64, trainable=False)
        train_step = tf.function(model.train_step, jit_compile=model.jit_compile or None, autograph=False)

        def one_more(step: Any, _: Any) -> tuple[Any, Any]:
            return step + 1, train_step(batches[step])

        def train() -> Any:
            first = self._next.read_value()
            end = tf.minimum(first + steps, batches.count)
            self._next.assign(end)
            return tf.while_loop(lambda step, _: step < end, one_more, one_more(first, None))[1]

        self._train = tf.function(train, autograph=False)
        self._own_steps = model.steps_per_execution
        model.steps_per_execution = steps
        model.train_function = self._train_and_look

    def _train_and_look(self, iterator: Any) -> Any:
        """A call; the iterator is Keras's."""
        logs = self._train()
        self._done += self._steps
        if self._on_look is not None and self._done >= self._look_at:
            on_look, self._on_look = self._on_look, None
            on_look(scalars(logs))
        return logs

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Validation goes its own way, in batches that are large by themselves.
        self.model.steps_per_execution = self._own_steps

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._next.assign(0)
        self._done = 0
        if epoch:
            self._on_look = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.model.train_function = None


def _takes_many_steps(model: keras.Model) -> bool:
    """Whether a training function of ours does what the model's own would."""
    own = type(model).make_train_function is not keras.Model.make_train_function
    return not own and not model.run_eagerly and model.distribute_strategy is tf.distribute.get_strategy()


def _acts_on_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does something at each batch, and so must see each; a LambdaCallback's hooks are its own."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
    return any(
        getattr(getattr(callback, hook, None), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for hook in hooks
    )


def _create_variables(model: keras.Model, batches: _Batches) -> bool:
    """TensorFlow traces a step twice when variables are created in its first call. Whether all are there now."""
    if not model.built or model.optimizer is None:
        return False
    model.optimizer.build(model.trainable_variables)
    shape = getattr(model, "output_shape", None)
    plain = type(model).compute_metrics is keras.Model.compute_metrics
    if plain and isinstance(shape, tuple) and None not in shape[1:]:
        x, y = batches[0]
        model.compute_metrics(x[:1], y[:1], tf.zeros((1, *shape[1:])))
        model.reset_metrics()
        return True
    return False


def _pixels(images: Images) -> tf.Tensor:
    """The pixels as TensorFlow has them: copied once, not for each trial."""
    kept = vars(images)
    if "tensor" not in kept:
        kept["tensor"] = tf.constant(images.x)
    return kept["tensor"]


def _validation_batches(images: Images, *targets: NDArray[Any]) -> tf.data.Dataset:
    """Large batches in their own order; `targets` are labels, and sample weights where there are some."""
    if len(targets) != 1 or targets[0] is not images.y:  # one-hot, or weighted: made for this model
        return _large_batches(images, *targets)
    kept = vars(images)
    if "batches" not in kept:
        kept["batches"] = _large_batches(images, *targets)
    return kept["batches"]


def _large_batches(images: Images, *targets: NDArray[Any]) -> tf.data.Dataset:
    batches = tf.data.Dataset.from_tensor_slices((_pixels(images), *targets)).batch(evaluation_batch(images))
    return batches.map(lambda x, *y: (_scale(x), *y)).prefetch(1)


def _scale(x: Any) -> Any:
    return tf.cast(x, tf.float32) / 255.0


def scalars(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """The logs that are single numbers; Keras may log arrays too."""
    return {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}


def evaluation_batch(images: Images) -> int:
    """Images a batch where nothing is learnt: as many as fit in `EVALUATION_BYTES`, 32 to 1,024."""
    pixels = int(np.prod(images.x.shape[1:]))
    return max(32, min(1024, EVALUATION_BYTES // (4 * pixels)))
