"""A user's own images, in a NumPy archive (.npz)."""

import hashlib
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data import cache
from study.data.arrays import CLASS_NAMES, FORM, validated
from study.data.request import Request, cannot_be_read, located
from study.errors import StudyError, one_line
from study.images import Arrays
from study.system import memory

PARTS = (("x_train", "y_train"), ("x_test", "y_test"), ("x_val", "y_val"))
"""The arrays of an archive: those of training, and, if they are there, those of the test and of validation; its
`class_names` are optional too."""
SMALL = 2**26
"""Bytes of arrays up to which each process decodes an archive: that takes less than a second."""
LOCAL_HEADER, LENGTHS = 30, slice(26, 30)
"""Bytes of a ZIP file's header before the name of a member, and of them those that tell the length of what follows: the
name and the extra field (section 4.3.7 of PKWARE's APPNOTE)."""
HEADERS: Any = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""What reads an array's header, by the version of its format; later versions are for names of fields."""
CHUNK = 2**20


def read(file: Path, request: Request) -> Arrays:
    """The arrays of an archive, and the names of its classes.

    A small archive is decoded; a larger one once, to a copy in `data_dir` that all processes share. An archive that has
    been moved to `data_dir` is found there.

    Raises:
        StudyError: The file is missing, or is not an archive of an image classification set that can be split.
    """
    file = located(file, request.data_dir)
    try:
        file.open("rb").close()
    except OSError as error:
        raise cannot_be_read(file, error, "npz:FILE") from None
    arrays = _read(file, request)
    with _opened(file) as archive:
        if names := class_names(str(file), archive, int(arrays["y_train"].max()) + 1):
            arrays[CLASS_NAMES] = np.array(names)
    return arrays


def _read(file: Path, request: Request) -> Arrays:
    with _opened(file) as archive:
        names = parts_of(str(file), archive)
        key = request.cut(str(file), "x_test" in names)
        if _size(archive, names) <= SMALL:
            return validated(str(file), {array: archive[array] for array in names}, request)
    with file.open("rb") as stream:
        key = f"npz-{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}{key}-{FORM}"
    return cache.load(key, request.data_dir, lambda _: _decode(file, request), f"npz:{file}")


def parts_of(name: str, archive: Any) -> list[str]:
    """The arrays of an archive, or a mapping, that are of `PARTS`; what it is called is for the message where one is
    missing."""
    found = [array for part in PARTS for array in part if array in archive]
    needed = {array for part in PARTS if part == PARTS[0] or set(part) & set(found) for array in part}
    if missing := ", ".join(sorted(needed - set(found))):
        raise StudyError(f"{name} must hold images and their labels, x_train and y_train at least; it lacks {missing}")
    return found


def _mapped(file: Path, archive: Any, array: str) -> NDArray[Any] | None:
    """An array that lies uncompressed in an archive, as numbers in rows: read where it lies. None for another one.

    Args:
        file: The archive.
        archive: The same, opened.
        array: Its name.
    """
    member = archive.zip.getinfo(f"{array}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with archive.zip.open(member) as stream:
        read_header = HEADERS.get(np.lib.format.read_magic(stream))
        if read_header is None:
            return None
        shape, in_columns, kind = read_header(stream)
        begin = stream.tell()
        if in_columns or kind.hasobject or 0 in shape:
            return None
        while stream.read(CHUNK):  # to the end, where the checksum is compared
            pass
    return np.memmap(file, kind, "r", _begin(file, member) + begin, shape)


def _begin(file: Path, member: zipfile.ZipInfo) -> int:
    """Where the content of a member begins in an archive."""
    with file.open("rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(LOCAL_HEADER)
    lengths: tuple[int, int] = struct.unpack("<HH", header[LENGTHS])
    return int(member.header_offset) + LOCAL_HEADER + sum(lengths)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            yield archive
    except StudyError:
        raise
    except Exception as error:  # whatever NumPy, zipfile and its decompressors raise for a damaged file
        raise StudyError(f"{file} is not a NumPy archive of numbers ({one_line(error, 120)})") from None


def _size(archive: Any, names: Iterable[str]) -> int:
    """Bytes of some arrays of an archive, decoded."""
    sizes = {member.filename: member.file_size for member in archive.zip.infolist()}
    return sum(sizes.get(f"{array}.npy", 0) for array in names)


def _decode(file: Path, request: Request) -> Arrays:
    with _opened(file) as archive:
        names = parts_of(str(file), archive)
        mapped = {array: found for array in names if (found := _mapped(file, archive, array)) is not None}
        _check_memory(file, _size(archive, set(names) - mapped.keys()))
        arrays = mapped | {array: archive[array] for array in names if array not in mapped}
        return validated(str(file), arrays, request)


def _check_memory(file: Path, needed: int) -> None:
    """Refuse an archive whose arrays, as far as they must be decoded in memory, take more bytes than are left there."""
    if needed > (left := memory.available()):
        raise StudyError(
            f"{file} takes {needed / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are left; give fewer or smaller "
            "images, or uint8 pixels, which take one byte each"
        )


def class_names(name: str, archive: Any, classes: int) -> tuple[str, ...]:
    """The names of the classes in an archive, or a mapping; empty where it has none.

    Raises:
        StudyError: They are not one text per class.
    """
    if CLASS_NAMES not in archive:
        return ()
    try:
        names = archive[CLASS_NAMES]
    except ValueError:  # pickled Python objects
        names = np.empty(0)
    if names.dtype.kind != "U" or names.shape != (classes,):
        given = f"{names.dtype} {names.shape}"
        raise StudyError(f"{name}: {CLASS_NAMES} must be one text per class, shape ({classes},); it is {given}")
    if len(set(names.tolist())) < classes:
        raise StudyError(f"{name}: {CLASS_NAMES} must be different texts; one occurs twice")
    return tuple(names.tolist())
