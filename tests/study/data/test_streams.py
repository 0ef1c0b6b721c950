"""Images and labels that come in batches, from Python."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from study.data import given, streams
from study.data.given import Data
from study.data.request import Request
from study.errors import StudyError

X = np.random.default_rng(0).integers(0, 256, (60, 5, 6, 1)).astype(np.uint8)
Y = np.arange(60) % 3
PAIRS = tf.data.Dataset.from_tensor_slices((X, Y))


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """In batches of 7."""

    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        rows = slice(7 * index, 7 * (index + 1))
        return X[rows], Y[rows]


class Endless(Batches):
    """Without an end."""

    @property
    def num_batches(self) -> int | None:
        return None


@pytest.mark.parametrize(
    "stream, x, y",
    [
        (PAIRS, X, Y),
        (PAIRS.batch(7), X, Y),
        (PAIRS.shuffle(60, seed=1, reshuffle_each_iteration=False).batch(7).repeat(1), None, None),
        (PAIRS.map(lambda x, y: (x[..., 0], y)), X[..., 0], Y),
        (PAIRS.map(lambda x, y: (x[..., 0], y)).batch(7), X[..., 0], Y),
        (PAIRS.map(lambda x, y: (x, tf.one_hot(y, 3))), X, np.eye(3)[Y]),
        (PAIRS.map(lambda x, y: (x, tf.one_hot(y, 3))).batch(7), X, np.eye(3)[Y]),
        (Batches(), X, Y),
    ],
)
def test_a_stream_is_its_arrays(stream: Any, x: NDArray[Any] | None, y: NDArray[Any] | None) -> None:
    assert streams.is_stream(stream)
    images, labels = streams.arrays("it", stream)
    if x is None or y is None:  # in another order, and the pairs are still pairs
        assert not np.array_equal(images, X)
        place = {image.tobytes(): label for image, label in zip(X, Y, strict=True)}
        x, y = images, np.array([place[image.tobytes()] for image in images])
    assert np.array_equal(images, x)
    assert np.array_equal(labels, y)


def test_arrays_are_no_stream() -> None:
    assert not any(map(streams.is_stream, (X, X.tolist(), tf.constant(X), None)))


@pytest.mark.parametrize(
    "stream, said",
    [
        (PAIRS.repeat(), "it: it repeats without end; leave out repeat"),
        (Endless(), "it: it has no end; give one with __len__"),
        (PAIRS.map(lambda x, y: x), "it must give images of one size and labels"),
        (PAIRS.take(0), "it must give images of one size and labels"),
        (
            PAIRS.map(lambda x, y: (tf.debugging.check_numerics(tf.cast(x, tf.float32) / 0, "gone"), y)),
            "it must give images of one size and labels",
        ),
    ],
)
def test_what_cannot_be_read_is_a_line(stream: Any, said: str) -> None:
    with pytest.raises(StudyError, match=said) as caught:
        streams.arrays("it", stream)
    assert "\n" not in str(caught.value)


def test_a_stream_is_kept_as_its_arrays_are(tmp_path: Path) -> None:
    request = Request(data_dir=str(tmp_path))
    key = given.keep(Data(X, Y, X[:9], Y[:9]), request)
    assert given.keep(Data(PAIRS.batch(8), x_test=PAIRS.take(9)), request) == key
    with pytest.raises(StudyError, match="it lacks y_test"):
        given.keep(Data(PAIRS, x_test=X), request)
