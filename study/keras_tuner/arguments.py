"""What a tuner was constructed with, as a study has it. All that cannot be used is refused at once."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from study.config import GRID, NAME, OWN_ORACLE, SETTINGS, UNLIMITED, check_name
from study.errors import StudyError
from study.keras_tuner.refusals import InvalidArgument
from study.objective import OF_KERAS_TUNER, Objective

MULTIPLE = "multi_objective"
"""What KerasTuner calls the sum of several objectives."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How a tuner searches: the arguments of KerasTuner's oracles."""

    objective: Any = None
    max_trials: Any = 10
    sampler: str = "kt-random"
    pruner: str = "none"
    seed: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """See `config.SETTINGS`; one that is None has its default."""
    max_epochs: Any = None
    """Each trial trains at most so many epochs; None leaves it to `search`."""
    hyperband_iterations: Any = None
    """Kept for the tuner's oracle; `max_trials` says what it means."""
    hyperparameters: keras_tuner.HyperParameters | None = None
    tune_new_entries: bool = True
    allow_new_entries: bool = True
    max_retries_per_trial: Any = 0
    max_consecutive_failed_trials: Any = 3
    oracle: keras_tuner.Oracle | None = None
    """One of the user's own class, which draws."""
    has_any_seed: bool = False
    """Whether the seed may have been drawn at random; a project that exists keeps its stored one."""


class Refusals:
    """What cannot be used, collected."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        """Another one, in a line."""
        self.found.append(text)

    def number(self, name: str, value: Any, least: int) -> int:
        """A whole number, of whatever type."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.add(f"{name} must be a whole number of at least {least}; it was given {value!r}")
            return least
        return value

    def end(self) -> None:
        """Refuse what was found.

        Raises:
            InvalidArgument: all of it, in a line.
        """
        if self.found:
            raise InvalidArgument("; ".join(self.found))


def of_oracle(oracle: keras_tuner.Oracle) -> Search:
    """How an oracle searches: one of KerasTuner's, or of the user's own class.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(oracle, keras_tuner.Oracle):
        raise InvalidArgument(
            "Expected `oracle` argument to be an instance of `Oracle`, such as keras_tuner.oracles.RandomSearchOracle; "
            f"it was given {oracle!r}"
        )
    kinds: dict[type, Mapping[str, Any]] = {
        RandomSearchOracle: {},
        GridSearchOracle: {"sampler": GRID},
        BayesianOptimizationOracle: {"sampler": "kt-bayesian"},
        HyperbandOracle: {"pruner": "sha"},
    }
    shared = ("objective", "max_trials", "seed", "tune_new_entries", "allow_new_entries", "max_retries_per_trial",
              "max_consecutive_failed_trials")  # fmt: skip
    given = {name: getattr(oracle, name) for name in shared} | {"has_any_seed": True}
    given["hyperparameters"] = oracle.hyperparameters if oracle.hyperparameters.space else None
    if type(oracle) not in kinds:
        return Search(**given, sampler=OWN_ORACLE, oracle=oracle)
    given |= kinds[type(oracle)]
    if isinstance(oracle, BayesianOptimizationOracle):
        given["settings"] = {name: getattr(oracle, name) for name in SETTINGS if hasattr(oracle, name)}
    if isinstance(oracle, HyperbandOracle):
        iterations = None if math.isinf(oracle.hyperband_iterations) else oracle.hyperband_iterations
        given |= hyperband(oracle.max_epochs, oracle.factor, iterations)
    return Search(**given)


def hyperband(max_epochs: Any, factor: Any, iterations: Any) -> dict[str, Any]:
    """Hyperband's budget: as many configurations as KerasTuner draws, of which one in `factor` passes each rung."""
    given: dict[str, Any] = {
        "max_epochs": max_epochs, "hyperband_iterations": iterations, "settings": {"factor": factor}, "pruner": "sha",
    }  # fmt: skip
    refusals = Refusals()
    most, factor = refusals.number("max_epochs", max_epochs, 1), refusals.number("factor", factor, 2)
    rounds = None if not iterations else refusals.number("hyperband_iterations", iterations, 1)
    if refusals.found:  # the tuner says so
        return given | {"max_trials": 1}
    return given | {"max_trials": None if rounds is None else rounds * _configurations(most, factor)}


def _configurations(max_epochs: int, factor: int) -> int:
    """The configurations that an iteration of KerasTuner's Hyperband draws, over all of its brackets."""
    last = math.ceil(1 + math.log(max_epochs, factor))
    brackets = 1 + max(k for k in range(64) if factor**k <= max_epochs)
    return sum(math.ceil(last / (bracket + 1) * factor**bracket) for bracket in range(brackets))


def trials_of(search: Search, refusals: Refusals) -> int:
    """The budget of a search."""
    return UNLIMITED if search.max_trials is None else refusals.number("max_trials", search.max_trials, 1)


def settings_of(search: Search, refusals: Refusals) -> Mapping[str, float]:
    """The settings that are not their defaults."""
    found: dict[str, float] = {}
    for name, value in search.settings.items():
        if value is None:
            continue
        if name == "factor":
            found[name] = refusals.number(name, value, 2)
        elif name == "num_initial_points":
            if value:
                found[name] = refusals.number(name, value, 1)
        elif isinstance(value, (int, float, np.number)) and math.isfinite(value):
            found[name] = float(value)
        else:
            refusals.add(f"{name} must be a number; it was given {value!r}")
    return {name: value for name, value in found.items() if DEFAULTS.get(name) != value}


DEFAULTS: Mapping[str, float] = MappingProxyType({"factor": 3, "alpha": 1e-4, "beta": 2.6})
"""Of the settings in `config.SETTINGS`; `num_initial_points` has none."""


def objective_of(objective: Any) -> tuple[Any, Objective]:
    """KerasTuner's objective and the study's, of what KerasTuner takes as one.

    Raises:
        InvalidArgument: its direction is not known.
    """
    is_one = isinstance(objective, keras_tuner.Objective)
    try:
        # It infers the direction of Keras's metrics.
        found = objective if is_one else keras_tuner.Oracle(objective=objective).objective
    except (ValueError, TypeError) as error:
        raise InvalidArgument(" ".join(str(error).split())) from None
    return found, Objective.of(found.name, OF_KERAS_TUNER[found.direction])


def study_name(project_name: Any) -> str:
    """The study of a project: its name, or what a study's name may contain of it."""
    name = str(project_name)
    try:
        check_name(name)
        return name
    except StudyError:
        shown = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:60] or "project"
        made = f"{shown}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
        assert NAME.fullmatch(made)
        return made
