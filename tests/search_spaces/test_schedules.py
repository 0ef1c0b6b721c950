"""Learning rates over the whole of a training, with Keras alone."""

import json
from typing import Any

import keras
import numpy as np
import pytest

import search_spaces
from search_spaces import Budget, Cosine, OneCycle
from search_spaces.schedules import Annealed

X, Y = np.random.default_rng(0).random((40, 3)).astype(np.float32), np.arange(40) % 3


def rates(schedule: Any, steps: int) -> list[float]:
    return [float(schedule(step)) for step in range(steps)]


def compiled(rate: Any, **options: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax", kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(rate, **options), "sparse_categorical_crossentropy")
    return model


def trained(rate: Any, *fits: dict[str, Any], **options: Any) -> list[Any]:
    """The weights after some fits of batches of 10."""
    model = compiled(rate, **options)
    for each in fits:
        model.fit(X, Y, batch_size=10, shuffle=False, verbose=0, **each)
    return model.get_weights()


def same(one: list[Any], other: list[Any]) -> bool:
    return all(map(np.array_equal, one, other))


def test_one_cycle_rises_to_its_peak_and_falls_to_0() -> None:
    # Up in 2 of 8 steps, down in 6; each rate is that of the middle of its step.
    assert rates(OneCycle(0.6, 0.25, steps=8), 8) == pytest.approx(
        [0.15, 0.45, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05], abs=1e-6
    )
    assert float(OneCycle(0.6, 0.25, steps=8)(8)) == 0.0


def test_a_cosine_falls_from_its_peak_to_0() -> None:
    expected = [(1 + np.cos(np.pi * (step + 0.5) / 5)) / 2 for step in range(5)]
    assert rates(Cosine(1.0, steps=5), 5) == pytest.approx(expected, abs=1e-6)
    assert float(Cosine(1.0, steps=5)(100)) == 0.0


def test_a_budget_begins_where_the_optimizer_is() -> None:
    schedule = OneCycle(0.6, 0.25)
    schedule.set_budget(100, 8)
    assert [float(schedule(step)) for step in (101, 107)] == pytest.approx([0.45, 0.05], abs=1e-6)


def test_a_fixed_number_of_steps_stays() -> None:
    schedule = Cosine(1.0, steps=5)
    schedule.set_budget(3, 100)
    assert rates(schedule, 5) == rates(Cosine(1.0, steps=5), 5)


@pytest.mark.parametrize("schedule", [Cosine(0.1), OneCycle(0.1, 0.4), OneCycle(0.1, steps=7), Cosine(0.1, 3)])
def test_a_schedule_is_serialised_with_its_optimizer(schedule: Annealed) -> None:
    stored = json.dumps(keras.optimizers.serialize(keras.optimizers.SGD(schedule)))
    again = keras.optimizers.deserialize(json.loads(stored))
    assert json.dumps(keras.optimizers.serialize(again)) == stored
    assert json.loads(stored)["config"]["learning_rate"]["config"] == schedule.get_config()


@pytest.mark.parametrize("schedule", [Cosine, OneCycle])
def test_without_a_budget_an_error_says_what_to_do(schedule: Any) -> None:
    with pytest.raises(ValueError, match=f"{schedule.__name__} does not know how many steps .* search_spaces.Budget"):
        trained(schedule(0.1), {"epochs": 1})


@pytest.mark.parametrize("ratio", [0, 1, -0.5])
def test_a_warm_up_is_a_share(ratio: float) -> None:
    with pytest.raises(ValueError, match="warmup_ratio lies between 0 and 1"):
        OneCycle(0.1, ratio)


def test_in_a_plain_fit_the_callback_tells_the_length() -> None:
    assert same(
        trained(OneCycle(0.5), {"epochs": 3, "callbacks": [Budget()]}), trained(OneCycle(0.5, steps=12), {"epochs": 3})
    )


class Joined(keras.optimizers.schedules.LearningRateSchedule):
    """The rates of two trainings, one after the other."""

    def __init__(self, first: Annealed, steps: int, second: Annealed) -> None:
        self.first, self.steps, self.second = first, steps, second

    def __call__(self, step: Any) -> Any:
        return keras.ops.where(step < self.steps, self.first(step), self.second(step - self.steps))


def test_each_fit_of_a_model_is_annealed_by_itself() -> None:
    """Although Keras traces the step once."""
    twice = trained(Cosine(0.5), *[{"epochs": epochs, "callbacks": [Budget()]} for epochs in (2, 1)])
    assert same(trained(Joined(Cosine(0.5, steps=8), 8, Cosine(0.5, steps=4)), {"epochs": 3}), twice)


def test_epochs_before_the_first_do_not_count() -> None:
    later = {"initial_epoch": 2, "epochs": 5, "callbacks": [Budget(initial_epoch=2)]}
    assert same(trained(Cosine(0.5), later), trained(Cosine(0.5, steps=12), {"epochs": 3}))


def test_accumulated_gradients_count_batches() -> None:
    """As Keras's own schedules do."""
    schedule = Cosine(0.5)
    trained(schedule, *[{"epochs": 2, "callbacks": [Budget()]}] * 2, gradient_accumulation_steps=2)
    assert [float(schedule(step)) for step in range(8, 16)] == rates(Cosine(0.5, steps=8), 8)


def test_a_saved_model_opens_with_its_schedule(tmp_path: Any) -> None:
    model = compiled(OneCycle(0.5, 0.1))
    model.fit(X, Y, batch_size=10, epochs=1, verbose=0, callbacks=[Budget()])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    schedule = search_spaces.schedules.schedule_of(loaded)
    assert isinstance(schedule, OneCycle)
    assert schedule.warmup_ratio == 0.1
