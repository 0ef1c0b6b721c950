"""Images that are too many for the memory: they stand for the arrays that would be made of them."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.images import Images, Rows, Scaled

WHOLE = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), np.uint8)
ORDER = np.random.default_rng(1).permutation(60)[:40]
LABELS = np.arange(40) % 3
MASK = np.arange(40) % 2 == 0


@pytest.fixture(params=["0..1", "0..255", "from the disk"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Images, Images]:
    """Large images, and the same as arrays."""
    np.save(tmp_path / "whole.npy", WHOLE)
    from_disk, pixels = request.param == "from the disk", "0..1" if request.param == "0..1" else "0..255"
    whole = np.load(tmp_path / "whole.npy", mmap_mode="r") if from_disk else WHOLE
    large: Any = Rows(whole, ORDER, from_disk=from_disk)
    return Images(large, LABELS, pixels=pixels), Images(WHOLE[ORDER], LABELS, pixels=pixels)


USES: dict[str, Callable[[Any], Any]] = {
    "an image": lambda x: x[3],
    "images": lambda x: x[3:9],
    "images by number": lambda x: x[[1, 5]],
    "images by mask": lambda x: x[MASK],
    "a row of pixels": lambda x: x[:, 2],
    "a channel": lambda x: x[..., 0],
    "a pixel": lambda x: x[3, 2, 1, 0],
    "one more axis": lambda x: x[None],
    "arithmetic": lambda x: 2 * x - 1,
    "a comparison": lambda x: x > 0.5,
    "a method": lambda x: x.mean(axis=0),
    "a function": lambda x: np.std(x, axis=0),
    "another shape": lambda x: x.reshape(len(x), -1),
    "another type": lambda x: x.astype("float16"),
    "an array": np.asarray,
    "several": lambda x: np.concatenate([x, x]),
    "a tensor": lambda x: tf.convert_to_tensor(x).numpy(),
    "a pipeline": lambda x: next(iter(tf.data.Dataset.from_tensor_slices(x).batch(7))).numpy(),
    "one after the other": lambda x: [each.sum() for each in x],
    "its form": lambda x: (x.shape, x.dtype, x.ndim, len(x), x.size),
    "pickled": lambda x: np.asarray(pickle.loads(pickle.dumps(x))),
}
"""What a user's `fit` does with its images."""


@pytest.mark.parametrize("use", USES)
def test_scaled_images_are_used_like_the_array(use: str, both: tuple[Images, Images]) -> None:
    large, small = both
    found, expected = USES[use](large.scaled), USES[use](small.scaled)
    assert type(found) is type(expected)
    assert np.array_equal(found, expected) if isinstance(expected, np.ndarray) else found == expected
    assert getattr(found, "dtype", None) == getattr(expected, "dtype", None)
    assert isinstance(large.scaled, Scaled)
    assert large.scaled is large.scaled  # by which the pipeline knows it


def test_keras_takes_them(both: tuple[Images, Images]) -> None:
    large, small = both
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    assert model.evaluate(large.scaled, LABELS, verbose=0) == model.evaluate(small.scaled, LABELS, verbose=0)
    model.fit(large.scaled, LABELS, validation_split=0.2, verbose=0)


def test_parts_and_some_of_them(both: tuple[Images, Images]) -> None:
    large, small = both
    for rows in (slice(0, 30), slice(30, None)):
        assert np.array_equal(large.part(rows).x[:], small.part(rows).x)
        assert np.array_equal(large.part(rows).scaled, small.part(rows).scaled)
        assert np.array_equal(large.part(rows).y, small.part(rows).y)
    assert np.array_equal(large.some_scaled(slice(2, 5)), small.some_scaled(slice(2, 5)))


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """A file with a hole as large as no memory is."""
    array = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (2**22, 1024, 1024, 3))
    array[7] = 255
    found: Any = Rows(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(2**22)[::-1])
    images = Images(found, np.zeros(2**22, np.int64))
    assert images.part(slice(2**22 - 8, None)).scaled[0].min() == 1
    assert images.scaled.shape == (2**22, 1024, 1024, 3)
