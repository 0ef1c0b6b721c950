"""Sets that are prepared in a folder of TensorFlow Datasets, as its own are once they were downloaded."""

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

CLASSES = ["a", "b", "c"]


def prepare(folder: Path, name: str, parts: Iterable[str], sizes: int = 1, words: bool = False) -> None:
    """A set of 30 images in each part, of so many sizes; with words it is none for classification."""
    rng = np.random.default_rng(0)
    tfds.disable_progress_bar()
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(8, 8, 1) if sizes == 1 else (None, None, 1)),
            "label": tfds.features.Text() if words else tfds.features.ClassLabel(names=CLASSES),
        }
    )

    def example(number: int) -> dict[str, Any]:
        image = rng.integers(0, 256, (8, 8 + number % sizes, 1)).astype(np.uint8)
        return {"image": image, "label": "a cat" if words else number % 3}

    splits = {part: [(number, example(number)) for number in range(30)] for part in parts}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        tfds.dataset_builders.store_as_tfds_dataset(name, "1.0.0", features, splits, data_dir=folder)
