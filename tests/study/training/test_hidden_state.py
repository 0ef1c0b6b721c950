"""A training that remembers more than its model's weights is continued as it was, or said not to be."""

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import state_space
import tensorflow as tf
import tiny
from keras import layers

from study.data.datasets import Dataset
from study.errors import Interrupted
from study.training import epoch_callback, hidden_state
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.hidden_state import HiddenState

EPOCHS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 70)


@pytest.fixture(autouse=True)
def nothing_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_callback, "_said", set())


class Killed(Interrupted):
    """Stands for the end of the process."""


def trained(
    data: Dataset, space: type[state_space.Plain], file: CheckpointFile | None, stop: int = 0
) -> tuple[keras.Model | None, EpochLog]:
    """The model and the log of a training that ends after an epoch, if there is one to end after."""
    log = EpochLog()

    def kill(epoch: int, logs: dict[str, float]) -> None:
        if epoch == stop:
            raise Killed

    try:
        return tiny.fitted(data, space((6, 6, 1), 3), EPOCHS, log=log, checkpoint=file, on_epoch=kill)
    except Killed:
        return None, log


HELD = ("Plain", "TwoOptimizers", "StateVariables", "ScheduleVariable", "Stopping", "Unbuilt")
"""Spaces whose trainings are continued."""
NOT_HELD = {
    "LateOptimizer": "the optimizer adam (Adam) makes its variables while the model trains: build it in build(hp)",
    "ScheduleObject": "Halving.calls changes while the model trains",
    "Counter": "Counter.fit.<locals>.scale.seen changes while the model trains",
    "Thawing": "dense.trainable changes while the model trains",
}
"""And those whose are not, with what is said of each."""


@pytest.mark.parametrize("name", [*HELD, *NOT_HELD])
def test_a_training_that_is_interrupted_ends_as_it_would_have(data: Dataset, tmp_path: Path, name: str) -> None:
    space, said = getattr(state_space, name), list[str]()
    file = CheckpointFile(tmp_path / "a-0.npz", "a 0", said.append)
    whole, whole_log = trained(data, space, None)
    for stop in (1, 2):
        _, log = trained(data, space, file, stop)
        file.wait()
        held = name in HELD or (name == "Thawing" and stop == 1)  # whose second epoch changes it
        assert file.file.exists() == held
        assert log.saved == (stop if held else 0)
    model, log = trained(data, space, file)
    assert log.history == whole_log.history
    assert whole is not None
    assert model is not None
    assert all(map(np.array_equal, model.get_weights(), whole.get_weights()))
    told = [f"no checkpoint is kept: {NOT_HELD[name]}; a kill costs"] if name in NOT_HELD else []
    assert [line.partition(" such")[0] for line in said] == told


class Remembering(layers.Layer):
    """Remembers what a test puts into it."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def call(self, x: Any) -> Any:
        """The same."""
        return x


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1, {"a": 2}], lambda value: value[1].update({"a": 3})),
        ({1, 2}, lambda value: value.add(3)),
        (np.zeros(3), lambda value: value.__setitem__(0, 1.0)),
        (generator(0), lambda value: value.random()),
        (random.Random(0), lambda value: value.random()),
        (list(range(hidden_state.LONGEST + 1)), lambda value: value.append(1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_of_what_a_layer_remembers_is_noticed(value: Any, change: Any) -> None:
    model = keras.Sequential([keras.Input((3,)), Remembering(value), layers.Dense(2)])
    model.compile("sgd", "mse")
    state = HiddenState(model, [])
    assert state.change() is None
    change(model.layers[0].value)
    assert state.change() == "Remembering.value changes while the model trains"


def test_a_handle_is_no_value() -> None:
    """A tensor of the type resource cannot be read."""
    model = keras.Sequential([keras.Input((3,)), Remembering(tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[]))])
    assert HiddenState(model, []).change() is None


COUNTS = {"calls": 0}


def test_a_counter_of_the_module_is_noticed_and_what_keras_does_is_not(data: Dataset) -> None:
    class Counting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            COUNTS["calls"] += epoch

    class Own(keras.Sequential):
        pass

    model = Own([keras.Input((6, 6, 1)), layers.Flatten(), Remembering(1), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    counting, states = Counting(), list[HiddenState]()
    begin = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: states.append(HiddenState(model, [counting])))
    x, y = data.train.scaled, data.train.y
    for epochs, said in ((1, None), (2, "Counting.on_epoch_end.COUNTS changes while the model trains")):
        model.fit(x, y, epochs=epochs, verbose=0, validation_data=(x, y), callbacks=[counting, begin])
        change = states[-1].change()
        assert change is None if said is None else str(change).endswith(said)


def test_callbacks_that_cannot_be_saved_are_named(data: Dataset, tmp_path: Path) -> None:
    class Holding(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[int] = set()

    said: list[str] = []
    for made in (Holding, lambda: keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")):

        class Space(tiny.Graph):
            callbacks = (made(),)

        for _ in range(2):
            file = CheckpointFile(tmp_path / "a-0.npz", "a 0", said.append)
            tiny.fitted(data, Space(), 2, checkpoint=file)
    assert [line.partition(";")[0] for line in said] == [
        "no checkpoint is kept: the callback Holding keeps a set as seen",
        "no checkpoint is kept: the callback ModelCheckpoint keeps files of its own",
    ]
