"""Training and validation data as one."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from study.keras_tuner.union import union

X, Y = np.arange(6.0).reshape(3, 2), np.arange(3)
X_VAL, Y_VAL = -X[:1], -Y[:1]
NESTED = {"a": X, "b": [X, X]}


def test_arrays_are_joined_wherever_they_were_given() -> None:
    positional, named = union((X, Y), {"validation_data": (X_VAL, Y_VAL), "epochs": 3}, watches=False) or ((), {})
    assert [len(each) for each in positional] == [4, 4]
    assert positional[0][3].tolist() == X_VAL[0].tolist()
    assert named == {"epochs": 3}
    positional, named = union((X,), {"y": Y, "validation_data": (X_VAL, Y_VAL)}, watches=True) or ((), {})
    assert len(positional[0]) == len(named["y"]) == 4
    assert named["validation_data"] == (X_VAL, Y_VAL)


def test_nested_arrays_tensors_and_weights_are_joined() -> None:
    data = {"sample_weight": np.ones(3), "validation_data": (NESTED, tf.constant([7, 8, 9]), np.zeros(3))}
    positional, named = union((NESTED, tf.constant([1, 2, 3])), data, watches=False) or ((), {})
    assert positional[0]["b"][1].shape == (6, 2)
    assert positional[1].numpy().tolist() == [1, 2, 3, 7, 8, 9]
    assert named["sample_weight"].tolist() == [1, 1, 1, 0, 0, 0]


def test_a_share_that_keras_would_cut_off_is_trained_on() -> None:
    assert union((X, Y), {"validation_split": 0.3}, watches=False) == ((X, Y), {})
    assert union((X, Y), {"validation_split": 0.3}, watches=True) is None


@pytest.mark.parametrize(
    "positional, named",
    [
        ((X, Y), {}),
        ((X, Y), {"validation_data": (X_VAL[:, :1], Y_VAL)}),  # of another shape
        ((X, Y), {"validation_data": (NESTED, Y_VAL)}),
        ((X, Y), {"validation_data": (X_VAL, Y_VAL), "sample_weight": Y}),  # of one side alone
        ((X, Y), {"validation_data": tf.data.Dataset.from_tensors((X_VAL, Y_VAL))}),
        ((tf.data.Dataset.from_tensors((X, Y)),), {"validation_data": (X_VAL, Y_VAL)}),
        ((X, Y, 3), {"validation_data": (X_VAL, Y_VAL)}),  # a `fit` of its own, whose third argument nobody knows
    ],
)
def test_anything_else_is_not_joined(positional: Any, named: Any) -> None:
    assert union(positional, named, watches=False) is None
