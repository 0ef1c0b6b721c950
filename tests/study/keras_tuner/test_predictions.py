"""What is kept of a model's predictions, by the kind of its targets and outputs."""

from typing import Any

import keras
import numpy as np
import pytest

from study.keras_tuner.predictions import Predictions, predictions

LABELS = np.array([0, 1, 2, 1])
ONE_HOT = np.eye(3)[LABELS]
WRONG = np.eye(3)[[0, 1, 2, 2]]
"""What is predicted: the last one wrongly."""


class Fixed(keras.Model):
    """A model that predicts what it is given as its inputs."""

    def call(self, inputs: Any) -> Any:
        return inputs


def found(outputs: Any, targets: Any, loss: Any) -> Predictions:
    model = Fixed()
    model.compile(loss=loss, run_eagerly=True)
    return predictions(model, np.asarray(outputs, "float32"), targets)


@pytest.mark.parametrize(
    "targets, loss",
    [
        (LABELS, "sparse_categorical_crossentropy"),
        (LABELS[:, None], "sparse_categorical_crossentropy"),
        (LABELS.astype(float), keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        (ONE_HOT, "categorical_crossentropy"),
        (ONE_HOT, "mse"),
    ],
)
def test_a_classifier_has_a_confusion_matrix(targets: Any, loss: Any) -> None:
    assert found(WRONG, targets, loss) == Predictions([[1, 0, 0], [0, 1, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    "loss, counts",
    [
        ("binary_crossentropy", [[1, 1], [0, 2]]),
        (keras.losses.BinaryCrossentropy(from_logits=True), [[0, 2], [0, 2]]),
    ],
)
def test_a_sigmoid_decides_at_a_half_and_a_logit_at_zero(loss: Any, counts: Any) -> None:
    assert found([[0.1], [0.9], [0.7], [0.8]], np.array([0, 1, 0, 1]), loss).confusion == counts


def test_a_regression_has_targets_and_predictions() -> None:
    kept = found([[0.5], [1.5]], np.array([[1.0], [2.0]]), "mse").regression
    assert kept is not None
    assert kept["targets"].tolist() == [1.0, 2.0]
    assert kept["predictions"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    "outputs, targets, loss",
    [
        (np.ones((4, 5)), np.ones((4, 5)), "mse"),  # an autoencoder
        (np.ones((4, 3)), np.array([0.5, 1, 2, 3]), "mse"),  # three quantiles of a number
        (np.ones((4, 1)), {"size": np.ones(4)}, "mse"),
        (np.ones((4, 1)), None, "mse"),
        (np.ones((4, 2)), np.array([0, 1, 2, 3]), "sparse_categorical_crossentropy"),  # more labels than outputs
        (np.ones((4, 1)), np.array(["a", "b", "c", "d"]), "mse"),
    ],
)
def test_of_anything_else_nothing_is_kept(outputs: Any, targets: Any, loss: Any) -> None:
    assert found(outputs, targets, loss) == Predictions()
