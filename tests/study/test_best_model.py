"""The model that a study keeps, opened from Python."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny

import study
from study.errors import StudyError

SMALL: dict[str, Any] = {"trials": 1, "epochs": 1, "seeds": 1, "confirm": 0, "quiet": True}


class Doubled(keras.layers.Layer):
    """A layer that only its space has."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


class Own(tiny.Tiny):
    """Its models need a class that Keras does not have."""

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(Doubled())


def accuracy_of(model: keras.Model, archive: Path) -> float:
    with np.load(archive) as arrays:
        model.evaluate(arrays["x_test"] / 255, arrays["y_test"], verbose=0)
        predicted = model.predict(arrays["x_test"] / 255, verbose=0)
        assert np.allclose(predicted.sum(axis=1), 1, atol=1e-5)
        return float(np.mean(predicted.argmax(axis=1) == arrays["y_test"]))


def test_a_model_of_a_built_in_space_opens_by_itself(home: Path, archive: Path) -> None:
    found = study.run("a", spaces=["cnn"], dataset=f"npz:{archive}", **SMALL)
    model = found.best_model()
    assert accuracy_of(model, archive) == pytest.approx(found.finals.test_accuracy.iloc[0])
    assert type(model.loss) is keras.losses.SparseCategoricalCrossentropy
    assert not model.loss.from_logits


def test_a_model_with_classes_of_its_own_is_given_them(home: Path, archive: Path) -> None:
    found = study.run("a", spaces=[Own], dataset=f"npz:{archive}", **SMALL)
    with pytest.raises(StudyError, match=r"needs the class 'Doubled' of its search space: best_model\(custom_objects="):
        found.best_model()
    model = found.best_model(custom_objects={"Doubled": Doubled})
    assert accuracy_of(model, archive) == pytest.approx(found.finals.test_accuracy.iloc[0])
