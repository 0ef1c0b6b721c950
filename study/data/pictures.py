"""Image files of any kind that people have -> pixels of one size, grey or in colour."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from study.data.request import SHOWN, listed
from study.errors import StudyError, one_line
from study.images import Pixels

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
GREY = ("1", "L", "LA", "I", "I;16", "I;16B")
DEEP = ("I", "I;16", "I;16B")
"""Modes of Pillow's for grey images of 16 bits, from 0 to 65535."""
DEEP_TO_BYTES = 257
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
"""The EXIF tag that says which way the camera was held, and its values by which height and width change places."""

Source = Path | IO[bytes]


class Unreadable(Exception):
    """An image that cannot be decoded; the text says why."""


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded."""

    height: int
    width: int
    grey: bool


def header(source: Source) -> Header:
    """What an image will be, as it is to be looked at.

    Raises:
        Unreadable: It is no image.
    """
    with _opened(source) as image:
        turned = "exif" in image.info and image.getexif().get(ORIENTATION) in TURNED
        width, height = reversed(image.size) if turned else image.size
        return Header(height, width, image.mode in GREY)


def decoded(source: Source, size: tuple[int, int], channels: int) -> Pixels:
    """The pixels (height, width, channels) of an image: turned as its EXIF data say, on white where it is transparent,
    the first picture of several, and scaled to the size, whatever its proportions were.

    Args:
        source: The image.
        size: Height and width.
        channels: 1 or 3.

    Raises:
        Unreadable: It cannot be decoded.
    """
    with _opened(source) as opened:
        # A JPEG file is decoded at a half, a quarter or an eighth where that is still twice what is needed.
        opened.draft(None, (2 * max(size), 2 * max(size)))
        turned = ImageOps.exif_transpose(opened) if "exif" in opened.info else opened
        image = _plain(turned, "L" if channels == 1 else "RGB")
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)  # averages where it makes smaller
        return np.asarray(image).reshape(*size, channels)


def common_size(name: str, headers: Iterable[Header], wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width that all images will have.

    Raises:
        StudyError: They have several sizes, and none is asked for.
    """
    if wanted is not None:
        return wanted
    sizes = Counter((each.height, each.width) for each in headers)
    if len(sizes) > 1:
        found = listed([f"{height}x{width} ({count:,})" for (height, width), count in sizes.most_common(SHOWN)])
        more = f" and {len(sizes) - SHOWN:,} more" if len(sizes) > SHOWN else ""
        height, width = sizes.most_common(1)[0][0]
        raise StudyError(
            f"{name} has images of {len(sizes):,} sizes, height x width: {found}{more}; give --image-size, such as "
            f"--image-size {height}x{width}"
        )
    return next(iter(sizes))


@contextmanager
def _opened(source: Source) -> Iterator[Image.Image]:
    try:
        with Image.open(source, formats=FORMATS) as image:
            yield image
    except MemoryError:
        raise
    except UnidentifiedImageError:
        empty = isinstance(source, Path) and not os.stat(source).st_size
        raise Unreadable("it is empty" if empty else f"it is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # whatever Pillow's decoders raise for a damaged file
        raise Unreadable(one_line(error, 100)) from None


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """The image in mode L or RGB."""
    if image.mode in DEEP:
        deep: Any = np.asarray(image)
        image = Image.fromarray(np.clip(np.rint(deep / DEEP_TO_BYTES), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return image if image.mode == mode else image.convert(mode)
