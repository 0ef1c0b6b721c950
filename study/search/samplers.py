"""Samplers by name, keyed by trial number.

Optuna does not store a sampler's random state, so a resumed study would draw other configurations than an
uninterrupted one. Here every draw has its own generator, seeded by the study's seed, the trial's number and the
parameter, and a trial is drawn by the results of the trials that are visible to it (see `visibility`). The trial table
therefore follows from the study's definition, with several workers too.

Why TPE with Optuna's 10 random trials is the default: in 40 simulated searches (extremely randomised trees standing in
for 80 learning curves of the `dense` space on MNIST, with successive halving) it reached 98.0 % validation accuracy as
fast as random search and was better after 150 s (98.37 against 98.21 %), with joint sampling or without; with 5 or 3
random trials it was slower.
"""

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from study.config import DRAWN_AT_RANDOM
from study.records import BASELINE_NUMBER
from study.search import exhaustion
from study.search.sobol import SobolByTrial
from study.search.visibility import study_visible_to

if TYPE_CHECKING:  # it imports KerasTuner, which takes long
    from study.search.hyperparameters import TrialHyperParameters


class SamplerContext(NamedTuple):
    """What a sampler is made from."""

    seed: int
    """Of this draw alone."""
    search_seed: int = 0
    """Of all draws of the search."""
    lag: int = 1
    """See `visibility.lag_for`."""
    declared: "TrialHyperParameters | None" = None
    """What the space declares with its defaults; None if that is not known."""
    settings: Mapping[str, float] = MappingProxyType({})
    """The sampler's own of `config.SETTINGS`."""


Maker = Callable[[SamplerContext], BaseSampler]


class KeyedNSGAII(NSGAIISampler):
    """NSGA-II (Deb et al. 2002) whose parents follow from the visible trials. Optuna stores the parents that the first
    trial of a generation finds, which depends on which worker was faster."""

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """The parents of a generation: none for the first."""
        return [] if generation == 0 else self.select_parent(study, generation)


def _tpe(context: SamplerContext) -> BaseSampler:
    with _experimental():
        # `group` samples conditional hyperparameters jointly; experimental in Optuna since 2.8.
        return TPESampler(seed=context.seed, multivariate=True, group=True, n_startup_trials=DRAWN_AT_RANDOM["tpe"])


def _gp(context: SamplerContext) -> BaseSampler:
    with _experimental():
        return optuna.samplers.GPSampler(seed=context.seed, deterministic_objective=False)


def _oracle(name: str) -> Maker:
    def make(context: SamplerContext) -> BaseSampler:
        from study.search.oracles import OracleSampler  # it imports KerasTuner, which takes long

        declared = context.declared.declared() if context.declared else []
        return OracleSampler(name, context.seed, context.lag, declared, context.settings)

    return make


def _experimental() -> AbstractContextManager[Any]:
    """Silences Optuna's warnings about experimental features."""
    return warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning)


ORACLES = ("kt-random", "kt-bayesian", "kt-grid")
"""KerasTuner's search algorithms. They need the declarations of the hyperparameters, which each trial stores."""
SAMPLERS: dict[str, Maker] = {
    "tpe": _tpe,
    "random": lambda context: RandomSampler(seed=context.seed),
    "qmc": lambda context: SobolByTrial(context.search_seed, context.seed),
    "nsga2": lambda context: KeyedNSGAII(seed=context.seed),
    "gp": _gp,
    **{name: _oracle(name) for name in ORACLES},
}
"""Makers of samplers by their names in `config.SAMPLERS`."""


class KeyedSampler(BaseSampler):
    """A sampler without a state of its own: it draws the same after any restart.

    Args:
        make: Makes the sampler that draws.
        seed_for: A seed for a key (trial number, purpose, parameter).
        baseline: Parameters of trial 0 by name; filled while that trial asks for them.
        lag: See `visibility.lag_for`.
        declared: See `SamplerContext`.
        settings: See `SamplerContext`.
    """

    takes_defaults = False
    """Whether a parameter that the sampler does not know has its default, which `baseline` then holds."""
    begins_with_defaults = True
    """Whether the first trial has the defaults."""
    ending = "every configuration has been tried"
    """Why a search ends that is exhausted."""

    def __init__(
        self,
        make: Maker,
        seed_for: Callable[..., int],
        baseline: Mapping[str, Any],
        lag: int = 1,
        declared: "TrialHyperParameters | None" = None,
        settings: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._maker = make
        self._seed_for = seed_for
        self._baseline = baseline
        self._lag = lag
        self._declared = declared
        self._settings = settings
        self._joint: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that are drawn jointly: none for the baseline."""
        if trial.number == BASELINE_NUMBER:
            return {}
        return self._joint_sampler(trial).infer_relative_search_space(self._visible(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw those parameters."""
        if not search_space:
            return {}
        return self._joint_sampler(trial).sample_relative(self._visible(study, trial), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one parameter from its own generator, so it does not matter which others were drawn before."""
        if (trial.number == BASELINE_NUMBER or self.takes_defaults) and param_name in self._baseline:
            return self._baseline[param_name]
        sampler = self._make(trial.number, "independent", param_name)
        return sampler.sample_independent(self._visible(study, trial), trial, param_name, param_distribution)

    def is_idle(self, number: int) -> bool:
        """Whether trial `number` has to wait; it never has."""
        return False

    def is_exhausted(self, study: optuna.Study, number: int) -> bool:
        """Whether the trials that trial `number` may know about leave nothing for it to try."""
        visible = study_visible_to(study, number, self._lag)
        sampler = self._make(number, "relative")
        if hasattr(sampler, "is_exhausted"):  # a grid has fewer configurations than its space
            return bool(sampler.is_exhausted(visible, number))
        return exhaustion.is_exhausted(visible.get_trials(deepcopy=False))

    def _visible(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        return study_visible_to(study, trial.number, self._lag)

    def _joint_sampler(self, trial: FrozenTrial) -> BaseSampler:
        """One sampler per trial: it remembers its groups of parameters between the two calls."""
        if self._joint is None or self._joint[0] != trial.number:
            self._joint = trial.number, self._make(trial.number, "relative")
        return self._joint[1]

    def _make(self, *key: str | int) -> BaseSampler:
        return self._maker(
            SamplerContext(self._seed_for(*key), self._seed_for("search"), self._lag, self._declared, self._settings)
        )
