"""What a configuration is trained on."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny

from study.data.datasets import Dataset
from study.training.examples import Examples, balanced, targets


@pytest.mark.parametrize(
    "loss, one_hot",
    [
        ("categorical_crossentropy", True),
        ("sparse_categorical_crossentropy", False),
        (keras.losses.categorical_crossentropy, True),
        (keras.losses.SparseCategoricalCrossentropy(), False),
        (keras.losses.CategoricalCrossentropy(name="ce"), True),
        (["categorical_crossentropy"], True),
    ],
)
def test_labels_are_as_the_loss_expects_them(loss: Any, one_hot: bool) -> None:
    model = tiny.linear()
    model.compile(loss=loss)
    assert targets(model, np.array([0, 2]), 3).shape == ((2, 3) if one_hot else (2,))


def test_balanced_weights_let_every_class_count_alike() -> None:
    labels = np.array([0, 0, 0, 2])
    weights = balanced(labels)
    assert weights == pytest.approx({0: 4 / 6, 2: 4 / 2})
    totals = [sum(weights[label] for label in labels if label == each) for each in (0, 2)]
    assert totals[0] == pytest.approx(totals[1])


def test_class_weights_are_an_argument_of_fit_where_they_are_asked_for(tmp_path: Path) -> None:
    data: Dataset = tiny.small_images(tmp_path, 90)
    model = tiny.compiled()
    _, options = Examples(data.train, data.validation).arguments(model, 1)
    assert "class_weight" not in options
    _, options = Examples(data.train, data.validation, class_weights="balanced").arguments(model, 1)
    assert options["class_weight"] == balanced(data.train.y)
