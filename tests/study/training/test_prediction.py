"""What a trained model predicts."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.images import Images
from study.training.prediction import expected_calibration_error, probabilities


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


@given(st.integers(1, 200), st.integers(2, 6), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_calibration_error_is_a_share_that_no_order_changes(n: int, classes: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted = rng.dirichlet(np.full(classes, rng.uniform(0.05, 2)), n).astype(np.float32)
    labels, order = rng.integers(0, classes, n), rng.permutation(n)
    found = expected_calibration_error(predicted, labels, bins)
    assert 0 <= found <= 1
    assert expected_calibration_error(predicted[order], labels[order], bins) == pytest.approx(found)
    whole = abs((predicted.argmax(axis=1) == labels).mean() - predicted.max(axis=1).astype(float).mean())
    assert found >= whole - 1e-9  # finer bins only find more
    assert expected_calibration_error(predicted, labels, 1) == pytest.approx(whole)


@given(st.dictionaries(st.integers(26, 50), st.integers(1, 4), min_size=1, max_size=8))
def test_what_is_as_sure_as_it_is_right_is_calibrated(groups: dict[int, int]) -> None:
    """Of 50 images whose answers have the probability k/50, k are right; each wrong one more adds 1/n."""
    predicted, labels = [], []
    for right, copies in groups.items():
        for image in range(50 * copies):
            predicted.append([right / 50, 1 - right / 50])
            labels.append(int(image >= right * copies))
    assert expected_calibration_error(np.array(predicted), np.array(labels)) == pytest.approx(0, abs=1e-12)
    wrong = np.array(labels)
    wrong[0] = 1
    assert expected_calibration_error(np.array(predicted), wrong) == pytest.approx(1 / len(labels))


def test_the_calibration_error_by_hand() -> None:
    """Guo et al. 2017, equation 3: bins are open below, so that 0.8 of ten bins is in the eighth."""
    predicted = np.array([[0.8, 0.2], [0.75, 0.25], [0.05, 0.95], [0.0, 1.0]])
    labels = np.array([0, 1, 1, 0])
    in_eighth, in_last = abs(0.5 - 0.775) * 2, abs(0.5 - 0.975) * 2
    assert expected_calibration_error(predicted, labels, 10) == pytest.approx((in_eighth + in_last) / 4)
