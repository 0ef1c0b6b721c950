"""Images and their labels, as every room passes them on."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.config import PIXELS

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

SHOWN_PIXELS = 96
"""The longest side of an image on a page."""


def shown(image: Pixels) -> Pixels:
    """An image (height, width, channels) as a page shows it: in colour where it has 3 channels, else its first channel;
    a larger one is scaled down to `SHOWN_PIXELS`."""
    from PIL import Image

    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    picture.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    return np.asarray(picture).reshape(picture.height, picture.width, -1)


@dataclass(frozen=True)
class Images:
    """Images and their labels: uint8, 0 to 255, (n, height, width, channels), and int64 (n,)."""

    x: Pixels
    y: Labels
    pixels: str = field(default=PIXELS[0], kw_only=True)
    """One of `PIXELS`: the range in which models are given them."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def divisor(self) -> float:
        """What a pixel is divided by before a model sees it."""
        return 255.0 if self.pixels == PIXELS[0] else 1.0

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        """The pixels as float32 in the range `pixels`: what a HyperModel's `fit` is given."""
        return np.divide(self.x, np.float32(self.divisor), dtype=np.float32)

    def part(self, rows: slice) -> "Images":
        """Consecutive images; they share memory with the whole."""
        return _Part(self.x[rows], self.y[rows], self, rows, pixels=self.pixels)


@dataclass(frozen=True)
class _Part(Images):
    whole: Images
    rows: slice

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        return self.whole.scaled[self.rows]
