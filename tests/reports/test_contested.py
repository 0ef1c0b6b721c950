"""The contested labels of MNIST's test images."""

import gzip
from pathlib import Path

import numpy as np

from reports import contested


def test_there_are_28() -> None:
    assert len(contested.LABELS) == 28
    assert contested.label(np.zeros((28, 28, 1), dtype=np.uint8)) == ""


def test_they_are_recognised_by_their_pixels(original_mnist: Path) -> None:
    """In the original file, where each has its number."""
    pixels = gzip.decompress((original_mnist / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    images = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 28, 28, 1)
    words = {index: word for index, image in enumerate(images) if (word := contested.label(image))}
    assert len(words) == 28
    assert (words[947], words[2654], words[8527], words[9888]) == (
        "label thought wrong", "no class fits", "judges differ", "two classes fit",
    )  # fmt: skip
