"""What finals predicted, as it is kept."""

from pathlib import Path

import numpy as np
import pytest

from study.images import Pixels
from study.paths import MISREAD
from study.storage import predictions
from study.storage.predictions import STEPS


def images(*numbers: int) -> dict[int, Pixels]:
    return {number: np.full((2, 2, 1), number, np.uint8) for number in numbers}


def test_rounding_changes_no_class() -> None:
    rng = np.random.default_rng(0)
    given = rng.dirichlet(np.ones(10), 2000).astype(np.float32)
    given[::2, 1] = given[::2, 0] + np.float32(1e-6)  # as good as equal
    kept = predictions.rounded(given)
    assert kept.dtype == np.float32
    assert np.array_equal(kept.argmax(axis=1), given.argmax(axis=1))
    assert np.abs(kept - given).max() <= 0.5 / STEPS
    rounded = (kept * STEPS) % 1 == 0
    assert rounded[1::2].all()
    assert not rounded.all()


def test_what_is_rounded_takes_less_room(tmp_path: Path) -> None:
    given = np.random.default_rng(0).dirichlet(np.ones(10), 2000).astype(np.float32)
    sizes = []
    for name, array in (("given", given), ("kept", predictions.rounded(given))):
        predictions.write_arrays(tmp_path / name, {"probabilities": array})
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[1] < 0.75 * sizes[0]


def test_an_image_that_several_finals_misread_is_kept_once(tmp_path: Path) -> None:
    assert predictions.misread_images(tmp_path) == {}
    predictions.keep_misread(tmp_path, {})
    assert not (tmp_path / MISREAD).exists()
    for numbers in ((7, 3), (3,), (5, 7)):
        predictions.keep_misread(tmp_path, images(*numbers))
    found = predictions.misread_images(tmp_path)
    assert list(found) == [3, 5, 7]
    assert all(np.array_equal(found[number], image) for number, image in images(3, 5, 7).items())
    before = (tmp_path / MISREAD).stat()
    predictions.keep_misread(tmp_path, images(5))
    assert (tmp_path / MISREAD).stat() == before  # nothing new, nothing written


@pytest.mark.parametrize("content", [b"", b"torn", b"PK\x03\x04 torn"])
def test_a_damaged_file_is_as_none(content: bytes, tmp_path: Path) -> None:
    predictions.keep_misread(tmp_path, images(1))
    (tmp_path / MISREAD).write_bytes(content)
    assert predictions.misread_images(tmp_path) == {}
    predictions.keep_misread(tmp_path, images(2))
    assert list(predictions.misread_images(tmp_path)) == [2]
