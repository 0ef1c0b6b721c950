"""Samplers and pruners by name; samplers keyed by trial number.

Optuna does not store a sampler's random state: a resumed study draws other configurations than one never
interrupted. Here every draw has its own generator, seeded by (study seed, trial number, parameter), so the
draws of a trial depend on its number and on the finished trials alone.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

BASELINE_NUMBER = 0
"""The trial that trains a space's defaults."""


SHORTEST_RUNG, HALVING = 1, 3
"""Successive halving: epochs of the first rung, and how many times longer each next one is."""


def judge_again(study: optuna.Study, number: int) -> bool:
    """Whether a trial that was taken up again is pruned at its last reported epoch, as if it had not been judged.

    Successive halving stores that a trial reached a rung before anybody acts on its verdict; a trial killed in
    between would start at the next rung and survive.
    """
    stored = study.get_trials(deepcopy=False)
    trial = copy.copy(stored[number])
    rungs = {f"completed_rung_{k}": SHORTEST_RUNG * HALVING**k for k in range(32)}
    attributes = trial.system_attrs.items()
    trial.system_attrs = {name: value for name, value in attributes if rungs.get(name) != trial.last_step}
    # Nor does it compete with what is stored of itself.
    view = copy.copy(study)
    others = [*stored[:number], trial, *stored[number + 1 :]]
    view.get_trials = lambda deepcopy=True, states=None: [  # type: ignore[method-assign]
        each for each in others if states is None or each.state in states
    ]
    return study.pruner.prune(view, trial)


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # `group` samples conditional hyperparameters jointly; Optuna calls it experimental since 2.8.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "random": lambda seed: RandomSampler(seed=seed),
}

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": lambda: MedianPruner(n_startup_trials=5),
    "sha": lambda: SuccessiveHalvingPruner(min_resource=SHORTEST_RUNG, reduction_factor=HALVING),
    "none": NopPruner,
}


class KeyedSampler(BaseSampler):
    """A sampler without a state of its own: the same after any restart.

    Args:
        make: Makes the sampler that draws, from a seed.
        seed_for: A seed from a key (trial number, purpose, parameter).
        baseline: Parameters of trial 0 by name; filled in while that trial asks.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        seed_for: Callable[..., int],
        baseline: Mapping[str, Any],
    ) -> None:
        self._make = make
        self._seed_for = seed_for
        self._baseline = baseline
        self._relative: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters drawn jointly: none for the baseline."""
        if trial.number == BASELINE_NUMBER:
            return {}
        return self._sampler_of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw those parameters."""
        if not search_space:
            return {}
        return self._sampler_of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one parameter, from a generator of its own: which others were drawn before does not matter."""
        if trial.number == BASELINE_NUMBER and param_name in self._baseline:
            return self._baseline[param_name]
        sampler = self._make(self._seed_for(trial.number, "independent", param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _sampler_of(self, trial: FrozenTrial) -> BaseSampler:
        """The joint sampler of a trial; one object a trial, for it remembers its groups between two calls."""
        if self._relative is None or self._relative[0] != trial.number:
            self._relative = trial.number, self._make(self._seed_for(trial.number, "relative"))
        return self._relative[1]
