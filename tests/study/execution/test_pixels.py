"""The range of the pixels, from the command to the model that is kept."""

import json
from pathlib import Path

import numpy as np
import pytest
import scaling
from helpers import Command
from PIL import Image
from refusals import refused

import study
from study.data import archives, datasets

WORDS = ("--space", "scaling:Scaling", "--trials", "2", "--epochs", "3", "--seeds", "2", "--confirm", "0")
SHORT = ("--space", "scaling:Scaling", "--trials", "1", "--epochs", "1", "--seeds", "1", "--confirm", "0")
WARNING = (
    "scaling:Scaling: the models scale pixels of 0..255 themselves and are given 0..1; --pixels 0..255 gives them what "
    "they expect"
)


@pytest.fixture(autouse=True)
def none_seen() -> None:
    scaling.seen.clear()


def test_a_space_that_scales_again_is_warned_of_once(command: Command, archive: Path) -> None:
    code, output, _ = command("run", "a", "--dataset", f"npz:{archive}", "--quiet", *SHORT, "--space", "dense")
    assert code == 0
    assert [line for line in output.splitlines() if "--pixels" in line] == [WARNING]
    assert all(brightest <= 1 for fit in scaling.seen for brightest in fit)
    code, output, _ = command("resume", "a", "--trials", "2")
    assert (code, "--pixels" in output) == (0, False)


def test_a_space_that_scales_is_fed_what_it_scales(command: Command, home: Path, archive: Path) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--pixels", "0..255")
    code, output, error = command(*run, *WORDS)
    assert (code, error) == (0, "")
    assert "--pixels" not in output
    assert len(scaling.seen) > 2
    assert all(brightest > 200 for fit in scaling.seen for brightest in fit)
    found = study.load("a", home=home)
    finals = found.finals[found.finals.trial == found.best()["trial"]]
    with np.load(archive) as arrays:
        predicted = found.best_model().predict(arrays["x_test"].astype("float32"), verbose=0)
        accuracy = np.mean(predicted.argmax(axis=1) == arrays["y_test"])
    assert accuracy == pytest.approx(finals.sort_values("seed_index").test_accuracy.iloc[0])
    assert accuracy > 0.5
    assert np.allclose(predicted.sum(axis=1), 1, atol=1e-5)


def test_a_model_is_trained_again_with_the_same_pixels(command: Command, home: Path, archive: Path) -> None:
    words = ("train", "--space", "scaling:Scaling", "--values", "{}", "--epochs", "1", "--dataset", f"npz:{archive}")
    assert command(*words, "--pixels", "0..255", "-o", str(home.parent / "model.keras"))[0] == 0
    assert scaling.seen[0][0] > 200
    assert command(*words, "-o", str(home.parent / "model.keras"))[0] == 0
    assert scaling.seen[1][0] <= 1


@pytest.mark.parametrize("is_large", [False, True])
def test_standardised_images_are_taken_as_they_are(
    command: Command, home: Path, archive: Path, is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an array to the page; large ones are read where they lie."""
    monkeypatch.setattr(datasets, "IN_MEMORY", 1 if is_large else datasets.IN_MEMORY)
    monkeypatch.setattr(archives, "SMALL", 1 if is_large else archives.SMALL)
    with np.load(archive) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    for part in ("x_train", "x_test"):
        given[part] = ((given[part] - 100.0) / 60).astype(np.float32)
    np.savez(archive, **given)
    run = ("run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "2", "--epochs", "2")
    code, output, error = command(*run, "--seeds", "2", "--data-dir", str(home.parent / "data"))
    assert (code, error) == (0, "")
    assert ": standardised, taken as they are\n" in output
    found = study.load("a", home=home)
    predicted = found.best_model().predict(given["x_test"], verbose=0)
    finals = found.finals[found.finals.trial == found.best()["trial"]].sort_values("seed_index")
    assert np.mean(predicted.argmax(axis=1) == given["y_test"]) == pytest.approx(finals.test_accuracy.iloc[0])
    table = found.predict(archive)
    assert np.abs(table[[f"p.{label}" for label in range(3)]] - predicted).max(axis=None) < 1e-6
    assert "load_img" not in json.loads(command("best", "a", "--json")[1])["python"]
    Image.fromarray(np.zeros((6, 6), np.uint8)).save("photo.png")
    assert "photo.png is no array, and the images of the study are standardised" in refused(
        command, "predict", "a", "photo.png"
    )
    assert "; 6 × 6 pixels, grey, standardised; 3 classes" in (home / "a" / "report.html").read_text()
