"""Random arrays of MNIST's shape, for what does not depend on what they show."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def arrays(count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (count, 28, 28, 1) and labels (count,) of ten classes."""
    return rng.integers(0, 256, (count, 28, 28, 1)).astype(np.uint8), rng.integers(0, 10, count)


def write_archive(file: Path, train: int, test: int) -> str:
    """Write an archive with so many training and test images, and return the data set's name."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", train), ("test", test)):
        parts[f"x_{part}"], parts[f"y_{part}"] = arrays(count, rng)
    np.savez(file, **parts)
    return f"npz:{file}"
