"""What a trained model predicts."""

import keras
import numpy as np
import pytest

from study.images import Images
from study.training.prediction import probabilities


@pytest.mark.parametrize("outputs", ["softmax", None, "sigmoid"])
def test_probabilities_of_probabilities_logits_and_one_unit(outputs: str | None) -> None:
    units = 1 if outputs == "sigmoid" else 3
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(units, outputs)])
    images = Images(np.random.default_rng(0).integers(0, 256, (18, 6, 6, 1), np.uint8), np.arange(18) % 3)
    found = probabilities(model, images)
    assert found.shape == (18, max(units, 2))
    assert found.sum(axis=1) == pytest.approx(1)
    raw = model.predict(images.scaled, verbose=0)
    expected = raw.argmax(axis=1) if units > 1 else (raw[:, 0] > 0.5).astype(int)
    assert np.array_equal(found.argmax(axis=1), expected)
