"""Intervals and tests, with their sources. Accuracies and differences are shares, 0 to 1.

A finalist is a table of K trainings (one per seed) and N test images: whether each model classifies each image
correctly. The difference of two finalists is a table of -1, 0 and 1, paired by seed and image. The mean of a table has
two intervals:

- **on these images**: for the mean of further trainings, tested on the same images;
- **for new images**: for the mean of further trainings, tested on further images of the same kind. It decides what is
  said of two finalists.

`tests/benchmarks/coverage.py` simulates how often each contains what it should; docs/selection.md has the table.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
POWER = 0.8
FEWEST_SEEDS = 3
"""Trainings, or pairs of studies, below which there is no interval."""
MOST_SEEDS, MOST_IMAGES = 200, 10_000_000
"""Where the search for numbers that would decide ends."""
QUANTILES = (np.arange(400) + 0.5) / 400
"""Probabilities at which a distribution is taken to integrate over it."""
ROUNDING = 1e-12
"""Shares that differ by less are equal: 0.96 - 0.91 and 0.95 - 0.9 are not the same floating-point number."""

BETTER, WORSE, TIED, UNDECIDED = "better", "worse", "tied", "undecided"
"""What may be said of two finalists."""

Table = NDArray[np.bool_] | NDArray[np.int8]
"""(K, N): whether each training classifies each image correctly, or differences of two such tables."""


class Interval(NamedTuple):
    """An estimate with its 95 % confidence interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def lies_within(self, margin: float) -> bool:
        """Whether the whole interval lies within -margin and margin."""
        return -margin <= self.low and self.high <= margin


class Difference(NamedTuple):
    """The mean of paired differences with its interval, and the p-value of the hypothesis that there is none."""

    interval: Interval
    p: float


class Variation(NamedTuple):
    """How a table varies: the two-way analysis of variance."""

    seeds: int
    """K."""
    images: int
    """N."""
    mean: float
    of_seeds: float
    """Variance of the trainings' means over the images."""
    of_images: float
    """Variance of the images' means over the trainings."""
    residual: float
    """Mean square of what neither the training nor the image explains."""

    @classmethod
    def of(cls, table: Table) -> Self:
        """That of a table (K, N)."""
        (seeds, images), mean = table.shape, float(table.mean())
        by_seed, by_image = table.mean(axis=1), table.mean(axis=0)
        rest = np.square(table - by_seed[:, None] - by_image + mean).sum() / ((seeds - 1) * (images - 1))
        return cls(seeds, images, mean, float(by_seed.var(ddof=1)), float(by_image.var(ddof=1)), float(rest))

    def expected(self, seeds: int, images: int) -> Self:
        """That of a table of another size, by its components of variance (Searle, Casella & McCulloch 1992, section
        4.3): what seeds and images add to the residual."""
        seed = max(0.0, self.of_seeds - self.residual / self.images)
        image = max(0.0, self.of_images - self.residual / self.seeds)
        of_seeds, of_images = seed + self.residual / images, image + self.residual / seeds
        return self._replace(seeds=seeds, images=images, of_seeds=of_seeds, of_images=of_images)

    def of_mean(self) -> "Spread":
        """That of the table's mean, by the unbiased estimate for crossed seeds and images (Owen 2007, section 3)."""
        rest = self.residual / (self.seeds * self.images)
        return Spread(
            self.seeds, self.images, self.of_seeds / self.seeds, max(0.0, self.of_images / self.images - rest)
        )


class Spread(NamedTuple):
    """The variance of a mean over K trainings and N images, from both."""

    seeds: int
    images: int
    by_seeds: float
    """With K - 1 degrees of freedom."""
    by_images: float
    """With N - 1."""

    @property
    def variance(self) -> float:
        """Of the mean over other trainings and other images."""
        return self.by_seeds + self.by_images

    @property
    def quantile(self) -> float:
        """How many standard errors an interval reaches: Student's t with the degrees of freedom of Satterthwaite (1946,
        equation 17), where that of the seeds' part is weighted with (K + 1) / (K - 1). Without this, intervals are too
        narrow where few seeds happen to agree: 92 % instead of 95 %, in the worst case of 3 seeds."""
        parts = (self.seeds + 1) / (self.seeds - 1) ** 2 * self.by_seeds**2 + self.by_images**2 / (self.images - 1)
        return _t(max(self.seeds - 1, self.variance**2 / parts))

    def p(self, mean: float) -> float:
        """The two-sided p-value of the hypothesis that the mean is 0, by the distribution of Behrens and Fisher (Fisher
        1935, "The fiducial argument in statistical inference"): the seeds' part over chi-squared, integrated. In
        the simulation of `tests/benchmarks/coverage.py` Satterthwaite's was too small for several comparisons."""
        parts = self.by_seeds * (self.seeds - 1) / special.chdtri(self.seeds - 1, QUANTILES) + self.by_images
        return float(2 * special.stdtr(self.images - 1, -abs(mean) / np.sqrt(parts)).mean())

    def at_least(self, variance: float) -> Self:
        """With a variance of the images that makes up for what is missing."""
        return self._replace(by_images=max(self.by_images, variance - self.by_seeds))


def on_these_images(table: Table) -> Interval | None:
    """The mean of a table (K, N) with its interval for further trainings on the same images; None for fewer than
    `FEWEST_SEEDS`.

    Student's t over the means of the K trainings (Student 1908). It reaches at least 3 / (K N) to each side, which is
    possible after K N answers without an exception (the rule of three, Hanley & Lippman-Hand 1983).
    """
    seeds, images = table.shape
    if seeds < FEWEST_SEEDS:
        return None
    mean, error = float(table.mean()), float(table.mean(axis=1).std(ddof=1)) / sqrt(seeds)
    reach = max(_t(seeds - 1) * error, 3 / (seeds * images))
    least = 0.0 if table.dtype == np.bool_ else -1.0
    return Interval(mean, max(least, mean - reach), min(1.0, mean + reach))


def accuracy(correct: NDArray[np.bool_]) -> Interval | None:
    """An accuracy with its interval for further trainings and new images; None for fewer than `FEWEST_SEEDS`, or for a
    single image.

    Wilson's score interval with the effective number of images, of which independent answers would vary as much as the
    mean of the table does (Korn & Graubard 1998, section 2), and the quantile of Student's t.

    Args:
        correct: (K, N) whether each training classifies each image correctly.
    """
    if not _has_intervals(correct):
        return None
    mean, one = float(correct.mean()), 1 / correct.shape[1]
    spread = Variation.of(correct).of_mean().at_least(one**2)
    images = max(mean * (1 - mean), one) / spread.variance  # few errors vary as much as one image's
    square = spread.quantile**2 / images
    middle, reach = mean + square / 2, sqrt(square * (mean * (1 - mean) + square / 4))
    low, high = (middle - reach) / (1 + square), (middle + reach) / (1 + square)
    return Interval(mean, max(0.0, min(low, mean)), min(1.0, max(high, mean)))


def difference(differences: NDArray[np.int8]) -> Difference | None:
    """The difference of two accuracies, for further trainings and new images; None for fewer than `FEWEST_SEEDS`, or
    for a single image.

    The interval is Student's t with the variance of crossed trainings and images, the p-value that of Behrens and
    Fisher (see `Spread`).

    Args:
        differences: (K, N) -1, 0 or 1: correct with the first finalist minus correct with the second.
    """
    if not _has_intervals(differences):
        return None
    variation = Variation.of(differences)
    mean, spread = variation.mean, _of_difference(variation)
    reach = spread.quantile * sqrt(spread.variance)
    return Difference(Interval(mean, max(-1.0, mean - reach), min(1.0, mean + reach)), spread.p(mean))


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """The mean of first - second with its interval and p-value: Student's t for pairs (Student 1908).

    Args:
        first, second: (n,) values of two groups of studies with the same seeds. None for fewer than `FEWEST_SEEDS`
            pairs, and where all differ by the same, which says nothing of how others would.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if (interval := mean_over_trainings(differences)) is None:
        return None
    n, error = len(differences), float(differences.std(ddof=1)) / sqrt(len(differences))
    return Difference(interval, 2 * float(special.stdtr(n - 1, -abs(interval.estimate) / error)))


def mean_over_trainings(values: Sequence[float] | NDArray[np.float64]) -> Interval | None:
    """The mean of a metric with its interval for further trainings on the same test data: Student's t (Student 1908).
    None for fewer than `FEWEST_SEEDS`, and where all are equal, which says nothing of how others would differ.

    Args:
        values: (K,) of each training, in the metric's units.
    """
    n = len(values)
    if n < FEWEST_SEEDS or np.ptp(values) < ROUNDING:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(n)
    reach = _t(n - 1) * error
    return Interval(mean, mean - reach, mean + reach)


def trainings_needed(differences: Sequence[float], margin: float | None) -> int | None:
    """The smallest number of pairs with which paired differences that vary so would be expected to decide: their mean
    is found with 80 % power (Cohen 1988, section 2.4), or its interval lies within the margin. None where `MOST_SEEDS`
    would not do, and where nothing is known of how they vary.

    Args:
        differences: (K,) in the metric's units.
        margin: Within which two are tied; None where nothing is.
    """
    if len(differences) < FEWEST_SEEDS or np.ptp(differences) < ROUNDING:
        return None
    size, deviation = abs(float(np.mean(differences))), float(np.std(differences, ddof=1))
    for n in range(len(differences) + 1, MOST_SEEDS + 1):
        error = deviation / sqrt(n)
        unlucky = size - float(special.ndtri(POWER)) * error
        found = unlucky > 0 and 2 * float(special.stdtr(n - 1, -unlucky / error)) < SIGNIFICANCE
        if found or (margin is not None and size + _t(n - 1) * error <= margin):
            return n
    return None


def seeds_needed(differences: NDArray[np.int8], margin: float, comparisons: int = 1) -> int | None:
    """The smallest number of seeds with which two finalists would be told apart, or found to be tied, on as many test
    images (see `_decides`); None where `MOST_SEEDS` would not do.

    Args:
        differences: (K, N), as for `difference`.
        margin: Within which they are tied.
        comparisons: How many are adjusted together.
    """
    variation = Variation.of(differences)
    larger = (variation.expected(seeds, variation.images) for seeds in range(variation.seeds + 1, MOST_SEEDS + 1))
    return next((each.seeds for each in larger if _decides(each, margin, comparisons)), None)


def images_needed(differences: NDArray[np.int8], margin: float, comparisons: int = 1) -> int | None:
    """About how many test images it would take with as many seeds, to two digits; None where `MOST_IMAGES` would not
    do. The arguments are those of `seeds_needed`."""
    variation = Variation.of(differences)
    larger = (variation.expected(variation.seeds, images) for images in _round_numbers(variation.images))
    return next((each.images for each in larger if _decides(each, margin, comparisons)), None)


def proportion_interval(successes: int, n: int) -> Interval:
    """The share of successes in n independent cases, such as one classifier's on n test images, with Wilson's score
    interval (Wilson 1927)."""
    found = stats.binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return Interval(successes / n, float(found.low), float(found.high))


class Disagreement(NamedTuple):
    """Two models on the same test images: how many only one of them classifies correctly."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Disagreement:
    """The exact McNemar test (McNemar 1947; the binomial form of Dietterich 1998, section 3.1; two-sided): of the
    images on which two equally good models disagree, each is right about half.

    Args:
        first, second: (n,) whether each model classifies each image correctly.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = only_first + only_second
    p = float(stats.binomtest(only_first, n).pvalue) if n else 1.0
    return Disagreement(only_first, only_second, p)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation (Spearman 1904); None for fewer than 3 pairs, and where one side is constant."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)


def expected_best(values: Sequence[float], draws: Sequence[int], *, maximize: bool) -> list[float]:
    """The expected best of so many values drawn with replacement (Dodge et al. 2019, equation 4), for each of `draws`,
    at most as many as there are values."""
    sign = 1 if maximize else -1
    ranked = np.sort(sign * np.asarray(values, dtype=float))
    shares = np.arange(len(ranked) + 1) / max(len(ranked), 1)
    return [sign * float(np.diff(shares**n) @ ranked) for n in draws]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, in their order, adjusted for their number so that they bound the family-wise error (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()


def verdict_word(
    interval: Interval | None, adjusted_p: float | None, margin: float | None = None, maximize: bool = True
) -> str:
    """What the first is, compared with the second.

    Args:
        interval: Of first - second; None where there is none, and nothing is decided.
        adjusted_p: Of the hypothesis that there is no difference.
        margin: Within which they are tied; None where nothing is.
        maximize: Whether larger values are better.

    Returns:
        `BETTER` or `WORSE` only where the interval excludes 0 and the adjusted p is below 0.05; else `TIED` where the
        interval lies within the margin; else `UNDECIDED`.
    """
    if interval is None or adjusted_p is None:
        return UNDECIDED
    if interval.excludes_zero and adjusted_p < SIGNIFICANCE:
        return BETTER if (interval.estimate > 0) == maximize else WORSE
    return TIED if margin is not None and interval.lies_within(margin) else UNDECIDED


def _has_intervals(table: Table) -> bool:
    seeds, images = table.shape
    return bool(seeds >= FEWEST_SEEDS and images > 1)


def _t(freedom: float) -> float:
    return float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _of_difference(variation: Variation) -> Spread:
    """The spread of a difference. Its standard error is at least half an image; where nothing varies, one and a half,
    so that the interval reaches three images (the rule of three, Hanley & Lippman-Hand 1983)."""
    spread = variation.of_mean()
    return spread.at_least(((0.5 if spread.variance else 1.5) / variation.images) ** 2)


def _decides(variation: Variation, margin: float, comparisons: int) -> bool:
    """Whether a table that varies so would be expected to decide: a difference as large as its mean is found with 80 %
    power (Cohen 1988, section 2.4), or the interval lies within the margin."""
    spread, size = _of_difference(variation), abs(variation.mean)
    error = sqrt(spread.variance)
    unlucky = size - float(special.ndtri(POWER)) * error
    found = unlucky > 0 and spread.p(unlucky) < SIGNIFICANCE / comparisons
    return found or size + spread.quantile * error <= margin


def _round_numbers(above: int) -> Iterable[int]:
    """Numbers of two digits and zeros, up to `MOST_IMAGES`."""
    return (
        digits * 10**zeros
        for zeros in range(len(str(MOST_IMAGES)) - 1)
        for digits in range(10, 100)
        if above < digits * 10**zeros <= MOST_IMAGES
    )
