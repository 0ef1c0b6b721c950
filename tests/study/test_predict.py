"""The recommended model on images of one's own, and the lines of Python that do the same with Keras alone."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers import Command
from PIL import Image
from refusals import refused

import study
from study.errors import StudyError


def test_the_model_says_of_the_test_images_what_keras_and_the_test_say(finished: Path, archive: Path) -> None:
    found = study.load("a")
    table = found.predict(archive)  # of its arrays, x_test
    model = keras.models.load_model(found.best()["model"])
    with np.load(archive) as arrays:
        expected, labels = model.predict(arrays["x_test"] / 255, verbose=0), arrays["y_test"]
    assert np.abs(table[[f"p.{label}" for label in range(3)]] - expected).max(axis=None) < 1e-6
    assert np.abs(table["probability"] - expected.max(axis=1)).max() < 1e-6
    assert np.mean(table["class"] == labels.astype(str)) == pytest.approx(found.best()["test_accuracy"], abs=1e-9)


def test_the_command_prints_a_row_for_each_image(
    finished: Path, command: Command, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(archive) as arrays:
        x = arrays["x_test"][:3]
    Image.fromarray(x[0, :, :, 0]).save("photo.png")
    packed = io.BytesIO()
    np.savez(packed, x[1:])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed.getvalue())))
    code, output, error = command("predict", "a", "photo.png", "-", "--json")
    assert (code, error) == (0, "")
    rows = json.loads(output)
    assert [row["image"] for row in rows] == ["photo.png", "-[0]", "-[1]"]
    assert [row["probability"] for row in rows] == pytest.approx([max(row[f"p.{n}"] for n in range(3)) for row in rows])
    header, line = command("predict", "a", "photo.png")[1].splitlines()
    assert header.split() == ["image", "class", "probability"]
    assert line.split() == ["photo.png", rows[0]["class"], f"{rows[0]['probability']:.4f}"]


def test_best_prints_the_lines_that_do_the_same_with_keras_alone(finished: Path, command: Command) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)).save("photo.png")
    (row,) = json.loads(command("predict", "a", "photo.png", "--json")[1])
    code = json.loads(command("best", "a", "--json")[1])["python"]
    assert len([line for line in code.splitlines() if not line.startswith("#")]) == 5
    assert command("best", "a")[1].endswith(f"\n\n{code}\n")
    assert command("best", "a", "--space", "tiny:Tiny")[1].endswith(f"\n\n{code}\n")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["probabilities"][0] == pytest.approx([row[f"p.{label}"] for label in range(3)], abs=1e-6)


@pytest.mark.parametrize(
    "words, said",
    [
        (("b", "photo.png"), "no study named 'b'"),
        (("a", "none.png"), "none.png cannot be read: No such file or directory"),
        (("a", "runs/study.db"), "runs/study.db is no readable image"),
        (("a", "photo.png"), "photo.png is in colour (3 channels), and the images of the study are grey"),
        (("a", "photo.png", "--space", "dense"), "space must be one of tiny:Tiny; it was given 'dense'"),
        (("a",), "Missing argument 'FILE...'"),
    ],
)
def test_bad_input_is_a_line(words: tuple[str, ...], said: str, finished: Path, command: Command) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)).save("photo.png")
    assert said in refused(command, "predict", *words)


def test_a_study_without_a_model_says_how_it_comes_to_one(finished: Path, command: Command) -> None:
    model = Path(study.load("a").best()["model"])
    model.unlink()
    assert "the study 'a' has no saved model of tiny:Tiny" in refused(command, "predict", "a", "photo.png")
    with pytest.raises(StudyError, match="is gone"):
        study.load("a").predict("photo.png")
