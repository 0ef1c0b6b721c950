"""Samplers that draw the same after a restart."""

from collections.abc import Callable

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from searches import keyed, objective, sampler, table

from study import config
from study.errors import StudyError
from study.search.samplers import SAMPLERS, KeyedNSGAII, KeyedSampler, SamplerContext


def test_a_draw_depends_on_the_seed_and_the_trial() -> None:
    study = optuna.create_study(sampler=sampler("random"))
    study.optimize(objective, n_trials=8)
    assert len({trial.params["x"] for trial in study.trials}) == 8
    other = config.Definition(seed=1)
    seeded = KeyedSampler(SAMPLERS["random"], lambda *key: other.seed_for("space", *key), {})
    changed = optuna.create_study(sampler=seeded)
    changed.optimize(objective, n_trials=8)
    assert table(changed) != table(study)


def test_every_draw_has_its_own_seed() -> None:
    seeds: list[int] = []

    def make(context: SamplerContext) -> optuna.samplers.BaseSampler:
        seeds.append(context.seed)
        return SAMPLERS["tpe"](context)

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


def test_generations_inherit_and_do_not_depend_on_the_process() -> None:
    def run(*sizes: int) -> optuna.Study:
        study = optuna.create_study()
        for size in sizes:
            study.sampler = keyed(lambda context: KeyedNSGAII(seed=context.seed, population_size=6))
            study.optimize(lambda trial: sum(trial.suggest_float(name, -1, 1) ** 2 for name in "xy"), size)
        return study

    whole = run(60)
    assert table(whole) == table(run(3, 20, 37))
    first, last = ([trial.params["x"] for trial in trials] for trials in (whole.trials[:6], whole.trials[30:]))
    assert len(set(first)) == 6
    assert len(set(last)) < 24  # children have their parents' values


@pytest.mark.parametrize("name", config.REFUSED_SAMPLERS)
def test_a_sampler_that_cannot_be_resumed_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(StudyError, match=f"--sampler {name} is not available: Optuna's"):
        config.Definition(sampler=name)


def test_the_names_are_those_of_the_definition() -> None:
    assert tuple(SAMPLERS) == config.SAMPLERS


class TestKeyedTpeAsOptunaTestsSamplers(BasicSamplerTestCase):
    """Optuna's own conformance suite."""

    @pytest.fixture
    def sampler(self) -> Callable[[], KeyedSampler]:
        return lambda: sampler("tpe")
