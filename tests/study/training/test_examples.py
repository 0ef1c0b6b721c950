"""What a configuration is trained on."""

from typing import Any

import keras
import numpy as np
import pytest
import tiny

from study.training.examples import targets


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
