"""Samplers that a restart does not change."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase

from study.config import StudyConfig
from study.samplers import PRUNERS, SAMPLERS, KeyedPruner, KeyedSampler, known_from

config = StudyConfig()


def sampler(name: str, baseline: dict[str, Any] | None = None, back: int = 1) -> KeyedSampler:
    return KeyedSampler(SAMPLERS[name], lambda *key: config.seed_for("space", *key), baseline or {}, back)


def objective(trial: optuna.Trial) -> float:
    """Conditional parameters and pruning."""
    x = trial.suggest_float("x", 1e-3, 1e3, log=True)
    y = trial.suggest_int("y", 0, 9) if trial.suggest_categorical("kind", ["a", "b"]) == "a" else 0
    for step in range(1, 4):
        trial.report((x + y) / step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x + y


def table(study: optuna.Study) -> list[Any]:
    return [(trial.number, trial.state, trial.params, trial.value, trial.intermediate_values) for trial in study.trials]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_choices_do_not_depend_on_when_the_process_was_restarted(name: str, pruner: str, tmp_path: Path) -> None:
    def run(*sizes: int) -> list[Any]:
        storage = f"sqlite:///{tmp_path}/{len(sizes)}.db"
        optuna.create_study(study_name="s", storage=storage)
        for size in sizes:
            keyed = KeyedPruner(PRUNERS[pruner]())
            study = optuna.load_study(study_name="s", storage=storage, sampler=sampler(name), pruner=keyed)
            study.optimize(objective, n_trials=size)
        return table(study)

    assert run(30) == run(7, 9, 14)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_table_does_not_depend_on_how_fast_each_worker_is(name: str, pruner: str) -> None:
    """Trials under way at once, that begin and report in an order drawn at random."""
    workers, trials = 2, 25
    back = known_from(workers)

    def run(seed: int) -> list[Any]:
        rng = random.Random(seed)
        study = optuna.create_study(sampler=sampler(name, back=back), pruner=KeyedPruner(PRUNERS[pruner](), back))
        under_way: dict[int, Any] = {}
        while len(study.trials) < trials or under_way:
            begun = len(study.trials)
            may_begin = all(number > begun - back for number in under_way)
            if begun < trials and len(under_way) < workers and may_begin and (not under_way or rng.random() < 0.5):
                trial = study.ask()
                under_way[trial.number] = steps(trial, study)
            else:
                number = rng.choice(list(under_way))
                if next(under_way[number], None) is None:
                    del under_way[number]
        return table(study)

    def steps(trial: optuna.Trial, study: optuna.Study) -> Any:
        x = trial.suggest_float("x", 1e-3, 1e3, log=True)
        for step in range(1, 10):
            yield step
            trial.report(x / step, step)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return
        study.tell(trial, x)

    assert run(1) == run(2) == run(3)


def test_a_trial_killed_between_its_verdict_and_its_end_is_judged_as_before() -> None:
    """Successive halving stores the rung before anybody acts on the verdict."""
    study = optuna.create_study(direction="maximize", pruner=KeyedPruner(PRUNERS["sha"]()))
    for value in (0.9, 0.8, 0.7):
        trial = study.ask()
        trial.report(value, 1)
        trial.should_prune()
        study.tell(trial, value)
    trial = study.ask()
    trial.report(0.1, 1)
    assert trial.should_prune()
    assert optuna.Trial(study, trial._trial_id).should_prune()
    assert trial.should_prune()
    winner = study.ask()
    winner.report(0.95, 1)
    assert not winner.should_prune()
    assert not winner.should_prune()


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


def test_a_trial_taken_up_again_does_not_compete_with_itself() -> None:
    """Successive halving has stored its rung, and it was killed before anybody acted on the verdict."""
    study = optuna.create_study(direction="maximize", pruner=KeyedPruner(PRUNERS["sha"]()))
    for value in (0.9, 0.85, 0.7, 0.6):
        trial = study.ask()
        trial.report(value, 1)
        trial.should_prune()
    trial = study.ask()
    trial.report(0.86, 1)
    assert trial.should_prune()
    assert trial.should_prune()
