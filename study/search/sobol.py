"""Quasi-random search whose points depend on the trial's number alone."""

import math
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from study.records import is_excluded


class SobolByTrial(BaseSampler):
    """A scrambled Sobol' sequence (Owen 1998) whose point n belongs to trial n.

    Optuna's `QMCSampler` counts the points in the storage, so a trial that is resumed would get another one. Like
    there, the sequence covers the parameters of the first finished trial; others are drawn at random.

    Args:
        sequence_seed: Scrambles the sequence; the same for all trials of a search.
        seed: Of the random draws.
    """

    def __init__(self, sequence_seed: int, seed: int) -> None:
        self._sequence_seed = sequence_seed
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the first trial that was trained: the dimensions of the sequence."""
        ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        trained = [each for each in ended if not is_excluded(each.user_attrs)]
        return dict(min(trained, key=lambda each: each.number).distributions) if trained else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values at the trial's point."""
        if not search_space:
            return {}
        from scipy.stats import qmc  # takes long to import

        # `seed` as in Optuna: `rng`, SciPy's newer name for it, scrambles otherwise.
        sequence = qmc.Sobol(len(search_space), scramble=True, seed=self._sequence_seed)
        if trial.number > 0:  # SciPy refuses to skip none
            sequence.fast_forward(trial.number)
        point = sequence.random(1)[0].tolist()
        return {name: value_at(share, search_space[name]) for name, share in zip(search_space, point, strict=True)}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random draw."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


def value_at(share: float, distribution: BaseDistribution) -> Any:
    """The value below which this share (0 to 1) of a distribution lies: its quantile.

    Each value of a grid has the same share: the range is half a step wider at both ends.
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(share * len(distribution.choices))]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high, step = distribution.low, distribution.high, distribution.step
    margin = 0.5 * step if step else 0.0
    start, end = low - margin, high + margin
    if distribution.log:
        start, end = math.log(start), math.log(end)
    value = start + share * (end - start)
    if distribution.log:
        value = math.exp(value)
    if step:
        steps = (value - low) / step
        # Python rounds a half to the even number.
        value = low + step * (math.floor(steps + 0.5) if isinstance(distribution, IntDistribution) else round(steps))
        return min(max(value, low), high)
    return min(max(value, low), math.nextafter(high, low))  # the end of a range does not belong to it
