"""Images and their labels, as every room passes them on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Images:
    """Images and their labels: uint8, 0 to 255, (n, height, width, channels), and int64 (n,)."""

    x: Pixels
    y: Labels

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        """The pixels as float32, 0 to 1: what a HyperModel's `fit` is given."""
        return np.divide(self.x, np.float32(255), dtype=np.float32)

    def part(self, rows: slice) -> "Images":
        """Consecutive images; they share memory with the whole."""
        return _Part(self.x[rows], self.y[rows], self, rows)


@dataclass(frozen=True)
class _Part(Images):
    whole: Images
    rows: slice

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        return self.whole.scaled[self.rows]
