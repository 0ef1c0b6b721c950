"""Images without labels, as a trained model is asked about them: image files, folders of those, NumPy arrays."""

import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import joblib
import numpy as np
from numpy.typing import NDArray

from study.data.arrays import as_images
from study.data.folders import COLOUR, GREY
from study.data.listing import below
from study.data.pictures import Unreadable, decoded, header
from study.data.pixels import alone_as_pixels
from study.data.request import why
from study.errors import StudyError, one_line
from study.images import Pixels
from study.paths import relative

ARRAYS = (b"PK\x03\x04", b"\x93NUMPY")
"""How the content of .npz and .npy files begins."""
NAMES = ("x", "x_test")
"""The array of an archive that has several."""
AT_A_TIME = 256
"""Files that are in memory at the same time."""
INPUT = "-"
"""What the standard input is called."""

Shape = tuple[int, int, int]
Batch = tuple[list[str], Pixels]
"""What each image is called, and the pixels (n, height, width, channels)."""


def batches(sources: Iterable[Path | IO[bytes]], shape: Shape, are_bytes: bool) -> Iterator[Batch]:
    """The images of files, of all files in folders, and of streams, as a model is given them.

    Args:
        sources: What holds the images. Image files are scaled to the shape; arrays must have it.
        shape: Height, width, channels of the images that the model was trained on.
        are_bytes: Whether their pixels are bytes; a picture cannot be standardised as they are otherwise.

    Raises:
        StudyError: Something is missing, holds no images, or others than the model takes.
    """
    files = [file for source in sources for file in _files(source)]
    read = partial(_read, shape=shape, are_bytes=are_bytes)
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        for begin in range(0, len(files), AT_A_TIME):
            found = list(pool.map(read, files[begin : begin + AT_A_TIME]))
            yield [name for names, _ in found for name in names], np.concatenate([pixels for _, pixels in found])


def _files(source: Path | IO[bytes]) -> Iterator[tuple[str, Path | IO[bytes]]]:
    """Files and streams with their names."""
    if not isinstance(source, Path):
        yield INPUT, io.BytesIO(source.read())
        return
    try:
        found = list(below(source)) if source.is_dir() else [source]
        os.stat(source)
    except OSError as error:
        raise _cannot_be_read(source, error) from None
    if not found:
        raise StudyError(f"{source} has no files; give image files, or a folder that has some")
    yield from ((relative(file), file) for file in found)


def _read(file: tuple[str, Path | IO[bytes]], shape: Shape, are_bytes: bool) -> Batch:
    """The images of a file, given with its name: several where it holds an array."""
    name, source = file
    try:
        with open(source, "rb") if isinstance(source, Path) else source as stream:
            if stream.read(6).startswith(ARRAYS):
                stream.seek(0)
                pixels = _array(name, stream, shape, are_bytes)
                return [f"{name}[{row}]" for row in range(len(pixels))], pixels
            if not are_bytes:
                raise StudyError(f"{name} is no array, and the images of the study are standardised; give .npz files")
            return [name], _picture(name, stream, shape)[None]
    except OSError as error:
        raise _cannot_be_read(Path(name), error) from None


def _picture(name: str, stream: IO[bytes], shape: Shape) -> Pixels:
    height, width, channels = shape
    if channels not in (GREY, COLOUR):
        raise StudyError(f"{name} is no array, and the images of the study have {channels} channels; give .npz files")
    try:
        is_grey = header(stream).grey
        pixels = decoded(stream, (height, width), channels if is_grey else COLOUR)
    except Unreadable as error:
        raise StudyError(
            f"{name} is no readable image ({error}); give image files, or .npz files with images"
        ) from None
    if pixels.shape[2] > channels and (pixels != pixels[:, :, :1]).any():
        raise StudyError(f"{name} is in colour (3 channels), and the images of the study are grey; convert it to grey")
    return pixels[:, :, :channels]


def _array(name: str, stream: IO[bytes], shape: Shape, are_bytes: bool) -> Pixels:
    try:
        x = _found(name, np.load(stream, allow_pickle=False))
    except StudyError:
        raise
    except Exception as error:  # whatever NumPy, zipfile and its decompressors raise for a damaged file
        raise StudyError(f"{name} is not a NumPy archive of numbers ({one_line(error, 120)})") from None
    images = as_images(name, x, [])
    if images.shape[1:] != shape:
        raise StudyError(f"{name}: its images are {images.shape[1:]}, those of the study {shape}; make them the same")
    return alone_as_pixels(name, images, are_bytes)


def _found(name: str, loaded: Any) -> NDArray[Any]:
    """The array of images in what NumPy loaded."""
    if isinstance(loaded, np.ndarray):
        return loaded
    known = [array for array in loaded.files if array in NAMES or len(loaded.files) == 1]
    if len(known) != 1:
        has = ", ".join(loaded.files) or "none"
        raise StudyError(f"{name} must have one array of images, called {' or '.join(NAMES)}; it has {has}")
    found: NDArray[Any] = loaded[known[0]]
    return found


def _cannot_be_read(path: Path, error: OSError) -> StudyError:
    return StudyError(f"{path} cannot be read: {why(path, error)}; give image files, folders of them, or .npz files")
