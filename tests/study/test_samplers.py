"""Samplers that a restart does not change."""

from collections.abc import Callable

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from searches import config, objective, sampler, table

from study.config import StudyConfig
from study.samplers import SAMPLERS, KeyedSampler


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

    def make(seed: int) -> optuna.samplers.BaseSampler:
        seeds.append(seed)
        return SAMPLERS["tpe"](seed)

    study = optuna.create_study(sampler=KeyedSampler(make, lambda *key: config.seed_for("space", *key), {}))
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


class TestKeyedTpeAsOptunaTestsSamplers(BasicSamplerTestCase):
    """Optuna's own conformance suite."""

    @pytest.fixture
    def sampler(self) -> Callable[[], KeyedSampler]:
        return lambda: sampler("tpe")
