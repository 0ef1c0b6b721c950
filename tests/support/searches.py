"""Optuna studies that train nothing."""

from typing import Any

import optuna
import pytest

from study.config import Definition
from study.search.samplers import ORACLES, SAMPLERS, KeyedSampler, Maker
from study.system import extras

definition = Definition()
INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not extras.is_installed(f"--sampler {name}"), reason=f"a package that {name} needs is not installed"
        ),
    )
    for name in SAMPLERS
    if name not in ORACLES
]
"""The names of Optuna's samplers, each as a parameter of a test."""


def sampler(name: str, baseline: dict[str, Any] | None = None, lag: int = 1) -> KeyedSampler:
    """A keyed sampler by name."""
    return keyed(SAMPLERS[name], baseline, lag)


def keyed(make: Maker, baseline: dict[str, Any] | None = None, lag: int = 1) -> KeyedSampler:
    """A keyed sampler with any maker."""
    return KeyedSampler(make, lambda *key: definition.seed_for("space", *key), baseline or {}, lag)


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
    """What must be the same after a restart."""
    return [(trial.number, trial.state, trial.params, trial.value, trial.intermediate_values) for trial in study.trials]
