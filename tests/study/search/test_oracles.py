"""KerasTuner's search algorithms, rebuilt from stored trials for each trial."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import optuna
import pytest
from optuna.trial import TrialState
from searches import definition

from study.records import DECLARED, RECORD, TrialRecord, plain
from study.search.grid import combinations
from study.search.hyperparameters import TrialHyperParameters
from study.search.samplers import ORACLES, SAMPLERS, KeyedSampler

Declare = Callable[[Any], float]


def small(hp: Any) -> float:
    """A space with a condition and logarithms, and the value of a configuration."""
    value = float(hp.Float("rate", 1e-3, 1e-1, sampling="log", default=1e-2))
    kind = hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        units = hp.Int("units", 8, 64, step=2, sampling="log")
    return value * (units if kind == "deep" else 100)


def grid(hp: Any) -> float:
    """Six configurations, four of them under a condition."""
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["plain"]):
        hp.Boolean("bias")
    with hp.conditional_scope("kind", ["deep"]):
        hp.Int("units", 1, 2)
        hp.Choice("activation", ["relu", "tanh"])
    return 1.0


def declared(declare: Declare) -> TrialHyperParameters:
    hp = TrialHyperParameters()
    declare(hp)
    return hp


def step(storage: Any, name: str, declare: Declare, *, lag: int = 1, known: bool = True, **tell: Any) -> Any:
    """Ask and tell one trial as a new process does; returns its values."""
    baseline: dict[str, Any] = {}
    sampler = KeyedSampler(
        SAMPLERS[name],
        lambda *key: definition.seed_for("space", *key),
        baseline,
        lag,
        declared(declare) if known else None,
    )
    sampler.takes_defaults = name == "kt-grid"
    study = optuna.create_study(
        storage=storage, study_name="a", load_if_exists=True, sampler=sampler, direction="maximize"
    )
    trial = study.ask()
    hp = TrialHyperParameters(
        trial, baseline if trial.number == 0 else None, baseline if sampler.takes_defaults else None
    )
    value = declare(hp)
    values = {name: plain(each) for name, each in hp.values.items()}
    record = TrialRecord(
        values=values, epochs=1, best_epoch=1, parameters=1, seconds=0, history={}, seed=0, worker="here"
    )
    trial.set_user_attr(RECORD, record.to_json())
    trial.set_user_attr(DECLARED, hp.declared())
    study.tell(trial, **(tell or {"values": value}))
    return values


def searched(name: str, declare: Declare, trials: int, **options: Any) -> list[Any]:
    storage = optuna.storages.InMemoryStorage()
    return [step(storage, name, declare, **options) for _ in range(trials)]


@pytest.mark.parametrize("name", ORACLES)
def test_values_are_kerastuners_and_the_same_after_every_restart(name: str) -> None:
    found = searched(name, small, 14)
    assert found == searched(name, small, 14)
    assert found[0] == {"rate": 1e-2, "kind": "plain"}
    # KerasTuner's Bayesian search repeats configurations (keras-tuner issue #608).
    assert len({tuple(values.items()) for values in found}) >= (8 if name == "kt-bayesian" else 14)
    for values in found:
        assert ("units" in values) == (values["kind"] == "deep")
        assert 1e-3 <= values["rate"] <= 1e-1
        assert values.get("units", 8) in (8, 16, 32, 64)


def test_the_grid_is_kerastuners_in_its_order(tmp_path: Path) -> None:
    class Space(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            grid(hp)
            import keras

            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile(loss="mse")
            return model

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> float:
            return 1.0

    tuner = keras_tuner.GridSearch(Space(), max_trials=None, directory=tmp_path, seed=1)
    tuner.search(verbose=0)
    theirs = [tuner.oracle.trials[number].hyperparameters.values for number in tuner.oracle.start_order]
    assert len(theirs) == 6
    ours = searched("kt-grid", grid, 6)
    assert ours == theirs


@pytest.mark.parametrize("name", ["kt-grid", "kt-random"])
def test_every_combination_is_tried_before_one_is_repeated(name: str) -> None:
    found = searched(name, grid, 9)
    six = [tuple(values.items()) for values in found[:6]]
    assert len(set(six)) == 6
    assert all(tuple(values.items()) in six for values in found[6:])


def test_a_hyperparameter_that_appears_later_is_searched_from_then_on() -> None:
    def in_fit(hp: Any) -> float:
        hp.Choice("kind", ["a", "b"])
        hp.Choice("batch_size", [32, 64, 128])
        return 1.0

    # Nothing is known before the first trial, like what `fit` declares.
    found = searched("kt-grid", in_fit, 6, known=False)
    combinations = [(values["kind"], values["batch_size"]) for values in found]
    assert combinations == list(itertools.product("ab", [32, 64, 128]))


def test_the_grid_has_one_round_with_several_workers() -> None:
    def in_fit(hp: Any) -> float:
        hp.Choice("kind", list("abcdef"))
        hp.Choice("batch_size", [16, 32, 64, 128, 256, 512])
        return 1.0

    found = searched("kt-grid", in_fit, 40, known=False, lag=8)
    combinations = [(values["kind"], values["batch_size"]) for values in found[9:]]
    assert combinations == list(itertools.product("abcdef", [16, 32, 64, 128, 256, 512]))[1:32]


def test_a_stepped_float_is_not_drawn_again() -> None:
    def steps(hp: Any) -> float:
        return float(hp.Float("x", 0.0, 0.9, step=0.1))

    assert len({values["x"] for values in searched("kt-random", steps, 7)}) == 7


def test_the_bayesian_search_learns() -> None:
    def peak(hp: Any) -> float:
        x = float(hp.Float("x", 0.0, 1.0, default=0.0))
        return -((x - 0.7) ** 2)

    found = [values["x"] for values in searched("kt-bayesian", peak, 12)]
    assert min(abs(x - 0.7) for x in found[4:]) < 0.02


def test_pruned_trials_count_and_failed_ones_do_not() -> None:
    storage = optuna.storages.InMemoryStorage()
    for _ in range(4):
        step(storage, "kt-bayesian", small, state=TrialState.FAIL)
    assert step(storage, "kt-bayesian", small)["rate"] > 0


def test_a_grid_may_declare_a_name_under_several_conditions() -> None:
    def twice(hp: Any) -> float:
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            hp.Choice("size", ["small", "large"])
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("size", 1, 3)
        return 1.0

    sizes = [values["size"] for values in searched("kt-grid", twice, 5)]
    assert sizes == ["small", "large", 1, 2, 3]


def test_combination_0_is_the_defaults() -> None:
    assert next(combinations(declared(grid).copy())) == {"kind": "plain", "bias": False}


def test_what_a_build_does_not_use_makes_no_combination() -> None:
    def layers(hp: Any) -> float:
        return float(sum(hp.Choice(f"units_{index}", [4, 8]) for index in range(hp.Int("layers", 1, 2))))

    found = searched("kt-grid", layers, 6)
    assert [list(values.values()) for values in found] == [[1, 4], [1, 8], [2, 4, 4], [2, 4, 8], [2, 8, 4], [2, 8, 8]]
