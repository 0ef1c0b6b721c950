"""The adapter against KerasTuner's own semantics."""

import copy
import math
from typing import Any

import keras_tuner
import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras_tuner.engine import hyperparameters as kinds
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from study.search.hyperparameters import TrialHyperParameters, question


def study() -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


def values_of(declare: Any, trials: int = 60) -> set[Any]:
    """The values of a hyperparameter over many trials."""
    asked = study()
    return {declare(TrialHyperParameters(asked.ask())) for _ in range(trials)}


def test_int_reaches_both_ends_and_keeps_to_its_grid() -> None:
    assert values_of(lambda hp: hp.Int("n", 1, 3)) == {1, 2, 3}
    assert values_of(lambda hp: hp.Int("n", 6, 13, step=3)) == {6, 9, 12}


@pytest.mark.parametrize("top, step", [(1.0, 0.1), (1.0, 0.2), (0.6, 0.1), (0.5, 0.05)])
def test_a_stepped_float_reaches_its_top_and_has_no_rounding_errors(top: float, step: float) -> None:
    found = values_of(lambda hp: hp.Float("x", 0.0, top, step=step), trials=200)
    expected = {float(f"{index * step:.12g}") for index in range(round(top / step) + 1)}
    assert found == expected


def test_log_sampling_with_and_without_step() -> None:
    assert values_of(lambda hp: hp.Int("n", 2, 33, step=2, sampling="log")) == {2, 4, 8, 16, 32}
    assert values_of(lambda hp: hp.Int("n", 2, 32, step=2, sampling="reverse_log")) == {2, 18, 26, 30, 32}
    found = values_of(lambda hp: hp.Float("x", 1e-4, 1e-1, sampling="log"), trials=200)
    assert all(1e-4 <= value <= 1e-1 for value in found)
    assert sum(value < 10**-2.5 for value in found) == pytest.approx(100, abs=30)


def test_reverse_log_favours_the_top() -> None:
    found = values_of(lambda hp: hp.Float("x", 1.0, 100.0, sampling="reverse_log"), trials=300)
    assert all(1 <= value <= 100 for value in found)
    # low + high - y for a log-uniform y: half of the values lie above 101 - 10.
    assert sum(value > 91 for value in found) == pytest.approx(150, abs=40)


def test_a_choice_of_booleans_has_integers_as_in_kerastuner() -> None:
    assert values_of(lambda hp: hp.Choice("flag", [True, False])) == {1, 0}
    assert {type(value) for value in values_of(lambda hp: hp.Choice("flag", [True, False]))} == {int}
    assert {type(value) for value in values_of(lambda hp: hp.Boolean("flag"))} == {bool}


def test_repeated_choices_and_fixed_values() -> None:
    assert values_of(lambda hp: hp.Choice("kind", ["a", "b", "a"])) == {"a", "b"}
    trial = study().ask()
    assert TrialHyperParameters(trial).Fixed("units", 7) == 7
    assert trial.params == {}


def test_an_inactive_hyperparameter_is_none_and_is_not_drawn() -> None:
    trial = study().ask({"kind": CategoricalDistribution(["plain"])})
    hp = TrialHyperParameters(trial)
    assert hp.Choice("kind", ["plain"]) == "plain"
    with hp.conditional_scope("kind", ["deep"]):
        assert hp.Int("units", 1, 9) is None
    assert trial.params == {"kind": "plain"}
    assert "units" not in hp.values


def test_the_same_name_under_two_conditions_is_two_parameters() -> None:
    asked, seen = study(), set()
    for _ in range(30):
        trial = asked.ask()
        hp = TrialHyperParameters(trial)
        kind = hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            hp.Choice("size", ["small", "large"])
        with hp.conditional_scope("kind", ["b"]):
            hp.Int("size", 1, 9)
        assert (hp.get("size") in ("small", "large")) == (kind == "a")
        seen |= set(trial.params)
    assert seen == {"kind", "size[kind=a]", "size[kind=b]"}


def test_a_redeclaration_returns_the_first_value_whatever_it_says() -> None:
    trial = study().ask()
    hp = TrialHyperParameters(trial)
    first = hp.Int("a", 1, 10)
    assert hp.Int("a", 100, 200) == first
    assert hp.Choice("a", ["x", "y"]) == first
    assert hp.Fixed("a", 5) == first
    assert len(hp.space) == 1
    assert len(trial.params) == 1


def test_a_value_set_before_is_kept_unchecked_and_not_drawn() -> None:
    trial = study().ask()
    hp = TrialHyperParameters(trial)
    hp.values["n"] = 99
    assert hp.Int("n", 3, 9) == 99
    assert trial.params == {}


def test_an_hp_registered_inactive_can_become_active() -> None:
    """keras-tuner issue #614: upstream raises KeyError."""
    hp = TrialHyperParameters(study().ask())
    hp.values["kind"] = "a"
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["b"]):
        assert hp.Int("n", 1, 3) is None
    hp.values["kind"] = "b"
    with hp.conditional_scope("kind", ["b"]):
        assert hp.Int("n", 1, 3) in (1, 2, 3)


def test_merge_draws_nothing() -> None:
    other = keras_tuner.HyperParameters()
    other.Int("n", 1, 9, default=4)
    trial = study().ask()
    hp = TrialHyperParameters(trial)
    hp.merge(other)
    assert trial.params == {}
    assert hp.values == {"n": 4}


def test_copies_are_kerastuners_own_and_draw_nothing() -> None:
    trial = study().ask()
    hp = TrialHyperParameters(trial)
    drawn = hp.Int("n", 1, 9)
    copied = hp.copy()
    assert type(copied) is keras_tuner.HyperParameters
    assert copied.Int("n", 1, 9) == drawn
    assert copied.Int("m", 1, 9, default=5) == 5
    assert list(trial.params) == ["n"]


def test_the_config_rebuilds_values_and_conditions() -> None:
    hp = TrialHyperParameters(study().ask())
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a", "b"]):
        hp.Float("x", 0.0, 1.0, step=0.25)
    rebuilt = TrialHyperParameters.from_config(copy.deepcopy(hp.get_config()))
    assert rebuilt.values == hp.values
    assert [each.name for each in rebuilt.space] == ["kind", "x"]


def test_a_hypermodel_that_is_not_tunable_keeps_its_defaults() -> None:
    class Part(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return hp.Int("n", 1, 9, default=5)

    trial = study().ask()
    assert Part(tunable=False).build(TrialHyperParameters(trial)) == 5
    assert trial.params == {}


def test_a_clash_of_names_says_what_to_do() -> None:
    asked = study()
    TrialHyperParameters(asked.ask()).Choice("size", ["small", "large"])
    trial = asked.ask()
    trial.suggest_categorical("size", ["small", "large"])
    with pytest.raises(ValueError, match=r"declared otherwise than in an earlier trial.*conditional_scope"):
        TrialHyperParameters(trial).Int("size", 1, 3)


def test_the_defaults_are_written_into_the_baseline() -> None:
    baseline: dict[str, Any] = {}
    hp = TrialHyperParameters(study().ask(), baseline)
    hp.Int("n", 2, 32, step=2, sampling="log", default=8)
    hp.Float("x", 1.0, 10.0, sampling="reverse_log", default=4.0)
    assert baseline == {"n~index": 2, "x~reflected": 7.0}


@pytest.mark.parametrize("limits", [{"min_value": 1, "max_value": 3}, {"min_value": 3, "max_value": 3}])
def test_a_default_outside_its_domain_is_used_and_not_drawn(limits: dict[str, int]) -> None:
    trial = study().ask()
    assert TrialHyperParameters(trial, {}).Int("n", **limits, default=99) == 99
    assert trial.params == {}


def test_a_default_that_has_no_logarithm_is_used_and_not_drawn() -> None:
    trial = study().ask()
    assert TrialHyperParameters(trial, {}).Float("x", 1e-3, 1.0, sampling="log", default=0.0) == 0.0
    assert trial.params == {}


numbers = st.integers(1, 60)
samplings = st.sampled_from(["linear", "log", "reverse_log"])


@st.composite
def specifications(draw: st.DrawFn) -> Any:
    """A random hyperparameter of any kind, made by KerasTuner itself."""
    hp = keras_tuner.HyperParameters()
    kind = draw(st.sampled_from(["int", "float", "choice", "boolean"]))
    if kind == "choice":
        values = draw(st.lists(st.integers() | st.booleans(), min_size=1, max_size=5))
        hp.Choice("p", [int(value) for value in values])
    elif kind == "boolean":
        hp.Boolean("p", default=draw(st.booleans()))
    else:
        low = draw(numbers)
        high = low + draw(st.integers(0, 60))
        sampling = draw(samplings)
        step = draw(st.none() | st.integers(2, 5) if sampling != "linear" else st.none() | st.integers(1, 9))
        scale = 1 if kind == "int" else draw(st.sampled_from([1.0, 0.1, 0.01]))
        declare = hp.Int if kind == "int" else hp.Float
        step = step if step is None or sampling != "linear" else step * scale
        declare("p", low * scale, high * scale, step=step, sampling=sampling)
    return hp.space[0]


def domain_holds(hp: Any, value: Any) -> bool:
    """KerasTuner's own domain, from its documentation, the top of a stepped Float included."""
    if isinstance(hp, (kinds.Choice, kinds.Boolean)):
        return value in hp.values
    low, high, step = hp.min_value, hp.max_value, hp.step
    if not low - 1e-9 <= value <= high + 1e-9:
        return False
    if step is None:
        return True
    if hp.sampling == "linear":
        return math.isclose((value - low) / step, round((value - low) / step), abs_tol=1e-6)
    grid = [low * step**power for power in range(64) if low * step**power <= high * (1 + 1e-9)]
    if hp.sampling == "reverse_log":
        grid = [low + high - point for point in grid]
    return any(math.isclose(value, point, rel_tol=1e-9) for point in grid)


@given(specifications(), st.integers(0, 2**31))
@settings(max_examples=300)
def test_every_drawn_value_lies_in_kerastuners_domain_and_encodes_back(hp: Any, seed: int) -> None:
    asked = question(hp)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask({asked.name: asked.distribution})
    answer = trial.params[asked.name]
    value = asked.decode(answer)
    assert domain_holds(hp, value)
    assert asked.decode(asked.encode(value)) == pytest.approx(value)
    assert isinstance(value, type(hp.default)) or isinstance(hp.default, bool)


@given(specifications())
@settings(max_examples=200)
def test_defaults_survive_the_round_trip_through_a_trial(hp: Any) -> None:
    asked = question(hp)
    assume(domain_holds(hp, hp.default))  # reverse_log with a step may not contain its own minimum
    assert asked.holds(hp.default)
    fixed = optuna.create_study()
    fixed.enqueue_trial({asked.name: asked.encode(hp.default)})
    trial = fixed.ask({asked.name: asked.distribution})
    assert asked.decode(trial.params[asked.name]) == pytest.approx(hp.default)


def test_the_parameters_of_optuna() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Int("n", 6, 13, step=3)
    hp.Float("x", 0.0, 1.0, step=0.1)
    hp.Int("width", 1, 100, sampling="log")
    found = {asked.name: asked.distribution for asked in map(question, hp.space)}
    assert found == {
        "n": IntDistribution(6, 12, step=3),
        "x": FloatDistribution(0.0, 1.0, step=0.1),
        "width": IntDistribution(1, 100, log=True),
    }
