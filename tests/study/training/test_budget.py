"""A schedule of the learning rate is told how many steps its fit takes."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
import tiny

from search_spaces import OneCycle
from study.data.datasets import Dataset
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit
from study.training.rehearsal import rehearse

Budgets = Callable[[], list[tuple[int, ...]]]
BATCH, STEPS = 16, 6
"""Images a batch, and batches an epoch, of which the last is smaller."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    found = tiny.small_images(tmp_path_factory.mktemp("data"), 110)
    assert math.ceil(len(found.train) / BATCH) == STEPS
    return found


class Told(keras.optimizers.schedules.LearningRateSchedule):
    """Writes what it is told to standard output: in the schedule, it would be a state that no checkpoint can hold."""

    is_told = False

    def set_budget(self, first: int, steps: int) -> None:
        self.is_told = True
        sys.stdout.write(f"{first} {steps}\n")

    def __call__(self, step: Any) -> Any:
        assert self.is_told, "it was asked for its rate before it was told how long the training is"
        return 0.01


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Budgets:
    """What the schedules were told, in batches: the first one and how many."""
    return lambda: [tuple(map(int, line.split())) for line in capsys.readouterr().out.splitlines()]


class Plain(tiny.Tiny):
    """One fit, by the schedule of its optimizer."""

    def build(self, hp: Any) -> keras.Model:
        model = tiny.compiled(eagerly=False)
        self.schedule = Told()
        model.compile(self.optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(self.schedule)

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=BATCH, **kwargs)


class Stages(Plain):
    """Continues to count the epochs."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, epochs: int, **kwargs: Any) -> Any:
        super().fit(hp, model, *args, epochs=2, **kwargs)
        return super().fit(hp, model, *args, initial_epoch=2, epochs=epochs, **kwargs)


class Compiled(Plain):
    """Its second stage has an optimizer of its own."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        super().fit(hp, model, *args, **kwargs)
        model.compile(keras.optimizers.SGD(self.schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return super().fit(hp, model, *args, **kwargs)


class Unfed(Plain):
    """Fed by Keras, with a third of the images."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        return super().fit(hp, model, x[: 2 * BATCH], y[: 2 * BATCH], **kwargs)


class Silent(Plain):
    """Its first stage is given no callbacks, so that nothing ends it."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, callbacks: Any, **kwargs: Any) -> Any:
        model.fit(x[:BATCH], y[:BATCH], epochs=7)
        return super().fit(hp, model, x, y, callbacks=callbacks, **kwargs)


class Accumulating(Stages):
    """Takes a step for two batches."""

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(self.schedule, momentum=0.9, gradient_accumulation_steps=2)


class Scaled(Plain):
    """Scales its loss."""

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.LossScaleOptimizer(super().optimizer())


def trained(data: Dataset, hypermodel: Any, stop_after: int | None = None, descents: tuple[int, ...] = ()) -> None:
    hp, examples = keras_tuner.HyperParameters(), tiny.examples(data)
    fit(Training(hypermodel, hp, examples, 4, 1, stop_after=stop_after, descents=descents), EpochLog())


@pytest.mark.parametrize(
    "hypermodel, stop_after, budgets",
    [
        (Plain(), None, [(0, 4 * STEPS)]),
        (Plain(), 3, [(0, 3 * STEPS)]),
        (Plain(), 5, [(0, 4 * STEPS)]),
        (Stages(), None, [(0, 2 * STEPS), (2 * STEPS, 2 * STEPS)]),
        (Stages(), 3, [(0, 2 * STEPS), (2 * STEPS, STEPS)]),
        (Compiled(), None, [(0, 4 * STEPS), (0, 4 * STEPS)]),
        (Unfed(), None, [(0, 8)]),
        (Unfed(), 1, [(0, 2)]),
        (Silent(), 2, [(0, 7), (7, 2 * STEPS)]),
        (Accumulating(), None, [(0, 2 * STEPS), (2 * STEPS, 2 * STEPS)]),
        (Scaled(), None, [(0, 4 * STEPS)]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Plain) else None,
)
def test_a_schedule_is_told_what_each_fit_really_trains(
    data: Dataset, told: Budgets, hypermodel: Plain, stop_after: int | None, budgets: list[tuple[int, int]]
) -> None:
    trained(data, hypermodel, stop_after)
    assert told() == budgets


@pytest.mark.parametrize(
    "hypermodel, stop_after, budgets",
    [
        (Plain(), None, [(0, 1), (1, 2), (3, 1)]),
        (Plain(), 3, [(0, 1), (1, 2)]),
        (Plain(), 2, [(0, 1), (1, 1)]),
        (Stages(), None, [(0, 1), (1, 1), (2, 1), (3, 1)]),
    ],
)
def test_a_rate_comes_down_wherever_trials_are_compared(
    data: Dataset, told: Budgets, hypermodel: Plain, stop_after: int | None, budgets: list[tuple[int, int]]
) -> None:
    trained(data, hypermodel, stop_after, descents=(1, 3))
    assert told() == [(STEPS * first, STEPS * epochs) for first, epochs in budgets]


def test_more_images_are_more_steps(data: Dataset, told: Budgets) -> None:
    hypermodel = Plain()
    examples = Examples(data.train_and_validation, None)
    fit(Training(hypermodel, keras_tuner.HyperParameters(), examples, 4, 1), EpochLog())
    assert told() == [(0, 4 * 7)]


def test_a_dry_run_has_a_budget_of_its_own(data: Dataset, told: Budgets) -> None:
    hypermodel = Plain()
    found = rehearse(
        hypermodel, keras_tuner.HyperParameters, tiny.examples(data), 9, Training.objective, lambda *_: None
    )
    assert found is not None
    assert found.repeatable
    assert set(told()) == {(0, 2 * 2)}


@pytest.mark.parametrize("descents, budgets", [((), [(0, 4)]), ((1, 3), [(0, 1), (1, 2), (3, 1)])])
def test_a_resumed_fit_keeps_its_budget(
    data: Dataset, told: Budgets, tmp_path: Path, descents: tuple[int, ...], budgets: list[tuple[int, int]]
) -> None:
    """The epochs that an interrupted process has trained count."""

    class Killed(Exception):
        pass

    def kill(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            raise Killed

    file, hypermodel, log = CheckpointFile(tmp_path / "a-0.npz", "a 0", pytest.fail), Plain(), EpochLog()
    hp, examples = keras_tuner.HyperParameters(), tiny.examples(data)
    training = Training(hypermodel, hp, examples, 5, 1, stop_after=4, descents=descents)
    with pytest.raises(Killed):
        fit(training, EpochLog(), Hooks(on_epoch=kill), file)
    told()
    fit(training, log, checkpoint=file)
    assert told() == [(STEPS * first, STEPS * epochs) for first, epochs in budgets]
    assert log.epochs == 4


class Endless(Plain):
    """A generator, whose length nobody knows."""

    def build(self, hp: Any) -> keras.Model:
        model = tiny.compiled(eagerly=False)
        model.compile(keras.optimizers.Adam(OneCycle(0.01)), "sparse_categorical_crossentropy")
        return model

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, epochs: int, **kwargs: Any) -> Any:
        return model.fit(((x[:8], y[:8]) for _ in range(3)), epochs=1, shuffle=False, **kwargs)


def test_data_of_unknown_length_are_an_error_that_says_what_to_do(data: Dataset) -> None:
    with pytest.raises(ValueError, match="OneCycle does not know how many steps the training takes: give it steps="):
        trained(data, Endless())
