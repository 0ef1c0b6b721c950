"""Every row of "what I have -> what I type" in docs/data.md: what is typed reads what there is."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import prepared
import pytest
import tiny
import typer

from study import cli
from study.config import DATA_OPTIONS, Definition, Resources
from study.data import datasets
from study.paths import absolute, absolute_dataset

PAGE = Path(__file__).parents[3] / "docs" / "data.md"
ROWS = [
    (have, typed) for have, typed in re.findall(r"^\| (.+?) \| `(--dataset .+?)` \|$", PAGE.read_text(), re.MULTILINE)
]
Y = np.arange(30) % 3
X = np.random.default_rng(0).integers(0, 256, (30, 8, 8)).astype(np.uint8)
TEST = {"x_test": X[:9], "y_test": Y[:9]}


def of_many_sizes(folder: Path) -> None:
    pictures.pixels(0, 20, 30).save(pictures.write_classes(folder / "photos") / "cat" / "large.jpg")


def some_damaged(folder: Path) -> None:
    (pictures.write_classes(folder / "photos") / "cat" / "damaged.jpg").write_bytes(b"no image")


def table(folder: Path) -> None:
    rows = [",".join(map(str, [y, *x.ravel()])) for x, y in zip(X, Y, strict=True)]
    (folder / "train.csv").write_text("\n".join([",".join(["label", *(f"pixel{n}" for n in range(64))]), *rows]))


def set_of(*parts: str, **words: Any) -> Callable[[Path], None]:
    return lambda folder: prepared.prepare(folder / "data", "mine", parts, **words)


MADE: dict[str, Callable[[Path], Any]] = {
    "nothing yet": lambda folder: None,
    "image files in `photos/train": lambda folder: pictures.write_parts(folder / "photos", "train", "test"),
    "the same with": lambda folder: pictures.write_parts(folder / "photos", "train", "test", "val"),
    "image files in `photos/CLASS": lambda folder: pictures.write_classes(folder / "photos"),
    "image files of many sizes": of_many_sizes,
    "image files of which some are damaged": some_damaged,
    "arrays `x_train`": lambda folder: tiny.write_archive(folder / "images.npz"),
    "arrays without a test set": lambda folder: np.savez(folder / "images.npz", x_train=X, y_train=Y),
    "arrays with a validation set": lambda folder: np.savez(
        folder / "images.npz", x_train=X, y_train=Y, x_val=X[:9], y_val=Y[:9], **TEST
    ),
    "arrays with labels as text": lambda folder: np.savez(
        folder / "images.npz", x_train=X, y_train=np.array(["a", "b", "c"])[Y], **TEST | {"y_test": ["a"] * 9}
    ),
    "arrays with flat rows": lambda folder: np.savez(
        folder / "images.npz", x_train=X.reshape(30, 64), y_train=Y, **TEST | {"x_test": X[:9, None]}
    ),
    "a CSV file": table,
    "a set of TensorFlow Datasets": set_of("train", "test"),
    "one without a test split": set_of("train"),
    "one whose test split": set_of("train", "validation"),
    "one with images of many sizes": set_of("train", sizes=3),
    "a set of my own": lambda folder: prepared.prepare(folder / "sets", "mine", ["train", "test"]),
}
"""What there is, by the beginning of its row. MNIST's original files are read in test_catalog.py."""


def test_every_row_is_tried() -> None:
    assert len(ROWS) == len(MADE) + 1
    for have, _ in ROWS:
        assert have.startswith("MNIST's four original files") or len([row for row in MADE if have.startswith(row)]) == 1


@pytest.mark.parametrize("have", MADE)
def test_what_is_typed_reads_what_there_is(have: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MADE[have](tmp_path)
    (typed,) = (typed for row, typed in ROWS if row.startswith(have))
    application: Any = typer.main.get_command(cli.app)
    words = application.commands["run"].make_context("run", shlex.split(typed)).params
    options = {name: words[name] for name in DATA_OPTIONS}
    name = words["dataset"]
    dataset = absolute_dataset(name) if name == "digits" or ":" in name else "mine"  # which needs no download
    definition = Definition(dataset=dataset, **options)
    data_dir = absolute(words["data_dir"]) or str(tmp_path / "data")
    data = datasets.of(definition, Resources(data_dir=data_dir))
    assert min(len(data.train), len(data.validation), data.test_images) > 0
    assert len(data.test().x) == data.test_images
    assert data.num_classes in (3, 10)
    if words["image_size"] is not None:
        assert data.input_shape[:2] == (96, 96)
