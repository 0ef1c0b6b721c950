"""Intervals and tests, with their sources. Accuracies and differences are shares, 0 to 1."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9_999
SIGNIFICANCE = 0.05


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval is on one side of 0."""
        return self.low > 0 or self.high < 0


class Difference(NamedTuple):
    """Mean of paired differences, and the p-value of there being none."""

    interval: Interval
    p: float


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Mean with its bias-corrected and accelerated bootstrap interval (Efron 1987, section 4).

    Args:
        values: (n,) independent measurements. Equal ones give an interval without width; below 2 there is none.
    """
    if len(values) < 2:
        return None
    sample = np.asarray(values, dtype=float)
    mean = float(sample.mean())
    if np.ptp(sample) == 0:
        return Interval(mean, mean, mean)
    drawn = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(0),  # the same records give the same report
    )
    return Interval(mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))


def proportion_interval(successes: int, n: int) -> Interval:
    """A share of n independent cases with Wilson's score interval (Wilson 1927): one model, n test images."""
    found = stats.binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return Interval(successes / n, float(found.low), float(found.high))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Mean of first - second, paired by seed: bootstrap interval, and p of the sign-flip permutation test
    (Fisher 1935, section 21; two-sided, exact up to 13 pairs).

    Args:
        first, second: (n,) accuracies of two finalists with the same seeds. Below 2 there is no difference to give.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    interval = mean_interval(differences.tolist())
    if interval is None:
        return None
    if not differences.any():
        return Difference(interval, 1.0)
    test = stats.permutation_test(
        (np.asarray(first, dtype=float), np.asarray(second, dtype=float)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return Difference(interval, float(test.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in their order (Holm 1979): family-wise error at most as stated."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()


def verdict_word(interval: Interval, adjusted_p: float) -> str:
    """`better` or `worse` only where the interval excludes 0 and the adjusted p is below 0.05."""
    if interval.excludes_zero and adjusted_p < SIGNIFICANCE:
        return "better" if interval.estimate > 0 else "worse"
    return "not distinguishable"
