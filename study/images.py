"""Images and their labels, as every room passes them on."""

import mmap
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from study.config import PIXELS

Pixels = NDArray[np.uint8 | np.float32]
"""Bytes; or numbers without a black and a white, such as standardised ones, which are taken as they are."""
Shown = NDArray[np.uint8]
"""What a page shows of an image."""
Labels = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

SHOWN_PIXELS = 96
"""The longest side of an image on a page."""


def shown(image: Pixels) -> Shown:
    """An image (height, width, channels) as a page shows it: in colour where it has 3 channels, else its first channel;
    a larger one is scaled down to `SHOWN_PIXELS`. If pixels are no bytes, the smallest is black and the largest white.
    """
    from PIL import Image

    if image.dtype != np.uint8:
        lowest, range_ = image.min(), float(np.ptp(image))
        image = np.rint((image - lowest) * (255 / (range_ or 1))).astype(np.uint8)
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    picture.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    return np.asarray(picture).reshape(picture.height, picture.width, -1)


class Rows:
    """Images of an array that may lie on the disk: those of some rows, in their order, read when they are asked for. It
    stands for the array of them, which is never made.

    Args:
        whole: The array.
        rows: Which, in which order.
        from_disk: Whether the memory cannot hold the array, which is a map of a file. The system would read far more
            around a row than the row, and drop it before it is used; so it is told which rows come.
    """

    def __init__(self, whole: Pixels, rows: NDArray[np.int64], *, from_disk: bool = False) -> None:
        self._whole, self._rows, self._from_disk = whole, rows, from_disk
        self.shape, self.dtype = (len(rows), *whole.shape[1:]), whole.dtype
        if (mapped := self._map) is not None:
            mapped.madvise(mmap.MADV_RANDOM)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Pixels:
        rows = self._rows[index]
        if (mapped := self._map) is not None and isinstance(self._whole, np.memmap):
            _announce(mapped, self._whole.offset % mmap.ALLOCATIONGRANULARITY, self._whole[0].nbytes, rows)
        found: Pixels = self._whole[rows]
        return found

    @property
    def _map(self) -> mmap.mmap | None:
        """What is read from the disk, where a system can be told how."""
        base = self._whole.base if self._from_disk and hasattr(mmap, "MADV_RANDOM") else None
        return base if isinstance(base, mmap.mmap) else None

    def part(self, rows: slice) -> "Rows":
        """Consecutive ones of these images."""
        return Rows(self._whole, self._rows[rows], from_disk=self._from_disk)


def _announce(mapped: mmap.mmap, first: int, size: int, rows: NDArray[np.int64]) -> None:
    """Let the system begin to read rows of a map, of so many bytes each, all at once."""
    for row in np.atleast_1d(rows).tolist():
        begin = first + row * size
        within = begin % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_WILLNEED, begin - within, size + within)


class Scaled(np.lib.mixins.NDArrayOperatorsMixin):
    """The same as float32, divided by a number, for a HyperModel's `fit`. Rows that are asked for are an array, and so
    is the whole as soon as anything but its shape is used of it."""

    dtype = np.dtype(np.float32)

    def __init__(self, images: Rows, divisor: float) -> None:
        self._images, self._divisor = images, np.float32(divisor)
        self.shape, self.ndim = images.shape, len(images.shape)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        if index is None or index is Ellipsis or isinstance(index, tuple):
            return cast(NDArray[np.float32], np.asarray(self)[index])
        return np.divide(self._images[index], self._divisor, dtype=np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        given = (np.asarray(each) if isinstance(each, Scaled) else each for each in inputs)
        return getattr(ufunc, method)(*given, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what NumPy, TensorFlow and pickle ask for that an object need not have
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


@dataclass(frozen=True)
class Images:
    """Images (n, height, width, channels), bytes or float32, and their labels, int64 (n,)."""

    x: Pixels
    """An array, or `Rows` of one, where it is large."""
    y: Labels
    pixels: str = field(default=PIXELS[0], kw_only=True)
    """One of `PIXELS`: the range in which models are given bytes."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def divisor(self) -> float:
        """What a pixel is divided by before a model sees it."""
        return 255.0 if self.pixels == PIXELS[0] and self.x.dtype == np.uint8 else 1.0

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        """The pixels as float32, bytes in the range `pixels`: what a HyperModel's `fit` is given, or `Scaled`."""
        if isinstance(self.x, Rows):
            return cast(NDArray[np.float32], Scaled(self.x, self.divisor))
        return self.some_scaled(slice(None))

    def some_scaled(self, rows: slice) -> NDArray[np.float32]:
        """The same of some images."""
        return np.divide(self.x[rows], np.float32(self.divisor), dtype=np.float32)

    def part(self, rows: slice) -> "Images":
        """Consecutive images; they share memory with the whole."""
        if isinstance(self.x, Rows):
            return Images(cast(Pixels, self.x.part(rows)), self.y[rows], pixels=self.pixels)
        return _Part(self.x[rows], self.y[rows], self, rows, pixels=self.pixels)


@dataclass(frozen=True)
class _Part(Images):
    whole: Images
    rows: slice

    @cached_property
    def scaled(self) -> NDArray[np.float32]:
        return self.whole.scaled[self.rows]
