"""What a space declares."""

from typing import Any

import keras
import keras_tuner
import pytest

from study.errors import StudyError
from study.search.declarations import declared, described


class Space(keras_tuner.HyperModel):
    """Declares a hyperparameter before its model is built, and two while it is."""

    def declare_hyperparameters(self, hp: Any) -> None:
        hp.Fixed("classes", 3)

    def build(self, hp: Any) -> None:
        hp.Choice("kind", ["plain", "deep"])
        with hp.conditional_scope("kind", ["deep"]):
            hp.Int("units", 4, 16, step=4)


def test_hyperparameters_are_described_by_name_and_condition() -> None:
    found = described(declared("space", Space()))
    assert list(found) == ["classes", "kind", "units if kind in ['deep']"]
    assert found["classes"] == {"kind": "Fixed", "value": 3}
    assert found["units if kind in ['deep']"] == {
        "kind": "Int", "default": None, "min_value": 4, "max_value": 16, "step": 4, "sampling": "linear"
    }  # fmt: skip


def test_declaring_keeps_the_dtype_policy() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        declared("space", Space())
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_defaults_that_cannot_be_built_are_refused_in_one_line() -> None:
    class Broken(keras_tuner.HyperModel):
        def build(self, hp: Any) -> None:
            raise RuntimeError("nothing\nhere")

    with pytest.raises(StudyError) as raised:
        declared("mine", Broken())
    assert str(raised.value) == "the search space 'mine' cannot build its defaults: RuntimeError: nothing here"
