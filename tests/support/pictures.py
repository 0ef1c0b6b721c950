"""Image files in class folders, as people have them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "hen")


def pixels(seed: int, height: int = 8, width: int = 8) -> Image.Image:
    """Noise in colour."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def write_classes(
    folder: Path, images: int = 6, classes: Iterable[str] = CLASSES, seed: int = 0, mode: str = "RGB"
) -> Path:
    """A folder for each class, each with as many images of 8x8 pixels."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(images):
            pixels(1000 * seed + 100 * label + number).convert(mode).save(folder / name / f"{number}.png")
    return folder


def write_parts(folder: Path, *parts: str) -> Path:
    """Such folders for each part of a data set."""
    for number, part in enumerate(parts):
        write_classes(folder / part, seed=number)
    return folder
