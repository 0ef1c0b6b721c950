"""Samplers by name, keyed by trial number.

Optuna does not store a sampler's random state: a resumed study draws other configurations than one never
interrupted. Here every draw has its own generator, seeded by (study seed, trial number, parameter), and a trial is
drawn by what came of the trials a fixed number before it. So the trial table follows from the study's definition, with
several workers too.

Why TPE with Optuna's 10 random trials is the default: 40 simulated searches (extremely randomised trees in the place
of 80 curves of the `dense` space on MNIST, successive halving) were as fast as random search to 98.0 % validation
accuracy and better after 150 s (98.37 against 98.21 %), joint sampling or not; after 5 or 3 random trials they were
slower.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

BASELINE_NUMBER = 0
"""The trial that trains a space's defaults."""


def known_from(workers: int) -> int:
    """How far back the trials lie that a trial may know of: trial n is drawn by the trials up to n - this.

    A trial begins when all of those have ended, so that what it is does not depend on how fast its neighbours were.
    With one worker that is every trial before it. With more, a short trial shall not wait for a long one: by
    simulation (an eighth of an epoch to eight epochs, pruned as by successive halving) 4 a worker cost 4 % of the
    throughput of 2 workers, 3 a worker 8 %, 2 a worker 13 %.
    """
    return 1 if workers <= 1 else 4 * workers


def first_to_know(number: int, back: int) -> int:
    """The first trial that may know of trial `number`.

    With several workers the baseline is known later than others: it is never pruned, and whoever waited for its end
    would stand still; 58 s of the first 105 s, seen on MNIST's `cnn` space with 2 workers.
    """
    return 4 * back if number == BASELINE_NUMBER and back > 1 else number + back


def known(study: optuna.Study, number: int, back: int) -> optuna.Study:
    """The study as trial `number` may know it."""
    view = copy.copy(study)

    def get_trials(deepcopy: bool = True, states: Any = None, use_cache: bool = False) -> list[FrozenTrial]:
        trials = study._get_trials(deepcopy, states, use_cache)
        return [trial for trial in trials if first_to_know(trial.number, back) <= number]

    # Samplers and pruners read a study by these two alone; Optuna has no view of its own for this.
    view.get_trials = view._get_trials = get_trials  # type: ignore[method-assign]
    return view


class Draw(NamedTuple):
    """What a sampler is made from."""

    seed: int
    """Of this draw alone."""
    search_seed: int = 0
    """Of all draws of the search."""
    back: int = 1
    """See `known_from`."""
    declared: Any = None
    """KerasTuner's HyperParameters as the space's defaults declare them; None where they are not known."""


Maker = Callable[[Draw], BaseSampler]


def _tpe(draw: Draw) -> BaseSampler:
    with _experimental():
        # `group` samples conditional hyperparameters jointly; Optuna calls it experimental since 2.8.
        return TPESampler(seed=draw.seed, multivariate=True, group=True)


def _random(draw: Draw) -> BaseSampler:
    return RandomSampler(seed=draw.seed)


def _gp(draw: Draw) -> BaseSampler:
    with _experimental():
        return optuna.samplers.GPSampler(seed=draw.seed, deterministic_objective=False)


class _Sequence(QMCSampler):
    """A scrambled Sobol' sequence whose point n is trial n's. Optuna counts the points in the storage instead, and
    a trial that was taken up again would have another."""

    def __init__(self, draw: Draw) -> None:
        with _experimental():
            super().__init__(
                scramble=True, seed=draw.search_seed, independent_sampler=_random(draw), warn_independent_sampling=False
            )
        self._number = 0

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._number = trial.number
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


class _Generations(NSGAIISampler):
    """NSGA-II whose parents follow from the trials that a trial may know of. Optuna keeps in the storage those that
    the first trial of a generation to ask has found, which depends on who was faster."""

    def __init__(self, draw: Draw, population_size: int = 50) -> None:
        super().__init__(seed=draw.seed, population_size=population_size)

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        return [] if generation == 0 else self.select_parent(study, generation)


def _oracle(name: str) -> Maker:
    def make(draw: Draw) -> BaseSampler:
        from study.oracles import OracleSampler  # KerasTuner's: heavy

        return OracleSampler(name, draw)

    return make


def _experimental() -> AbstractContextManager[Any]:
    """Without Optuna's warnings of what it calls experimental."""
    return warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning)


ORACLES = ("kt-random", "kt-bayesian", "kt-grid")
"""KerasTuner's search algorithms. They know hyperparameters by their declarations, which each trial stores."""

SAMPLERS: dict[str, Maker] = {
    "tpe": _tpe,
    "random": _random,
    "qmc": _Sequence,
    "nsga2": _Generations,
    "gp": _gp,
    **{name: _oracle(name) for name in ORACLES},
}

REFUSED = {
    "cmaes": "Optuna's CMA-ES keeps its state in the storage as a pickle, which runs whatever it holds when it is "
    "read; tpe, gp and nsga2 learn from trials too",
    "grid": "Optuna's grid must be given whole before the first trial, and a space says what it has while it is "
    "built; kt-grid is KerasTuner's grid search",
}
"""Samplers of Optuna's that a study cannot have, and why."""


class KeyedSampler(BaseSampler):
    """A sampler without a state of its own: the same after any restart.

    Args:
        make: Makes the sampler that draws.
        seed_for: A seed from a key (trial number, purpose, parameter).
        baseline: Parameters of trial 0 by name; filled in while that trial asks.
        back: See `known_from`.
        declared: See `Draw`.
    """

    def __init__(
        self,
        make: Maker,
        seed_for: Callable[..., int],
        baseline: Mapping[str, Any],
        back: int = 1,
        declared: Any = None,
    ) -> None:
        self._maker = make
        self._seed_for = seed_for
        self._baseline = baseline
        self._back = back
        self._declared = declared
        self._relative: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters drawn jointly: none for the baseline."""
        if trial.number == BASELINE_NUMBER:
            return {}
        return self._sampler_of(trial).infer_relative_search_space(self._known(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw those parameters."""
        if not search_space:
            return {}
        return self._sampler_of(trial).sample_relative(self._known(study, trial), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one parameter, from a generator of its own: which others were drawn before does not matter."""
        if trial.number == BASELINE_NUMBER and param_name in self._baseline:
            return self._baseline[param_name]
        sampler = self._make(trial.number, "independent", param_name)
        return sampler.sample_independent(self._known(study, trial), trial, param_name, param_distribution)

    def _known(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        return known(study, trial.number, self._back)

    def _sampler_of(self, trial: FrozenTrial) -> BaseSampler:
        """The joint sampler of a trial; one object a trial, for it remembers its groups between two calls."""
        if self._relative is None or self._relative[0] != trial.number:
            self._relative = trial.number, self._make(trial.number, "relative")
        return self._relative[1]

    def _make(self, *key: str | int) -> BaseSampler:
        return self._maker(Draw(self._seed_for(*key), self._seed_for("search"), self._back, self._declared))
