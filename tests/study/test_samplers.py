"""Samplers that a restart does not change."""

from collections.abc import Callable

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from searches import keyed, objective, sampler, table

from study import extras
from study.config import StudyConfig
from study.errors import StudyError
from study.samplers import REFUSED, SAMPLERS, Draw, KeyedSampler, _Generations


def test_a_draw_depends_on_the_seed_and_the_trial() -> None:
    study = optuna.create_study(sampler=sampler("random"))
    study.optimize(objective, n_trials=8)
    assert len({trial.params["x"] for trial in study.trials}) == 8
    other = StudyConfig(seed=1)
    seeded = KeyedSampler(SAMPLERS["random"], lambda *key: other.seed_for("space", *key), {})
    changed = optuna.create_study(sampler=seeded)
    changed.optimize(objective, n_trials=8)
    assert table(changed) != table(study)


def test_every_draw_has_a_seed_of_its_own() -> None:
    seeds: list[int] = []

    def make(draw: Draw) -> optuna.samplers.BaseSampler:
        seeds.append(draw.seed)
        return SAMPLERS["tpe"](draw)

    study = optuna.create_study(sampler=keyed(make))
    study.optimize(objective, n_trials=15)
    assert len(seeds) > 30
    assert len(set(seeds)) == len(seeds)


def test_an_independent_draw_does_not_depend_on_the_order_of_the_parameters() -> None:
    def drawn(first: str, second: str) -> dict[str, float]:
        study = optuna.create_study(sampler=sampler("random"))
        study.ask()
        trial = study.ask()
        return {name: trial.suggest_float(name, 0, 1) for name in (first, second)}

    assert drawn("a", "b") == drawn("b", "a")


def test_trial_0_is_the_baseline_and_only_trial_0() -> None:
    study = optuna.create_study(sampler=sampler("tpe", {"x": 7.0}))
    values = [study.ask().suggest_float("x", 0, 10) for _ in range(3)]
    assert values[0] == 7.0
    assert 7.0 not in values[1:]


def test_a_sobol_sequence_fills_the_space_and_a_trial_keeps_its_point() -> None:
    study = optuna.create_study(sampler=sampler("qmc"))
    points = []
    for _ in range(16):
        trial = study.ask()
        points.append((trial.suggest_float("x", 0, 1), trial.suggest_int("y", 1, 8)))
        again = optuna.Trial(study, trial._trial_id)  # as a process that takes it up
        assert (again.suggest_float("x", 0, 1), again.suggest_int("y", 1, 8)) == points[-1]
        study.tell(trial, 0.0)
    # Each 8 points of the sequence that begin at a multiple of 8 lie in different eighths of each axis.
    assert sorted(int(x * 8) for x, _ in points[8:]) == list(range(8))
    assert sorted(y for _, y in points[8:]) == list(range(1, 9))


def test_generations_inherit_and_do_not_depend_on_the_process() -> None:
    def run(*sizes: int) -> optuna.Study:
        study = optuna.create_study()
        for size in sizes:
            study.sampler = keyed(lambda draw: _Generations(draw, population_size=6))
            study.optimize(lambda trial: sum(trial.suggest_float(name, -1, 1) ** 2 for name in "xy"), size)
        return study

    whole = run(60)
    assert table(whole) == table(run(3, 20, 37))
    first, last = ([trial.params["x"] for trial in trials] for trials in (whole.trials[:6], whole.trials[30:]))
    assert len(set(first)) == 6
    assert len(set(last)) < 24  # children have their parents' values


@pytest.mark.parametrize("name", REFUSED)
def test_a_sampler_that_cannot_be_resumed_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(StudyError, match=f"--sampler {name} cannot be had: Optuna's"):
        StudyConfig(sampler=name)


def test_a_sampler_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"--sampler gp needs torch: pip install 'keras-study\[gp\]'"):
        extras.check("--sampler gp")
    extras.check("--sampler tpe")


class TestKeyedTpeAsOptunaTestsSamplers(BasicSamplerTestCase):
    """Optuna's own conformance suite."""

    @pytest.fixture
    def sampler(self) -> Callable[[], KeyedSampler]:
        return lambda: sampler("tpe")
