"""Batches of images that are kept as they are, shuffled, gathered and scaled by TensorFlow."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from study.images import Images, Rows

EVALUATION_BYTES = 64 * 2**20
"""Size of the float32 pixels of one batch of validation or test images."""


class Batches:
    """The batches of an epoch: every image once, the last batch possibly smaller.

    Args:
        images: The images.
        y: Their targets (n, ...).
        size: Images per batch.
        seed: The order of an epoch follows from it and the epoch's number; None keeps the order of the images.
        weights: How much each image counts (n,), if not alike.
    """

    def __init__(
        self, images: Images, y: NDArray[Any], size: int, seed: int | None, weights: NDArray[np.float32] | None = None
    ) -> None:
        self.size, self.count = size, math.ceil(len(y) / size)
        self._seed = seed
        self._pixels, self._targets = gather(images), tf.constant(y)
        self._weights = () if weights is None else (tf.constant(weights),)
        self._divisor = images.divisor
        self._order = tf.Variable(tf.range(len(y), dtype=tf.int64), trainable=False)

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch."""
        if self._seed is not None:
            order = tf.random.experimental.stateless_shuffle(tf.range(len(self._targets)), [self._seed, epoch])
            self._order.assign(tf.cast(order, tf.int64))

    def __getitem__(self, number: Any) -> tuple[Any, ...]:
        """A batch by its number: pixels (size, height, width, channels), float32, targets (size, ...), and weights
        (size,) where there are some."""
        index = self._order[number * self.size : (number + 1) * self.size]
        others = (tf.gather(each, index) for each in (self._targets, *self._weights))
        return _scaled(self._pixels(index), self._divisor), *others

    def dataset(self) -> tf.data.Dataset:
        """All batches, in the order of the epoch that was begun last."""
        return tf.data.Dataset.range(self.count).map(self.__getitem__).prefetch(2)


def validation_batches(images: Images, *targets: NDArray[Any]) -> tf.data.Dataset:
    """Large batches in the order of the images; `targets` are the labels, and sample weights if there are any."""

    divisor = images.divisor

    def make() -> tf.data.Dataset:
        size = evaluation_batch(images)
        if isinstance(images.x, Rows):
            pixels = gather(images)
            rows = tf.data.Dataset.from_tensor_slices((tf.range(len(images), dtype=tf.int64), *targets)).batch(size)
            return rows.map(lambda index, *y: (_scaled(pixels(index), divisor), *y)).prefetch(1)
        if len(images) <= size:  # scaled once, not in each epoch
            return tf.data.Dataset.from_tensors((_scaled(_pixels(images), divisor), *targets))
        batches = tf.data.Dataset.from_tensor_slices((_pixels(images), *targets)).batch(size)
        return batches.map(lambda x, *y: (_scaled(x, divisor), *y)).prefetch(1)

    # One-hot or weighted targets are made for one model; plain labels are the same for every trial.
    plain = len(targets) == 1 and targets[0] is images.y
    return _kept(images, "validation_batches", make) if plain else make()


def evaluation_batch(images: Images) -> int:
    """Images per batch where nothing is learnt: as many as fit in `EVALUATION_BYTES`, between 32 and 1,024."""
    return max(32, min(1024, EVALUATION_BYTES // (4 * math.prod(images.x.shape[1:]))))


def gather(images: Images) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of rows (n,) that returns their pixels (n, height, width, channels). Those of large sets are not in
    TensorFlow's memory: NumPy reads them, from the pages that all processes share, or from the disk."""
    if not isinstance(images.x, Rows):
        return partial(tf.gather, _pixels(images))
    found, kind, shape = images.x, tf.as_dtype(images.x.dtype), (None, *images.x.shape[1:])

    def read(index: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(found.__getitem__, [index], kind, stateful=False), shape)

    return read


def _pixels(images: Images) -> tf.Tensor:
    return _kept(images, "tensor", lambda: tf.constant(images.x))


def _kept(images: Images, name: str, make: Callable[[], Any]) -> Any:
    """What is made from images once, not for each trial, and lives as long as they do."""
    if name not in vars(images):
        vars(images)[name] = make()
    return vars(images)[name]


def _scaled(x: Any, divisor: float) -> Any:
    """As `Images.scaled`."""
    return tf.cast(x, tf.float32) / divisor
