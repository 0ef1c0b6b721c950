"""Intervals and tests against hand computation, published numbers and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import statistics
from reports.statistics import Interval

accuracies = st.lists(st.integers(0, 200), min_size=2, max_size=8).map(lambda errors: [1 - e / 200 for e in errors])


def test_wilson_as_published() -> None:
    """reports of 10,000 test images: 99.00 % -> [98.79, 99.18], 98.40 % -> [98.13, 98.63]."""
    interval = statistics.proportion_interval(9_900, 10_000)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.9879, 0.9918)
    interval = statistics.proportion_interval(9_840, 10_000)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.9813, 0.9863)


def test_no_interval_of_one_and_none_without_spread() -> None:
    assert statistics.mean_interval([0.5]) is None
    assert statistics.mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    assert statistics.paired_difference([0.5], [0.4]) is None


@given(accuracies)
@settings(max_examples=30, deadline=None)
def test_an_interval_holds_its_mean_and_stays_within_the_values(values: list[float]) -> None:
    interval = statistics.mean_interval(values)
    assert interval is not None
    assert interval.estimate == pytest.approx(np.mean(values))
    assert min(values) - 1e-12 <= interval.low <= interval.high <= max(values) + 1e-12


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    """With 20 values the bootstrap covers nearly its 95 %."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        interval = statistics.mean_interval(rng.normal(0.98, 0.01, 20).tolist())
        assert interval is not None
        hits += interval.low <= 0.98 <= interval.high
    assert 0.88 <= hits / 200 <= 0.985


def test_the_sign_flip_test_by_hand() -> None:
    """Of the 2^5 signs only all plus and all minus are as extreme: p = 2/32."""
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
