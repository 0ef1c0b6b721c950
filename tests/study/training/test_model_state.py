"""What is copied out of a model between two epochs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

from study.objective import Objective
from study.training.fused import fuse
from study.training.model_state import BestWeights, copy_callbacks, copy_variables, restore_callbacks, resumable


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


@pytest.mark.parametrize(("direction", "kept"), [("maximize", [1, 3]), ("minimize", [1, 2])])
def test_the_weights_of_the_best_epoch_are_kept(direction: Any, kept: list[int]) -> None:
    epochs: list[int] = []
    callback = BestWeights(lambda model: epochs.append(epoch), Objective("score", direction))
    for epoch, score in enumerate((0.5, 0.2, 0.9, float("nan")), 1):
        callback.on_epoch_end(epoch, {"score": score})
    assert epochs == kept


def test_without_the_objective_the_weights_of_the_last_epoch_are_kept() -> None:
    epochs: list[int] = []
    callback = BestWeights(lambda model: epochs.append(epoch), Objective("score", "maximize"))
    for epoch in (1, 2):
        callback.on_epoch_end(epoch, {"loss": 1.0})
    assert epochs == [1, 2]


def test_the_best_epoch_is_remembered_after_a_kill() -> None:
    kept: list[Any] = []
    first, second = (BestWeights(kept.append, Objective("score", "maximize")) for _ in range(2))
    first.on_epoch_end(1, {"score": 0.9})
    assert resumable([first])
    restore_callbacks([second], copy_callbacks([first]))
    second.on_epoch_end(2, {"score": 0.8})
    assert len(kept) == 1
