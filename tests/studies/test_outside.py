"""Data and spaces from outside, through search, finals and report, by no way of their own."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tiny
from helpers import Command

import study

FEW = ("--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")
GARMENTS = [f"garment {number}" for number in range(12)]


@pytest.fixture(scope="module")
def fashion_like() -> str:
    """The name of a set as of TensorFlow Datasets, with classes and a size of its own."""
    # Imported here: where it prepares by default is decided on import, and other tests have folders of their own.
    import tensorflow_datasets as tfds

    class FashionLike(tfds.core.GeneratorBasedBuilder):  # TensorFlow Datasets knows it from now on
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Image(shape=(12, 10, 1)),
                "label": tfds.features.ClassLabel(names=GARMENTS),
            }
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
            )

        def _split_generators(self, manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples(144), "test": self._generate_examples(48)}

        def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
            rng = np.random.default_rng(count)
            for number in range(count):
                label = number % len(GARMENTS)
                image = rng.integers(0, 99, (12, 10, 1))
                image[label] += 150
                yield number, {"image": image.astype(np.uint8), "label": label}

    return "fashion_like"


def test_a_set_of_tensorflow_datasets_with_other_classes_and_sizes(
    command: Command, home: Any, fashion_like: str
) -> None:
    words = ("--dataset", fashion_like, "--data-dir", str(home.parent / "data"), "--space", "dense", "--space", "cnn")
    code, _, error = command("run", "a", *words, *FEW)
    assert code == 0, error
    found = study.load("a")
    assert {final.space for final in found.finals.itertuples()} == {"dense", "cnn"}
    assert set(found.finals.test_images) == {48}
    assert found.best_model("dense").output_shape == (None, 12)
    assert "garment 11" in (home / "a" / "report.html").read_text()
    assert '"fashion_like"' in (home / "a" / "report.json").read_text()


def test_colour_images_of_32_by_32_from_an_archive(command: Command, home: Any) -> None:
    archive = tiny.write_archive(home.parent / "colour.npz", images=48, channels=3, side=32)
    code, _, error = command("run", "a", "--dataset", f"npz:{archive}", "--space", "cnn", "--space", "paper", *FEW)
    assert code == 0, error
    found = study.load("a")
    assert set(found.finals.test_images) == {24}
    assert found.best_model("paper").input_shape == (None, 32, 32, 3)
    assert (home / "a" / "report.html").stat().st_size > 10**6


def test_kerastuners_xception_runs_on_grey_images(command: Command, home: Any) -> None:
    """Its loss wants one-hot labels, its hyperparameters are conditional, its classes are called `classes`. ResNet is
    in the documentation, whose every block is run."""
    archive = tiny.write_archive(home.parent / "images.npz", images=48, side=16)
    space = "keras_tuner.applications:HyperXception"
    code, output, error = command("run", "a", "--space", space, "--dataset", f"npz:{archive}", "--pruner", "none", *FEW)
    assert code == 0, (output, error)
    found = study.load("a")
    assert list(found.trials.state) == ["complete", "complete"]
    assert found.best_model().input_shape == (None, 16, 16, 1)
