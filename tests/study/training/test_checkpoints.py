"""A training that is interrupted and continued ends like one that was not."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import OneCycle
from study.data.datasets import Dataset
from study.errors import Interrupted
from study.training.checkpoints import Checkpoint, CheckpointFile, packable, sweep
from study.training.epochs import EpochLog


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 70)


@keras.saving.register_keras_serializable()
class Noise(keras.layers.Layer):
    """Draws from Keras's global generator, which belongs to no model."""

    def call(self, x: Any, training: bool = False) -> Any:
        """With noise while training."""
        return x + keras.random.normal((1, tiny.CLASSES), stddev=0.1, dtype=x.dtype) if training else x


class Everything(tiny.Tiny):
    """Everything that has a state: augmentation, dropout, normalisation, an optimizer's averages, callbacks, NumPy."""

    eagerly = True

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input((tiny.SIDE, tiny.SIDE, 1)),
                keras.layers.RandomTranslation(0.1, 0.1),
                keras.layers.Conv2D(4, 3),
                keras.layers.BatchNormalization(),
                keras.layers.Flatten(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(tiny.CLASSES),
                Noise(),
                keras.layers.Softmax(),
            ]
        )
        optimizer = keras.optimizers.AdamW(1e-2, use_ema=True)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=self.eagerly)
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        own = [
            keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.5),
            keras.callbacks.EarlyStopping("val_accuracy", patience=3, restore_best_weights=True),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(chance=np.random.rand())),
        ]
        return model.fit(*args, batch_size=16, callbacks=[*callbacks, *own], **kwargs)


class Traced(Everything):
    """The same, trained as a graph."""

    eagerly = False


class Annealed(Traced):
    """A rate that rises and falls with the steps of the whole training."""

    def build(self, hp: Any) -> keras.Model:
        model = super().build(hp)
        model.compile(keras.optimizers.AdamW(OneCycle(1e-2)), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=16, **kwargs)


class Mixed(Annealed):
    """The same in bfloat16, whose variables and optimizer are float32."""

    def build(self, hp: Any) -> keras.Model:
        keras.config.set_dtype_policy("mixed_bfloat16")
        return super().build(hp)


class Stops(Everything):
    """Is stopped by its own callback after the second epoch, with the weights of the first."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        stopping = keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
        return model.fit(*args, batch_size=16, callbacks=[*callbacks, stopping], **kwargs)


class TwoStages(tiny.Tiny):
    """Trains in two stages."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        model.fit(*args, batch_size=32, **kwargs)
        model.optimizer.learning_rate = 0.01
        return model.fit(*args, batch_size=32, **kwargs)


class Killed(Interrupted):
    """Stands for the end of the process."""


def interrupted(
    data: Dataset, hypermodel: Any, file: CheckpointFile | None, stops: list[int], epochs: int = 6
) -> tuple[keras.Model, EpochLog]:
    """The model and the log of a fit that is killed after each of these epochs and then continued."""
    for stop in [*stops, 0]:
        log = EpochLog()

        def on_epoch(epoch: int, logs: dict[str, float], stop: int = stop) -> None:
            if epoch == stop:
                raise Killed

        before = np.random.get_state()
        with suppress(Killed):
            model, _ = tiny.fitted(data, hypermodel, epochs, seed=3, log=log, checkpoint=file, on_epoch=on_epoch)
        np.random.set_state(before)
    return model, log


def killed(data: Dataset, hypermodel: Any, file: CheckpointFile) -> None:
    """A fit that is killed after its first epoch."""

    def kill(epoch: int, logs: dict[str, float]) -> None:
        raise Killed

    with pytest.raises(Killed):
        tiny.fitted(data, hypermodel, 6, seed=3, checkpoint=file, on_epoch=kill)


def same(one: tuple[Any, ...], two: tuple[Any, ...]) -> bool:
    return one[1].history == two[1].history and all(
        np.array_equal(a, b) for a, b in zip(one[0].get_weights(), two[0].get_weights(), strict=True)
    )


@pytest.fixture
def warnings_said() -> list[str]:
    return []


@pytest.fixture
def file(tmp_path: Path, warnings_said: list[str]) -> CheckpointFile:
    return CheckpointFile(tmp_path / "checkpoints" / "a-0.npz", "a 0", warnings_said.append)


@pytest.fixture(scope="module")
def everything(data: Dataset) -> tuple[keras.Model, EpochLog]:
    """Everything that has a state, after a fit that was not interrupted."""
    return interrupted(data, Everything(), None, [])


@pytest.mark.parametrize(
    "hypermodel, stops",
    [(Everything(), [1, 3, 4]), (Everything(), [2, 2, 5]), (Traced(), [2]), (Annealed(), [1, 4]), (Mixed(), [1, 4])],
)
def test_an_interrupted_fit_ends_like_an_uninterrupted_one(
    data: Dataset, everything: Any, file: CheckpointFile, warnings_said: list[str], hypermodel: Any, stops: list[int]
) -> None:
    whole = everything if type(hypermodel) is Everything else interrupted(data, hypermodel, None, [])
    assert len({tuple(values) for values in whole[1].history.values()}) > 3
    assert same(whole, interrupted(data, hypermodel, file, stops))
    assert warnings_said == []
    file.remove()
    assert list(file.file.parent.iterdir()) == []


def test_a_fit_that_was_stopped_by_its_callback_stays_stopped(data: Dataset, file: CheckpointFile) -> None:
    whole = interrupted(data, Stops(), None, [])
    assert whole[1].epochs == 2
    assert same(whole, interrupted(data, Stops(), file, [2, 2]))


def test_a_fit_in_stages_starts_again(data: Dataset, file: CheckpointFile) -> None:
    whole = interrupted(data, TwoStages(), None, [], epochs=3)
    assert whole[1].epochs == 6
    assert same(whole, interrupted(data, TwoStages(), file, [2, 5], epochs=3))


def test_a_checkpoint_of_another_model_is_not_used(
    data: Dataset, everything: Any, file: CheckpointFile, warnings_said: list[str]
) -> None:
    killed(data, tiny.Tiny(), file)
    assert same(everything, interrupted(data, Everything(), file, []))
    assert len(warnings_said) == 1
    assert "cannot be used (its model is another); its training starts again from epoch 0" in warnings_said[0]


def test_a_checkpoint_of_another_training_is_not_used(file: CheckpointFile, warnings_said: list[str]) -> None:
    file.write(Checkpoint([np.arange(3)], {}))
    file.wait()
    assert CheckpointFile(file.file, "b 0", warnings_said.append).read() is None
    assert "it is of another training" in warnings_said[0]


STATE = {"best": float("-inf"), "weights": [np.arange(6.0).reshape(2, 3)], "name": "é", "nested": {"none": None}}


def test_what_is_written_is_read_back(file: CheckpointFile) -> None:
    variables = [np.ones((2, 2), np.float32), np.array(3, np.int64), np.array([], np.uint32)]
    file.write(Checkpoint(variables, STATE))
    file.wait()
    found = file.read()
    assert found is not None
    assert packable(STATE)
    for one, two in zip(variables, found.variables, strict=True):
        assert np.array_equal(one, two)
        assert one.dtype == two.dtype
    assert found.state["best"] == float("-inf")
    assert np.array_equal(found.state["weights"][0], STATE["weights"][0])
    assert found.state["name"] == "é"


@pytest.mark.parametrize("value", [object(), (1, 2), {1: 2}, [len], np.array(["a"])])
def test_what_a_checkpoint_cannot_hold(value: Any) -> None:
    assert not packable(value)


@settings(max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_checkpoint_is_never_taken_for_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int, cut: bool
) -> None:
    said: list[str] = []
    file = CheckpointFile(tmp_path_factory.mktemp("c") / "a-0.npz", "a 0", said.append)
    variables = [np.arange(40, dtype=np.float32), np.zeros((3, 4))]
    file.write(Checkpoint(variables, STATE))
    file.wait()
    content = bytearray(file.file.read_bytes())
    index = int(place * len(content))
    content[index] ^= bits
    file.file.write_bytes(content[:index] if cut else content)
    found = file.read()
    if found is None:
        assert "starts again from epoch 0" in said[0]
    else:  # the damage is in a part that is not read: a time, an attribute
        assert all(map(np.array_equal, found.variables, variables))
        assert np.array_equal(found.state["weights"][0], STATE["weights"][0])


def test_a_checkpoint_that_lost_its_end_costs_epochs_and_nothing_else(
    data: Dataset, everything: Any, file: CheckpointFile, warnings_said: list[str]
) -> None:
    killed(data, Everything(), file)
    subprocess.run(["truncate", "-s", "-1000", file.file], check=True)
    assert same(everything, interrupted(data, Everything(), file, []))
    assert len(warnings_said) == 1


def test_what_dead_processes_left_is_swept(tmp_path: Path) -> None:
    for name in ("dense-1.npz", "dense-2.npz", "draft-ab-77-dense-1.npz", "draft-ab-77-dense-2.npz"):
        (tmp_path / name).touch()
    sweep(tmp_path, {"dense-1.npz"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dense-1.npz", "draft-ab-77-dense-1.npz"]
    sweep(tmp_path / "none", set())


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    data: Dataset, everything: Any, full_disk: Path, fill: Callable[[Path], Any], warnings_said: list[str]
) -> None:
    file = CheckpointFile(full_disk / "checkpoints" / "a-0.npz", "a 0", warnings_said.append)
    fill(full_disk)
    assert same(everything, interrupted(data, Everything(), file, []))
    assert len(warnings_said) == 1
    assert "cannot be written (No space left on device); the training goes on" in warnings_said[0]


def test_a_disk_that_fills_up_keeps_the_checkpoint_before(
    data: Dataset, full_disk: Path, fill: Callable[[Path], Any], warnings_said: list[str]
) -> None:
    file = CheckpointFile(full_disk / "checkpoints" / "a-0.npz", "a 0", warnings_said.append)
    file.write(Checkpoint([np.arange(5)], {}))
    file.wait()
    fill(full_disk)
    file.write(Checkpoint([np.zeros(100_000)], {}))
    file.wait()
    found = file.read()
    assert found is not None
    assert np.array_equal(found.variables[0], np.arange(5))
    assert [each.name for each in file.file.parent.iterdir()] == ["a-0.npz"]


class Remembers(keras.callbacks.Callback):
    """Remembers what no checkpoint can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seen.add(epoch)
        (logs or {})["seen"] = float(len(self.seen))


class WithMemory(tiny.Tiny):
    """Trains with such a callback."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=32, callbacks=[Remembers(), *callbacks], **kwargs)


def test_a_callback_that_cannot_be_saved_makes_its_fit_start_again(data: Dataset, file: CheckpointFile) -> None:
    whole = interrupted(data, WithMemory(), None, [])
    assert whole[1].history["seen"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert same(whole, interrupted(data, WithMemory(), file, [3]))
    assert not file.file.exists()
