"""A user's own images as a table of text (.csv): a label and the pixels of an image in each row."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data import cache
from study.data.arrays import CLASS_NAMES, FORM, validated
from study.data.request import Request, cannot_be_read, located
from study.errors import StudyError, one_line
from study.images import Arrays

LABELS = ("label", "labels", "class", "target", "y")
"""What the column of the labels is called; without such a name it is the first."""
ROWS = 4096
"""Rows that are read at a time: as numbers of 8 bytes all of them may not fit into memory."""


def read(file: Path, request: Request) -> Arrays:
    """The arrays of a table, with or without a line of names, and the names of its classes. It is decoded once, to a
    copy in `data_dir`; a file that has been moved there is found.

    Raises:
        StudyError: The file cannot be read, or is not a table of labels and pixels.
    """
    file = located(file, request.data_dir)
    cut = request.cut(str(file), has_test=False)
    try:
        with file.open("rb") as stream:
            key = f"csv-{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}{cut}-{FORM}"
    except OSError as error:
        raise cannot_be_read(file, error, "csv:FILE") from None
    return cache.load(key, request.data_dir, lambda _: _decode(file, request), f"csv:{file}")


def _decode(file: Path, request: Request) -> Arrays:
    labels, pixels = _columns(file)
    classes, y = np.unique(labels, return_inverse=True)
    arrays = validated(str(file), {"x_train": pixels, "y_train": y}, request)
    if classes.dtype.kind == "U" or not np.array_equal(classes, np.arange(len(classes))):
        arrays[CLASS_NAMES] = classes.astype(str)
    return arrays


def _columns(file: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The labels (n,), integers or text, and the pixels (n, columns): bytes where all are, else floats."""
    import pandas

    names = _names(file)
    labels, pixels = [], []
    label = next((column for column, name in enumerate(names) if name.strip().lower() in LABELS), 0)
    try:
        with pandas.read_csv(
            file, header=None, skiprows=int(bool(names)), chunksize=ROWS, low_memory=False, dtype={label: str},
            keep_default_na=False, na_values=["", "nan", "NaN"],
        ) as table:  # fmt: skip
            for rows in table:
                _check(file, rows, names, label)
                labels.append(rows[label].to_numpy(str))
                found = rows.drop(columns=[label]).to_numpy()
                is_bytes = found.dtype.kind in "iu" and found.min() >= 0 and found.max() <= 255
                pixels.append(found.astype(np.uint8 if is_bytes else np.float32))
    except StudyError:
        raise
    except Exception as error:  # whatever pandas raises for a file that is no table
        raise StudyError(f"{file} is not a table of labels and pixels ({one_line(error, 200)})") from None
    return _as_numbers(np.concatenate(labels)), np.concatenate(pixels)


def _names(file: Path) -> list[str]:
    """The names of the columns; none where the first line holds pixels already."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            first = next(csv.reader(stream), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{file} is not a table of labels and pixels ({one_line(error, 200)})") from None
    if len(first) < 2:
        raise StudyError(f"{file} is not a table of labels and pixels, separated by commas; it begins {first}"[:300])
    return first if first[0].strip().lower() in LABELS or not all(map(_is_number, first[1:])) else []


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True


def _check(file: Path, rows: Any, names: list[str], label: int) -> None:
    """Refuse rows that lack something, or have a pixel that is no number."""
    if names and len(names) != rows.shape[1]:
        raise StudyError(f"{file} names {len(names)} columns, and its rows have {rows.shape[1]}; make them the same")
    missing = rows.isna().to_numpy()
    if missing.any():
        row = int(missing.any(axis=1).argmax())
        found = f"{rows.shape[1] - missing[row].sum()} of {rows.shape[1]} values"
        raise StudyError(f"row {rows.index[row] + 1} of {file} has {found} (NaN is none); complete or remove it")
    for column, type in rows.dtypes.items():
        if column != label and type.kind not in "iuf":
            called = f"column {names[column]!r}" if names else f"column {column + 1}"
            text = rows[column].iloc[0]
            raise StudyError(f"{called} of {file} holds no numbers but {text!r:.40}; keep the label and pixels alone")


def _as_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels as integers where all are, so that they are sorted as numbers; else as text."""
    try:
        numbers = labels.astype(np.float64)
    except ValueError:
        return labels
    return numbers.astype(np.int64) if (numbers == np.floor(numbers)).all() else labels
