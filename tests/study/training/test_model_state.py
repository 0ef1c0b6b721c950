"""What is copied out of a model between two epochs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

from study.training.fused import fuse
from study.training.model_state import copy_variables


@pytest.mark.parametrize("eagerly", [False, True], ids=["graph", "eager"])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.1),
        lambda: optimizers.SGD(0.1, momentum=0.9),
        lambda: optimizers.RMSprop(0.1),
        lambda: optimizers.Ftrl(0.1),
    ],
    ids=["adam", "sgd", "rmsprop", "ftrl"],
)
def test_no_step_writes_into_what_was_copied(optimizer: Callable[[], Any], eagerly: bool) -> None:
    """The copies share TensorFlow's memory until it writes. An embedding is written row by row."""
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"), layers.Embedding(20, 64), layers.Flatten(), layers.BatchNormalization(),
            layers.Dropout(0.5), layers.Dense(100, "relu"), layers.Dense(3, "softmax"),
        ]
    )  # fmt: skip
    model.compile(optimizer(), "sparse_categorical_crossentropy", run_eagerly=eagerly)
    fuse(model)
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 20, (32, 4)), generator.integers(0, 3, 32)
    model.fit(x, y, batch_size=8, verbose=0)
    copied = copy_variables(model)
    then = [np.copy(values) for values in copied]
    model.fit(x, y, batch_size=8, verbose=0)
    changed = 0
    for values, before, after in zip(copied, then, copy_variables(model), strict=True):
        assert np.array_equal(values, before)
        changed += not np.array_equal(before, after)
    assert changed > 10
