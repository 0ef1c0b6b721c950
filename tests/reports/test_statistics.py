"""Intervals and tests, compared with computation by hand, with published numbers and with their mathematical laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import statistics
from reports.statistics import Interval

accuracies = st.lists(st.integers(0, 200), min_size=2, max_size=8).map(lambda errors: [1 - e / 200 for e in errors])


def test_wilson_as_published() -> None:
    """reports of 10,000 test images: 99.00 % -> [98.79, 99.18], 98.40 % -> [98.13, 98.63]."""
    interval = statistics.proportion_interval(9_900, 10_000)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.9879, 0.9918)
    interval = statistics.proportion_interval(9_840, 10_000)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.9813, 0.9863)


@pytest.mark.parametrize(
    "successes, n, low, high",
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_in_newcombe_1998_table_i(successes: int, n: int, low: float, high: float) -> None:
    interval = statistics.proportion_interval(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Heights of crossed minus self-fertilised maize, in eighths of an inch, 15 pairs."""


def test_the_sign_flip_test_as_in_fisher_1935_section_21() -> None:
    """Of the 2^15 sums of Darwin's differences 1,726 are as large in absolute value: p = 0.0527."""
    difference = statistics.paired_difference(DARWIN, [0.0] * 15)
    assert difference is not None
    assert difference.p == pytest.approx(1726 / 2**15)
    assert difference.interval.estimate == pytest.approx(20.933, abs=5e-4)


def test_bca_by_its_formulas() -> None:
    """Efron 1987, equations 4.1 and 6.6, for the mean of Darwin's differences, with our own resamples."""
    sample = np.asarray(DARWIN, dtype=float)
    means = np.random.default_rng(5).choice(sample, (200_000, 15)).mean(axis=1)
    bias = stats.norm.ppf((means < sample.mean()).mean())
    left_out = np.asarray([np.delete(sample, index).mean() for index in range(15)])
    deviations = left_out.mean() - left_out
    acceleration = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    bounds = [
        np.quantile(means, stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))))
        for z in stats.norm.ppf([0.025, 0.975])
    ]
    interval = statistics.mean_interval(DARWIN)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(bounds, abs=1)  # both are random; the width is 38


@pytest.mark.parametrize(
    "only_first, only_second, p",
    [(30, 50, 0.033), (25, 45, 0.022), (40, 60, 0.057), (60, 80, 0.108), (10, 20, 0.099), (0, 0, 1.0), (0, 6, 0.031)],
)
def test_exact_mcnemar(only_first: int, only_second: int, p: float) -> None:
    """Twice the tail of Binomial(n, 1/2)."""
    first = np.asarray([True] * only_first + [False] * only_second + [True] * 7 + [False] * 3)
    second = np.asarray([False] * only_first + [True] * only_second + [True] * 7 + [False] * 3)
    found = statistics.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(p, abs=6e-4)
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    assert found.p == pytest.approx(min(1.0, 2 * tail))


def test_holm_as_in_r_s_manual_pages() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_spearman_by_a_textbook_example() -> None:
    """Intelligence against hours of television, 10 people: -29/165."""
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    intelligence = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    assert statistics.rank_correlation(intelligence, hours) == pytest.approx(-29 / 165)
    assert statistics.rank_correlation([1, 2], [1, 2]) is None
    assert statistics.rank_correlation([1, 2, 3], [5, 5, 5]) is None


def test_seeds_needed_as_in_cohen() -> None:
    """Half a standard deviation needs (1.96 + 0.84)^2 / 0.5^2 = 31.4 pairs."""
    spread = np.asarray([-1.0, 1.0] * 5)
    spread /= spread.std(ddof=1)
    assert statistics.seeds_needed((0.5 + spread).tolist()) == 32
    assert statistics.seeds_needed((5.0 + spread).tolist()) == 6
    assert statistics.seeds_needed((5.0 + spread).tolist(), comparisons=3) == 7
    assert statistics.seeds_needed(spread.tolist()) is None


def test_fewest_pairs_by_hand() -> None:
    """2 / 2^6 is 0.031; with three comparisons the smallest p is multiplied by 3: 3 x 2 / 2^7 is 0.047."""
    assert [statistics.fewest_pairs(comparisons) for comparisons in (1, 2, 3, 4)] == [6, 7, 7, 8]
    assert statistics.least_p(6) == 2 / 64
    assert statistics.least_p(30) == 2 / (2**16 + 1)


@pytest.mark.parametrize("pairs", [6, 15, 20])
def test_no_p_is_smaller_than_the_least(pairs: int) -> None:
    found = statistics.paired_difference([0.9 + index / 1000 for index in range(pairs)], [0.5] * pairs)
    assert found is not None
    assert found.p == pytest.approx(statistics.least_p(pairs))


def said(difference: float, seeds: int, studies: int) -> float:
    """The share of simulated studies that call a finalist better than another by so much, with the spread between seeds
    of a small network on MNIST."""
    rng, better = np.random.default_rng(seeds), 0
    for _ in range(studies):
        first, second = rng.normal(0.98, 0.0015, (2, seeds))
        found = statistics.paired_difference((first + difference).tolist(), second.tolist())
        assert found is not None
        better += statistics.verdict_word(found.interval, found.p) == statistics.BETTER
    return better / studies


@pytest.mark.parametrize("seeds", [7, 10])
def test_better_is_said_of_at_most_one_tie_in_twenty(seeds: int) -> None:
    assert said(0.0, seeds, 300) <= 0.05


def test_ten_seeds_detect_a_difference_of_half_a_point() -> None:
    assert said(0.005, 10, 40) == 1.0


def test_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(3)
    found = [statistics.paired_difference(*rng.normal(size=(2, 9)).tolist()) for _ in range(200)]
    p_values = [each.p for each in found if each is not None]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_one_value_has_no_interval_and_equal_values_one_without_width() -> None:
    assert statistics.mean_interval([0.5]) is None
    assert statistics.mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    assert statistics.paired_difference([0.5], [0.4]) is None


@given(accuracies)
@settings(max_examples=30, deadline=None)
def test_an_interval_contains_its_mean_and_stays_within_the_values(values: list[float]) -> None:
    interval = statistics.mean_interval(values)
    assert interval is not None
    assert interval.estimate == pytest.approx(np.mean(values))
    assert min(values) - 1e-12 <= interval.low <= interval.high <= max(values) + 1e-12


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    """With 20 values the bootstrap covers almost the 95 % it claims."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        interval = statistics.mean_interval(rng.normal(0.98, 0.01, 20).tolist())
        assert interval is not None
        hits += interval.low <= 0.98 <= interval.high
    assert 0.88 <= hits / 200 <= 0.985


def test_the_sign_flip_test_by_hand() -> None:
    """Of the 2^5 combinations of signs only all plus and all minus are as extreme: p = 2/32."""
    difference = statistics.paired_difference([0.91, 0.92, 0.93, 0.94, 0.95], [0.90] * 5)
    assert difference is not None
    assert difference.p == pytest.approx(2 / 32)
    assert difference.interval.estimate == pytest.approx(0.03)
    none = statistics.paired_difference([0.9, 0.8], [0.9, 0.8])
    assert none is not None
    assert none.p == 1


@given(accuracies, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_a_difference_is_antisymmetric(values: list[float], random: object) -> None:
    other = list(reversed(values))
    forward, backward = statistics.paired_difference(values, other), statistics.paired_difference(other, values)
    assert forward is not None
    assert backward is not None
    assert forward.interval.estimate == pytest.approx(-backward.interval.estimate, abs=1e-12)
    assert forward.p == pytest.approx(backward.p)
    assert 0 < forward.p <= 1


def test_p_is_not_too_small_under_the_null() -> None:
    rng = np.random.default_rng(1)
    small = 0
    for _ in range(300):
        values = rng.normal(size=(2, 8))
        difference = statistics.paired_difference(values[0].tolist(), values[1].tolist())
        assert difference is not None
        small += difference.p <= 0.05
    assert small / 300 <= 0.08


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = statistics.holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, len(p_values) * p) + 1e-12 or q == max(adjusted[: len(adjusted)])
        assert q >= p
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.asarray(adjusted)[order]) >= -1e-12)


@pytest.mark.parametrize(
    "interval, p, word",
    [
        (Interval(0.02, 0.01, 0.03), 0.04, "better"),
        (Interval(-0.02, -0.03, -0.01), 0.04, "worse"),
        (Interval(0.02, 0.01, 0.03), 0.05, "not distinguishable"),
        (Interval(0.02, -0.01, 0.05), 0.01, "not distinguishable"),
    ],
)
def test_the_words_follow_the_rule(interval: Interval, p: float, word: str) -> None:
    assert statistics.verdict_word(interval, p) == word
