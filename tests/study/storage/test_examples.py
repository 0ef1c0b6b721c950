"""What a study keeps of its data for the page."""

from pathlib import Path

import numpy as np

from study.images import Images
from study.paths import EXAMPLES
from study.storage import examples


def images(*labels: int) -> Images:
    """Images whose pixels are their index."""
    x = np.arange(len(labels), dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)
    return Images(x, np.array(labels))


def test_the_first_image_of_each_class_is_kept_with_the_counts(tmp_path: Path) -> None:
    examples.keep(tmp_path, images(1, 1, 0, 2, 0, 1))
    found = examples.read(tmp_path)
    assert found is not None
    assert [int(image[0, 0, 0]) for image in found.images] == [2, 0, 3]
    assert found.counts == [2, 3, 1]


def test_they_are_kept_once_and_of_many_classes_some(tmp_path: Path) -> None:
    examples.keep(tmp_path, images(*range(100)))
    examples.keep(tmp_path, images(0, 1))
    found = examples.read(tmp_path)
    assert found is not None
    assert (len(found.images), len(found.counts)) == (examples.MOST, 100)


def test_damaged_ones_are_none(tmp_path: Path) -> None:
    assert examples.read(tmp_path) is None
    (tmp_path / EXAMPLES).write_bytes(b"no archive")
    assert examples.read(tmp_path) is None
