"""When a search has tried every configuration."""

from typing import Any

import optuna
import pytest

from study.search.exhaustion import is_exhausted


def trials(*asked: Any, declare: Any) -> list[Any]:
    study = optuna.create_study()
    for values in asked:
        study.enqueue_trial(values)
        trial = study.ask()
        try:
            declare(trial)
            study.tell(trial, 0.0)
        except RuntimeError:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return study.trials


def conditional(trial: optuna.Trial) -> None:
    """Three configurations."""
    if trial.suggest_categorical("kind", ["plain", "deep"]) == "deep":
        trial.suggest_float("rate", 0.0, 0.5, step=0.5)


def continuous(trial: optuna.Trial) -> None:
    trial.suggest_float("rate", 0.0, 1.0)


def failing(trial: optuna.Trial) -> None:
    """Two configurations, of which one fails before all is declared."""
    if trial.suggest_int("units", 1, 2) == 2:
        raise RuntimeError
    trial.suggest_categorical("kind", ["only"])


PLAIN, NONE, HALF = {"kind": "plain"}, {"kind": "deep", "rate": 0.0}, {"kind": "deep", "rate": 0.5}


@pytest.mark.parametrize(
    ("declare", "asked", "ends"),
    [
        (conditional, [], False),
        (conditional, [PLAIN, NONE, PLAIN], False),
        (conditional, [HALF, PLAIN, NONE], True),
        (continuous, [{"rate": 0.1}, {"rate": 0.2}], False),
        (failing, [{"units": 1, "kind": "only"}, {"units": 2}], False),
        (failing, [{"units": 1, "kind": "only"}, *[{"units": 2}] * 3], True),
        (lambda trial: None, [{}, {}], False),
    ],
)
def test_it_has_when_every_value_of_every_branch_was_tried(declare: Any, asked: Any, ends: bool) -> None:
    assert is_exhausted(trials(*asked, declare=declare)) is ends
