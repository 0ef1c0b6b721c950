"""Pruners whose decisions depend neither on restarts nor on the speed of other workers."""

import random
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from searches import INSTALLED, objective, sampler, table

from study import config
from study.config import Definition
from study.search.pruners import PRUNERS, HalvingPruner, Pruner, descents, rungs
from study.search.visibility import lag_for, visible_from

VALUES = st.floats(0, 1, width=16)


def decisions(study: optuna.Study, *values: float) -> list[bool]:
    """Which trials are pruned: they have these values after epoch 1."""
    pruned = []
    for value in values:
        trial = study.ask()
        trial.report(value, 1)
        pruned.append(trial.should_prune())
        study.tell(trial, state=TrialState.PRUNED)
    return pruned


def test_the_names_are_those_of_the_definition() -> None:
    assert tuple(PRUNERS) == config.PRUNERS


def made(pruner: str, lag: int = 1) -> Pruner:
    return PRUNERS[pruner](Definition(pruner=pruner, epochs=18), lag)


@pytest.mark.parametrize(
    "epochs, factor, expected",
    [(1, 3, ()), (2, 3, (1,)), (5, 3, (1,)), (6, 3, (1, 3)), (17, 3, (1, 3)), (18, 3, (1, 3, 9)), (8, 2, (1, 2, 4))],
)
def test_the_rungs_lie_in_the_first_half(epochs: int, factor: int, expected: tuple[int, ...]) -> None:
    assert rungs(Definition(epochs=epochs, settings={"factor": factor})) == expected
    assert rungs(Definition(epochs=epochs, pruner="median")) == ()


@pytest.mark.parametrize(
    "images, expected",
    [(None, ()), (range(50_000), (1, 3, 9)), (range(8_192), (1, 3, 9)), (range(8_191), (3, 9)), (range(1_197), (9,))],
)
def test_schedules_come_down_at_rungs_that_have_seen_enough_images(
    images: range | None, expected: tuple[int, ...]
) -> None:
    assert descents(Definition(epochs=18), images) == expected
    assert descents(Definition(epochs=18, pruner="none"), images) == ()


def halving(direction: str = "maximize") -> optuna.Study:
    return optuna.create_study(direction=direction, pruner=HalvingPruner([1, 3, 9]))


def test_the_best_third_passes() -> None:
    pruned = [False, True, False, True, False, False, True]
    assert decisions(halving(), 0.5, 0.4, 0.6, 0.55, 0.65, 0.6, 0.59) == pruned
    assert decisions(halving("minimize"), 0.5, 0.4, 0.6) == [False, False, True]


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_the_best_so_far_passes(values: list[float]) -> None:
    pruned = decisions(halving(), *values)
    assert not any(
        ends
        for number, (value, ends) in enumerate(zip(values, pruned, strict=True))
        if value >= max(values[: number + 1])
    )


@given(st.lists(VALUES, min_size=2, max_size=12), st.data())
def test_later_trials_change_no_decision(values: list[float], data: st.DataObject) -> None:
    study = halving()
    pruned = decisions(study, *values)
    number = data.draw(st.integers(0, len(values) - 1))
    assert study.pruner.prune(study, study.trials[number]) == pruned[number]


def test_it_decides_at_its_rungs_only() -> None:
    study = halving()
    good = study.ask()
    for step in range(1, 5):
        good.report(0.9, step)
    bad = study.ask()
    pruned = []
    for step in range(1, 5):
        bad.report(0.1, step)
        pruned.append(bad.should_prune())
    assert pruned == [True, False, True, False]


def test_a_trial_waits_for_earlier_ones_that_are_not_as_far() -> None:
    study = halving()
    first, second, third = (study.ask() for _ in range(3))
    pruner = study.pruner
    assert isinstance(pruner, HalvingPruner)

    def awaited(step: int) -> list[int]:
        return [trial.number for trial in pruner.awaited(study, third.number, step)]

    assert awaited(1) == [0, 1]
    study.tell(second, state=TrialState.FAIL)
    assert awaited(1) == [0]
    assert awaited(2) == []
    first.report(0.5, 1)
    assert awaited(1) == []
    assert awaited(3) == [0]


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_choices_do_not_depend_on_when_the_process_was_restarted(name: str, pruner: str) -> None:
    """What is new in each process are the study, its sampler and its pruner; for the file see test_search."""

    def run(*sizes: int) -> list[Any]:
        storage = optuna.storages.InMemoryStorage()
        optuna.create_study(study_name="s", storage=storage)
        for size in sizes:
            study = optuna.load_study(study_name="s", storage=storage, sampler=sampler(name), pruner=made(pruner))
            study.optimize(objective, n_trials=size)
        return table(study)

    assert run(30) == run(7, 9, 14)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_table_does_not_depend_on_how_fast_each_worker_is(name: str, pruner: str) -> None:
    """Trials that run at the same time begin and report in a random order."""
    workers, trials = 2, 40
    lag = lag_for(workers)

    def run(seed: int) -> list[Any]:
        rng = random.Random(seed)
        study = optuna.create_study(sampler=sampler(name, lag=lag), pruner=made(pruner, lag))
        under_way: dict[int, Any] = {}
        begun = 0
        while begun < trials or under_way:
            may_begin = all(visible_from(number, lag) > begun for number in under_way)
            if begun < trials and len(under_way) < workers and may_begin and (not under_way or rng.random() < 0.5):
                trial = study.ask()
                begun += 1
                under_way[trial.number] = steps(trial, study)
            else:
                number = rng.choice(list(under_way))
                if next(under_way[number], None) is None:
                    del under_way[number]
        return table(study)

    def steps(trial: optuna.Trial, study: optuna.Study) -> Any:
        x = trial.suggest_float("x", 1e-3, 1e3, log=True)
        pruner = study.pruner
        for step in range(1, 10):
            yield "trains"
            trial.report(x / step, step)
            while pruner.awaited(study, trial.number, step):
                yield "waits"
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
        study.tell(trial, x)

    assert run(1) == run(2) == run(3)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_trial_killed_between_its_decision_and_its_end_is_decided_on_as_before(pruner: str) -> None:
    study = optuna.create_study(direction="maximize", pruner=made(pruner))
    for value in (0.9, 0.85, 0.7, 0.6, 0.5, 0.4):
        trial = study.ask()
        trial.report(value, 1)
        trial.should_prune()
        study.tell(trial, value)
    trial = study.ask()
    trial.report(0.1, 1)
    assert trial.should_prune() == (pruner != "none")
    assert optuna.Trial(study, trial._trial_id).should_prune() == trial.should_prune() == (pruner != "none")
    winner = study.ask()
    winner.report(0.95, 1)
    assert not winner.should_prune()
    assert not winner.should_prune()
