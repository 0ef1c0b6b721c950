"""An image of each class and how many images each has, as a file of a study's folder: for its page."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from study.images import Images, Shown, shown
from study.paths import EXAMPLES
from study.storage.predictions import read_arrays, write_arrays
from study.system.files import exists

MOST = 20
"""Classes of which an image is kept."""


class Examples(NamedTuple):
    """What is kept of the training and validation images."""

    images: list[Shown]
    """(height, width, channels), the first one of each of the first classes."""
    counts: list[int]
    """How many images each class has."""


def keep(folder: Path, images: Images) -> None:
    """Write them, if that was not done yet.

    Args:
        folder: Of the study.
        images: Training and validation images.

    Raises:
        OSError: they cannot be written.
    """
    if exists(folder / EXAMPLES):
        return
    counts = np.bincount(images.y)
    first = [int(np.argmax(images.y == label)) for label in np.flatnonzero(counts)[:MOST]]
    write_arrays(folder / EXAMPLES, {"images": np.stack([shown(images.x[row]) for row in first]), "counts": counts})


def read(folder: Path) -> Examples | None:
    """Those of a study's folder; None where they are missing or cannot be read."""
    arrays = read_arrays(folder / EXAMPLES) or {}
    if not arrays.keys() >= {"images", "counts"}:
        return None
    return Examples(list(arrays["images"]), arrays["counts"].tolist())
