"""Optuna studies that train nothing."""

from typing import Any

import optuna
import pytest

from study import extras
from study.config import StudyConfig
from study.samplers import ORACLES, SAMPLERS, KeyedSampler, Maker

config = StudyConfig()
INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not extras.is_installed(f"--sampler {name}"), reason=f"what {name} needs is not installed"
        ),
    )
    for name in SAMPLERS
    if name not in ORACLES
]
"""The names of Optuna's samplers, for a test of each."""


def sampler(name: str, baseline: dict[str, Any] | None = None, back: int = 1) -> KeyedSampler:
    """A keyed sampler by name."""
    return keyed(SAMPLERS[name], baseline, back)


def keyed(make: Maker, baseline: dict[str, Any] | None = None, back: int = 1) -> KeyedSampler:
    """A keyed sampler of any kind."""
    return KeyedSampler(make, lambda *key: config.seed_for("space", *key), baseline or {}, back)


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
    """What must be the same."""
    return [(trial.number, trial.state, trial.params, trial.value, trial.intermediate_values) for trial in study.trials]
