"""Images and labels that come in batches: a `tf.data.Dataset`, or a `keras.utils.PyDataset`."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import StudyError, one_line


def is_stream(given: Any) -> bool:
    """Whether it is one of both."""
    import keras
    import tensorflow as tf

    return isinstance(given, (tf.data.Dataset, keras.utils.PyDataset))


def arrays(what: str, stream: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """The images (n, ...) and the labels (n, ...), read once in the order in which they come.

    Raises:
        StudyError: It does not end, does not hold pairs, or cannot be read; images of several sizes.
    """
    import tensorflow as tf

    try:
        pairs = _from_tensorflow(stream) if isinstance(stream, tf.data.Dataset) else _from_keras(stream)
        images, labels = zip(*pairs, strict=True)
        return np.concatenate(images), np.concatenate(labels)
    except StudyError as error:
        raise StudyError(f"{what}: {error}") from None
    except Exception as error:  # whatever a pipeline of a user's raises
        raise StudyError(
            f"{what} must give images of one size and labels, (x, y) or batches of them ({one_line(error, 120)})"
        ) from None


def _from_tensorflow(dataset: Any) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    import tensorflow as tf

    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise StudyError("it repeats without end; leave out repeat()")
    x, y = dataset.element_spec
    batched = x.shape.rank == 4 or (x.shape.rank == 3 and y.shape.rank > 0 and x.shape[0] == y.shape[0])
    return _pairs((dataset if batched else dataset.batch(256)).as_numpy_iterator())


def _from_keras(dataset: Any) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    if dataset.num_batches is None:
        raise StudyError("it has no end; give one with __len__")
    return _pairs(dataset[index] for index in range(dataset.num_batches))


def _pairs(batches: Iterable[Any]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for x, y in batches:
        yield np.asarray(x), np.asarray(y)
