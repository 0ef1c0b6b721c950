"""Data that cannot be used: one line, exit code 2, and nothing is created."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import prepared
import pytest
import tiny
from helpers import Command
from refusals import refused, tree

X, Y = np.zeros((30, 8, 8), np.uint8) + np.arange(0, 240, 8, np.uint8)[:, None, None], np.arange(30) % 3


def of_many_sizes(folder: Path) -> None:
    pictures.pixels(0, 20, 30).save(pictures.write_classes(folder / "photos") / "cat" / "large.jpg")


def no_images(folder: Path) -> None:
    (pictures.write_classes(folder / "photos") / "cat" / "notes.txt").write_text("notes")


def without_class_folders(folder: Path) -> None:
    shutil.move(pictures.write_classes(folder / "other") / "cat", folder / "photos")
    shutil.rmtree(folder / "other")


def one_image_of_a_class(folder: Path) -> None:
    pictures.write_classes(pictures.write_classes(folder / "photos"), 1, ("ox",))


def table(folder: Path, last: str) -> None:
    rows = [",".join(map(str, [y, *x.ravel()])) for x, y in zip(X, Y, strict=True)]
    (folder / "a.csv").write_text("\n".join([*rows, last]))


def archive(**arrays: Any) -> Callable[[Path], Any]:
    return lambda folder: tiny.write_archive(folder / "a.npz", **arrays)


def photos(folder: Path) -> None:
    pictures.write_classes(folder / "photos")


FOLDER, ARCHIVE, TABLE = ("--dataset", "folder:photos"), ("--dataset", "npz:a.npz"), ("--dataset", "csv:a.csv")
BAD: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], str]] = {
    "an empty folder": (lambda folder: (folder / "photos").mkdir(), FOLDER, "photos is empty; a data set has a folder"),
    "one class": (
        lambda folder: pictures.write_classes(folder / "photos", classes=("cat",)),
        FOLDER,
        "photos has one class, cat; a classifier needs at least 2",
    ),
    "a class with one image": (one_image_of_a_class, FOLDER, "the smallest, ox, has 1; add images"),
    "a class with none": (
        lambda folder: pictures.write_classes(pictures.write_classes(folder / "photos"), 0, ("ox",)),
        FOLDER,
        "photos has no training images of ox; add some",
    ),
    "no class folders": (without_class_folders, FOLDER, "photos has no class folders, but 0.png, 1.png, 2.png, 3.png"),
    "images beside class folders": (
        lambda folder: pictures.pixels(0).save(pictures.write_classes(folder / "photos") / "a.png"),
        FOLDER,
        "photos has images beside its class folders: a.png",
    ),
    "a part that is none": (
        lambda folder: pictures.write_parts(folder / "photos", "train", "test", "more"),
        FOLDER,
        "photos has more beside test, train; move it elsewhere",
    ),
    "no training part": (
        lambda folder: pictures.write_parts(folder / "photos", "test", "val"),
        FOLDER,
        "photos has test, val; it must have one folder train",
    ),
    "a class of the test alone": (
        lambda folder: pictures.write_classes(
            pictures.write_parts(folder / "photos", "train", "test") / "test", classes=("ox",)
        ),
        FOLDER,
        "test has the class ox, which train lacks",
    ),
    "files that are no images": (no_images, FOLDER, "1 file that is no readable image: cat/notes.txt (it is none of"),
    "mixed sizes": (of_many_sizes, FOLDER, "images of 2 sizes, height x width: 8x8 (18), 20x30 (1); give --image-size"),
    "no size": (photos, (*FOLDER, "--image-size", "0x5"), "--image-size is HEIGHTxWIDTH in pixels, such as 96x96"),
    "a share that leaves too few": (
        photos,
        (*FOLDER, "--test-share", "0.9"),
        "--test-share 0.9 cannot be cut from it: each class needs 2 images for training and validation and 1",
    ),
    "no share": (photos, (*FOLDER, "--test-share", "20"), "--test-share is a share between 0 and 1; it was given 20"),
    "labels of two kinds": (
        archive(y_test=np.array(["a"] * 45)),
        ARCHIVE,
        "labels are of two kinds, y_test is text and y_train int64",
    ),
    "NaN pixels": (archive(x_train=np.full((90, 6, 6), np.nan)), ARCHIVE, "x_train has pixels that are NaN"),
    "a row too short": (lambda folder: table(folder, "1,2"), TABLE, "a.csv has 2 of 65 values (NaN is none)"),
    "pickled objects": (archive(y_train=np.array([{}] * 90)), ARCHIVE, "is not a NumPy archive of numbers"),
    "no classification": (
        lambda folder: prepared.prepare(folder / "data", "own", ["train"], words=True),
        ("--dataset", "own"),
        "'own' is not an image classification set: its 'label' is not one integer per image",
    ),
    "no folder": (
        lambda folder: (folder / "pictures").mkdir(),
        FOLDER,
        "photos cannot be read: No such file or directory ({home} holds pictures); give an existing folder:DIR",
    ),
    "no archive": (photos, ARCHIVE, "a.npz cannot be read: No such file or directory ({home} holds photos)"),
    "no table": (photos, TABLE, "a.csv cannot be read: No such file or directory ({home} holds photos)"),
    "no disk": (photos, (*FOLDER, "--image-size", "90000x90000"), "there is no room for the decoded images in"),
}


@pytest.mark.parametrize("case", BAD)
def test_data_that_cannot_be_used_are_a_line(case: str, command: Command, home: Path) -> None:
    make, words, said = BAD[case]
    make(home.parent)
    before = tree(home.parent)
    folders = sorted(home.parent.rglob("*"))
    error = refused(command, "run", "a", *words, "--space", "tiny:Tiny")
    assert said.format(home=home.parent) in error
    assert tree(home.parent) == before
    assert sorted(home.parent.rglob("*")) == folders
