"""The range of the pixels, from the command to the model that is kept."""

from pathlib import Path

import numpy as np
import pytest
import scaling
from helpers import Command

import study

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
