"""A user's own image files, in a folder for each class."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np

from study.data import cache
from study.data.arrays import CLASS_NAMES, FORM, LEAK, REMARK, VALIDATION
from study.data.listing import Listing, list_files
from study.data.parts import leak, test_rows, validation_size
from study.data.pictures import Header, Unreadable, common_size, decoded, header
from study.data.request import Request, listed, located
from study.errors import StudyError
from study.images import Arrays, Pixels

GREY, COLOUR = 1, 3
"""Channels."""
AT_A_TIME = 32
"""Images that a thread takes at a time; to hand over each small one would take as long as to decode it."""


def read(folder: Path, request: Request) -> Arrays:
    """The images of a folder: see `list_files` for its form, and docs/data.md for the kinds of images.

    They are decoded once, to a copy in `data_dir`. A folder that has been moved to `data_dir` is found there.

    Raises:
        StudyError: It is not a data set that can be split, or some of its files cannot be read.
    """
    folder = located(folder, request.data_dir)
    listing = list_files(folder)
    cut = request.cut(str(folder), "test" in listing.parts)
    _parted(listing, request)
    size = "" if request.image_size is None else "-{}x{}".format(*request.image_size)
    skip = "-skip" if request.skip_unreadable else ""
    key = f"folder-{listing.state()}{size}{cut}{skip}-{FORM}"
    return cache.load(key, request.data_dir, lambda make: _decode(listing, request, make), f"folder:{folder}")


def _parted(listing: Listing, request: Request) -> tuple[Listing, str]:
    """The files with a test part, and the line that says so where it was cut.

    Raises:
        StudyError: There are too few classes, or images in one.
    """
    name, remark, parts = str(listing.folder), "", dict(listing.parts)
    if len(listing.class_names) < 2:
        raise StudyError(f"{name} has one class, {listing.class_names[0]}; a classifier needs at least 2")
    if not parts["train"]:
        raise StudyError(f"{name} has no images in its class folders {listed(list(listing.class_names))}; add some")
    counts = np.bincount(listing.labels("train"), minlength=len(listing.class_names))
    if counts.min() == 0:
        empty = [each for each, count in zip(listing.class_names, counts, strict=True) if not count]
        raise StudyError(f"{name} has no training images of {listed(empty)}; add some, or remove the folder")
    if "test" not in parts:
        cut, remark = test_rows(name, listing.labels("train"), request, listing.class_names)
        train = parts["train"]
        parts = {**parts, "train": [train[row] for row in np.flatnonzero(~cut)]}
        parts["test"] = [train[row] for row in np.flatnonzero(cut)]
    parted = replace(listing, parts=parts)
    if "val" not in parts:
        validation_size(name, parted.labels("train"), listing.class_names)
    return parted, remark


def _decode(listing: Listing, request: Request, make: cache.Make) -> Arrays:
    headers: dict[str, Header] = {}
    unreadable: dict[str, str] = {}

    def look(file: str) -> None:
        headers[file] = header(listing.folder / file)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of files that it can read all the same
        _for_each(list(listing), look, unreadable)
        found = -1
        while found < len(unreadable):  # a file whose header can be read may still be damaged: then without it
            found = len(unreadable)
            readable = _readable(listing, unreadable, request)
            parted, remark = _parted(readable, request)
            images = _images(parted, [headers[file] for file in parted], request, make, unreadable)
    return _arrays(parted, images, [remark, _left_out(unreadable)])


def _for_each(files: list[str], do: Callable[[str], None], unreadable: dict[str, str]) -> None:
    """Do something with each file; those that are `Unreadable` are added to a dictionary, with the reason."""

    def attempt(begin: int) -> None:
        for file in files[begin : begin + AT_A_TIME]:
            try:
                do(file)
            except Unreadable as error:
                unreadable[file] = str(error)

    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        for _ in pool.map(attempt, range(0, len(files), AT_A_TIME)):
            pass


def _readable(listing: Listing, unreadable: dict[str, str], request: Request) -> Listing:
    if unreadable and not request.skip_unreadable:
        advice = "mend or remove them, or leave them out with --skip-unreadable"
        raise StudyError(f"{listing.folder} has {_left_out(unreadable)}; {advice}")
    return listing.without(unreadable)


def _left_out(unreadable: dict[str, str]) -> str:
    """How many files are no images, with the first of them; empty where all are."""
    reasons = [f"{file} ({why})" for file, why in sorted(unreadable.items())]
    plural = "files that are no readable images" if len(reasons) > 1 else "file that is no readable image"
    return f"{len(reasons):,} {plural}: {listed(reasons)}" if reasons else ""


def _images(
    parted: Listing, headers: list[Header], request: Request, make: cache.Make, unreadable: dict[str, str]
) -> dict[str, Pixels]:
    """The pixels (n, height, width, channels) of the training images, with the validation images last, and of the test
    images: grey where all are, else in colour."""
    size = common_size(str(parted.folder), headers, request.image_size)
    channels = GREY if all(each.grey for each in headers) else COLOUR
    images = {}
    for part, files in _rows(parted).items():
        pixels, row = make(f"x_{part}", (len(files), *size, channels)), {file: row for row, file in enumerate(files)}

        def fill(file: str, pixels: Pixels = pixels, row: dict[str, int] = row) -> None:
            pixels[row[file]] = decoded(parted.folder / file, size, channels)

        _for_each(files, fill, unreadable)
        images[part] = pixels
    return images


def _rows(parted: Listing) -> dict[str, list[str]]:
    """The files of the rows of the training and the test images."""
    files = {part: [file for file, _ in found] for part, found in parted.parts.items()}
    return {"train": files["train"] + files.get("val", []), "test": files["test"]}


def _arrays(parted: Listing, images: dict[str, Pixels], said: list[str]) -> Arrays:
    rows, train, held_out = _rows(parted), parted.labels("train"), parted.labels("val")
    extra: Arrays = {CLASS_NAMES: np.array(parted.class_names)}
    if len(held_out):
        extra[VALIDATION] = np.arange(len(train), len(train) + len(held_out))
    found = leak(images["train"], images["test"], lambda part, row: rows[part][row])
    extra |= {LEAK: np.array(found)} if found else {}
    extra |= {REMARK: np.array("\n".join(filter(None, said)))} if any(said) else {}
    return {"x_train": images["train"], "y_train": np.concatenate([train, held_out]), "x_test": images["test"],
            "y_test": parted.labels("test"), **extra}  # fmt: skip
