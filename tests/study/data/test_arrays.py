"""Arrays as they are given, and the form they are brought to; what is refused is in test_archives.py."""

from typing import Any

import numpy as np
import pytest

from study.data.arrays import described, validated
from study.errors import StudyError


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (np.array([0, 128, 255]), [0, 128, 255]),
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 127.6, 255.0]), [0, 128, 255]),
        (np.array([-0.001, 0.5, 1.0000002]), [0, 128, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_pixels_become_bytes(pixels: Any, expected: list[int]) -> None:
    x = np.tile(pixels, (4, 1)).reshape(4, 1, 3)
    arrays = {"x_train": x, "x_test": x, "y_train": np.array([0, 1, 0, 1]), "y_test": np.array([[0], [1], [0], [1]])}
    checked = validated("it", arrays)
    assert checked["x_train"].shape == (4, 1, 3, 1)
    assert checked["x_train"][0].ravel().tolist() == expected
    assert checked["y_test"].tolist() == [0, 1, 0, 1]


def test_shape_and_type_and_content() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert described(array) == "2x3 uint8 17e88db187afd62c"
    changed = [array.reshape(3, 2), array.astype(np.int8), array + 1]
    assert len({described(array), *map(described, changed)}) == 4


def test_the_layout_in_memory_does_not_matter() -> None:
    array = np.arange(6).reshape(2, 3)
    assert described(np.asfortranarray(array)) == described(array)


def test_python_objects_are_known_by_their_text() -> None:
    first, again, other = (np.array([word, None], dtype=object) for word in ("cat", "c" + "at", "dog"))
    assert described(first) == described(again) != described(other)


@pytest.mark.parametrize(
    "height, width, channels", [(1, 3, 4), (3, 3, 9), (4, 4, 8), (5, 9, 12), (2, 9, 3), (28, 28, 1)]
)
def test_channels_are_last_where_nothing_speaks_against_it(height: int, width: int, channels: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (6, height, width, channels)).astype(np.uint8)
    y = np.arange(6) % 2
    arrays = {"x_train": x, "x_test": np.asfortranarray(x), "y_train": y, "y_test": y}
    checked = validated("it", arrays)
    assert np.array_equal(checked["x_train"], x)
    assert np.array_equal(checked["x_test"], x)
    assert checked["x_test"].flags.c_contiguous


@pytest.mark.parametrize("shape", [(2, 28, 28), (4, 64, 5), (2, 9, 5), (3, 4, 5)])
def test_channels_that_seem_to_come_first_are_refused(shape: tuple[int, ...]) -> None:
    x, y = np.zeros((6, *shape)), np.arange(6) % 2
    with pytest.raises(StudyError, match=r"if the channels come first, give np\.moveaxis\(x, 1, -1\)"):
        validated("it", {"x_train": x, "x_test": x, "y_train": y, "y_test": y})
