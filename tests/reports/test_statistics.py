"""Intervals and tests, compared with computation by hand, with published numbers and with their mathematical laws."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import integrate, stats

from reports import statistics
from reports.statistics import BETTER, TIED, UNDECIDED, WORSE, Difference, Interval, Spread, Variation

SIZES = st.tuples(st.integers(3, 6), st.integers(2, 40))
correct_tables = arrays.arrays(np.bool_, SIZES)
difference_tables = arrays.arrays(np.int8, SIZES, elements=st.integers(-1, 1))
values = st.lists(st.integers(0, 200), min_size=3, max_size=8).map(lambda errors: [1 - each / 200 for each in errors])
orders = st.randoms(use_true_random=False)


def difference(table: NDArray[np.int8]) -> Difference:
    found = statistics.difference(table)
    assert found is not None
    return found


def intervals(table: NDArray[Any]) -> list[Interval]:
    """Both intervals of a table."""
    new = statistics.accuracy(table) if table.dtype == np.bool_ else difference(table).interval
    found = [statistics.on_these_images(table), new]
    return [each for each in found if each is not None]


def drawn(seeds: int, images: int, shares: tuple[float, float, float], seed: int = 0) -> NDArray[np.int8]:
    """Independent differences, with the shares of -1, 0 and 1."""
    return np.random.default_rng(seed).choice(np.array([-1, 0, 1], dtype=np.int8), (seeds, images), p=shares)


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


def test_student_s_t_as_in_fisher_1935_section_17() -> None:
    """t = 2.148 with 14 degrees of freedom, p = 0.0497; the mean is 20.933, its standard error 9.746."""
    found = statistics.paired_difference(DARWIN, [0.0] * 15)
    assert found is not None
    assert found.interval.estimate == pytest.approx(20.933, abs=5e-4)
    assert found.p == pytest.approx(0.0497, abs=5e-5)
    reach = 9.746 * stats.t.ppf(0.975, 14)
    assert found.interval[1:] == pytest.approx((20.933 - reach, 20.933 + reach), abs=5e-3)


def test_pairs_that_say_nothing_of_others() -> None:
    assert statistics.paired_difference([0.9, 0.8], [0.5, 0.6]) is None
    assert statistics.paired_difference([0.9, 0.8, 0.7], [0.8, 0.7, 0.6]) is None  # equal, but for their rounding


@given(values, orders)
def test_a_paired_difference_obeys_its_laws(first: list[float], random: Any) -> None:
    second = random.sample(first, len(first))
    found, swapped = statistics.paired_difference(first, second), statistics.paired_difference(second, first)
    moved = statistics.paired_difference([each + 1 for each in first], [each + 1 for each in second])
    assert (found is None) == (swapped is None) == (moved is None)
    if found is not None and swapped is not None and moved is not None:
        assert found.interval == pytest.approx([-swapped.interval[index] for index in (0, 2, 1)], abs=1e-9)
        assert found.p == pytest.approx(swapped.p)
        assert found.interval == pytest.approx(moved.interval, abs=1e-9)
        assert 0 < found.p <= 1
        assert found.interval.excludes_zero == (found.p < 0.05)


def test_the_variation_by_hand() -> None:
    """Three trainings of means 1/2, 3/4 and 1/4 on four images of means 1, 2/3, 1/3 and 0."""
    table = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    found = Variation.of(table)
    assert (found.seeds, found.images, found.mean) == (3, 4, 0.5)
    assert found.of_seeds == pytest.approx(1 / 16)
    assert found.of_images == pytest.approx((1 / 4 + 1 / 36 + 1 / 36 + 1 / 4) / 3)
    # Of a total of 3, the trainings explain 4 x 1/8 and the images 3 x 5/9.
    assert found.residual == pytest.approx((3 - 1 / 2 - 5 / 3) / 6)
    spread = found.of_mean()
    assert spread.by_seeds == pytest.approx(1 / 48)
    assert spread.by_images == pytest.approx(5 / 27 / 4 - 5 / 36 / 12)


@pytest.mark.parametrize("seeds, images", [(3, 400), (10, 300)])
def test_a_spread_of_one_part_is_student_s(seeds: int, images: int) -> None:
    for spread, freedom in (
        (Spread(seeds, images, 4.0, 0.0), seeds - 1),
        (Spread(seeds, images, 0.0, 4.0), images - 1),
    ):
        assert spread.quantile == pytest.approx(stats.t.ppf(0.975, freedom))
        assert spread.p(5.0) == pytest.approx(2 * stats.t.sf(2.5, freedom), rel=0.02)


def test_a_p_value_is_that_of_a_sum_of_student_s_t() -> None:
    """The distribution of Behrens and Fisher by its definition: here of the sum of two, of 6 degrees of freedom and of
    endless ones, each with half of the variance."""
    beyond = integrate.quad(
        lambda z: stats.norm.pdf(z) * (stats.t.sf(2.5 / 0.5**0.5 - z, 6) + stats.t.cdf(-2.5 / 0.5**0.5 - z, 6)), -9, 9
    )[0]
    assert Spread(7, 10**6, 0.5, 0.5).p(2.5) == pytest.approx(beyond, rel=5e-3)


@given(difference_tables)
def test_a_table_of_its_own_size_is_expected_to_vary_as_it_does(table: NDArray[np.int8]) -> None:
    """Where no component of its variance is estimated as negative."""
    found = Variation.of(table)
    same = found.expected(found.seeds, found.images)
    assert same.of_seeds >= found.of_seeds - 1e-12
    assert same.of_images >= found.of_images - 1e-12
    if found.of_seeds > found.residual / found.images and found.of_images > found.residual / found.seeds:
        assert same == pytest.approx(found)
    larger = found.expected(2 * found.seeds, 2 * found.images)
    assert larger.of_mean().variance <= same.of_mean().variance + 1e-12


def test_what_is_expected_of_larger_tables_is_what_they_show() -> None:
    """Components of 2, 5 and 3, of trainings, images and the rest, in tables of two sizes."""
    rng = np.random.default_rng(0)

    def mean_squares(seeds: int, images: int) -> Variation:
        found = [
            Variation.of(
                rng.normal(0, 2**0.5, (seeds, 1))
                + rng.normal(0, 5**0.5, images)
                + rng.normal(0, 3**0.5, (seeds, images))
            )  # type: ignore[arg-type]
            for _ in range(400)
        ]
        return Variation(seeds, images, 0.0, *np.mean([each[3:] for each in found], axis=0))

    small, large = mean_squares(4, 30), mean_squares(8, 120)
    assert small.expected(8, 120)[3:] == pytest.approx(large[3:], rel=0.1)


def test_the_interval_on_these_images_is_student_s() -> None:
    table = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]] * 3, dtype=bool)
    found = statistics.on_these_images(table)
    by_scipy = stats.ttest_1samp(table.mean(axis=1), 0).confidence_interval(0.95)
    assert found == pytest.approx((0.5, by_scipy.low, by_scipy.high))


def test_two_seeds_and_one_image_have_no_interval() -> None:
    two, one = np.ones((2, 9), dtype=bool), np.ones((5, 1), dtype=bool)
    assert statistics.on_these_images(two) is None
    for table in (two, one):
        assert statistics.accuracy(table) is None
        assert statistics.difference(table.astype(np.int8)) is None


def test_an_accuracy_of_independent_answers_has_wilson_s_interval() -> None:
    """With many trainings that share nothing, all answers count; of trainings that agree in all, only one's do."""
    answers = np.random.default_rng(0).random((40, 500)) < 0.9
    found, wilson = statistics.accuracy(answers), statistics.proportion_interval(int(answers.sum()), answers.size)
    assert found is not None
    assert found[1:] == pytest.approx(wilson[1:], abs=2e-3)
    found, wilson = statistics.accuracy(answers[[0] * 40]), statistics.proportion_interval(int(answers[0].sum()), 500)
    assert found is not None
    assert tuple(found) == pytest.approx(tuple(wilson), abs=1e-3)


@pytest.mark.parametrize("right", [True, False])
def test_accuracies_without_an_exception(right: bool) -> None:
    """3 of 1,000 further answers, and 3.8 of 204 further images, may be exceptions."""
    table = np.full((5, 200), right)
    these, new = intervals(table)
    wilson = statistics.proportion_interval(200 * right, 200)
    assert these == pytest.approx((1, 0.997, 1) if right else (0, 0, 0.003))
    assert new == pytest.approx(wilson, abs=3e-4)


def test_finalists_that_never_differ() -> None:
    """Of 1,000 further answers 3 may differ, and 3 of 200 further images: too many to call them tied."""
    found = difference(np.zeros((5, 200), dtype=np.int8))
    assert found.p == 1
    assert found.interval == pytest.approx((0, -0.015, 0.015), rel=0.02)
    assert statistics.on_these_images(np.zeros((5, 200), dtype=np.int8)) == pytest.approx((0, -0.003, 0.003))
    assert statistics.verdict_word(found.interval, found.p, margin=1 / 200) == UNDECIDED
    assert statistics.seeds_needed(np.zeros((5, 200), dtype=np.int8), 1 / 200) is None
    assert statistics.images_needed(np.zeros((5, 200), dtype=np.int8), 0.002) == 1500


def test_one_answer_decides_nothing() -> None:
    """A difference on a single image in a single training."""
    table = np.zeros((5, 200), dtype=np.int8)
    table[0, 0] = 1
    found = difference(table)
    assert found.interval.high - found.interval.estimate >= 1 / 400
    assert statistics.verdict_word(found.interval, found.p, margin=1 / 200) == UNDECIDED


def test_where_images_decide_more_trainings_do_not_help() -> None:
    """Two finalists that always differ on the same images: 15 of 1,000 against 5 of them, as McNemar's test has it."""
    one = np.repeat(np.array([1, -1, 0], dtype=np.int8), (15, 5, 980))
    few, many = difference(np.stack([one] * 3)), difference(np.stack([one] * 30))
    assert few.p == pytest.approx(many.p)
    assert few.p == pytest.approx(stats.chi2.sf((15 - 5) ** 2 / (15 + 5), 1), abs=0.003)
    assert statistics.seeds_needed(np.stack([one] * 3), 0.002) is None


def test_where_trainings_decide_it_is_student_s_t() -> None:
    """Every image is as easy as any other, so that only the trainings count."""
    table = np.stack([np.roll(np.repeat(np.array([1, 0], dtype=np.int8), (n, 2_000 - n)), 300 * n) for n in (3, 5, 9)])
    found, on_these = difference(table), statistics.on_these_images(table)
    assert found.interval == pytest.approx(on_these, rel=0.02)


@given(correct_tables | difference_tables)
def test_an_interval_contains_its_estimate_and_stays_within_bounds(table: NDArray[Any]) -> None:
    least = 0 if table.dtype == np.bool_ else -1
    found = intervals(table)
    assert len(found) == 2
    for interval in found:
        assert interval.estimate == pytest.approx(table.mean())
        assert least <= interval.low <= interval.estimate <= interval.high <= 1
        assert interval.low < interval.high


@given(correct_tables | difference_tables, st.integers(0, 99))
def test_the_order_of_seeds_and_images_does_not_matter(table: NDArray[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(rng.permutation(table, axis=0), axis=1)
    for found, other in zip(intervals(table), intervals(mixed), strict=True):
        assert found == pytest.approx(other, abs=1e-9)


@given(difference_tables)
def test_swapped_finalists_have_the_opposite_difference(table: NDArray[np.int8]) -> None:
    found, swapped = difference(table), difference(-table)
    assert found.p == pytest.approx(swapped.p)
    for interval, opposite in zip(intervals(table), intervals(-table), strict=True):
        assert interval == pytest.approx([-opposite[index] for index in (0, 2, 1)], abs=1e-9)
    word, other = (statistics.verdict_word(each.interval, each.p, 0.1) for each in (found, swapped))
    assert {BETTER: WORSE, WORSE: BETTER}.get(word, word) == other


@given(correct_tables)
def test_errors_have_the_opposite_interval(table: NDArray[np.bool_]) -> None:
    for right, wrong in zip(intervals(table), intervals(~table), strict=True):
        assert right == pytest.approx([1 - wrong[index] for index in (0, 2, 1)], abs=1e-9)


@given(difference_tables, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_difference_has_a_smaller_p(table: NDArray[np.int8], one: float, other: float) -> None:
    spread = Variation.of(table).of_mean().at_least(1e-4)
    small, large = sorted((one, other))
    assert 0 <= spread.p(large) <= spread.p(-small) <= 1 + 1e-9


@given(difference_tables, st.floats(0, 1))
def test_tied_is_what_lies_within_the_margin(table: NDArray[np.int8], margin: float) -> None:
    found = difference(table)
    word = statistics.verdict_word(found.interval, found.p, margin)
    if word == TIED:
        assert max(abs(found.interval.low), abs(found.interval.high)) <= margin
    if word == UNDECIDED:
        assert max(abs(found.interval.low), abs(found.interval.high)) > margin


@pytest.mark.parametrize(
    "interval, p, margin, word",
    [
        (Interval(0.02, 0.01, 0.03), 0.04, 0.002, BETTER),
        (Interval(-0.02, -0.03, -0.01), 0.04, 0.002, WORSE),
        (Interval(0.02, 0.01, 0.03), 0.05, 0.002, UNDECIDED),
        (Interval(0.02, -0.01, 0.05), 0.01, 0.002, UNDECIDED),
        (Interval(0.0005, -0.001, 0.002), 0.6, 0.002, TIED),
        (Interval(0.0005, -0.001, 0.0021), 0.6, 0.002, UNDECIDED),
        (Interval(0.0005, 0.0001, 0.0009), 0.01, 0.002, BETTER),
        (Interval(0.0005, 0.0001, 0.0009), 0.06, 0.002, TIED),
        (Interval(0.0, 0.0, 0.0), 1.0, None, UNDECIDED),
        (None, None, 0.002, UNDECIDED),
    ],
)
def test_the_words_follow_the_rule(interval: Interval | None, p: float | None, margin: float | None, word: str) -> None:
    assert statistics.verdict_word(interval, p, margin) == word


def test_a_smaller_loss_is_better() -> None:
    assert statistics.verdict_word(Interval(-0.02, -0.03, -0.01), 0.04, maximize=False) == BETTER


def test_the_seeds_that_are_needed_find_the_difference() -> None:
    """As many more trainings of the same kind as it says find it in about 80 % of simulated studies, half as many in
    fewer."""
    shares = (0.03, 0.93, 0.04)
    table = drawn(3, 400, shares, seed=1)
    table[:, :1] = 0  # not all are decided yet
    needed = statistics.seeds_needed(table, 0.0)
    assert needed is not None
    variation = Variation.of(table)
    plus = variation.mean
    minus = 0.07 - (0.07 + plus) / 2
    exact = (minus, 0.93, 0.07 - minus)
    found = [
        sum(difference(drawn(seeds, 400, exact, seed)).p < 0.05 for seed in range(200)) / 200
        for seeds in (needed, max(3, needed // 2))
    ]
    assert found[0] == pytest.approx(0.8, abs=0.12)
    assert found[1] < found[0]


@given(difference_tables, st.floats(0, 0.2), st.integers(1, 6))
@settings(max_examples=30)
def test_more_comparisons_never_need_fewer_seeds(table: NDArray[np.int8], margin: float, comparisons: int) -> None:
    alone, adjusted = (statistics.seeds_needed(table, margin, count) for count in (1, comparisons))
    assert adjusted is None or (alone is not None and len(table) < alone <= adjusted <= statistics.MOST_SEEDS)


def test_images_that_are_needed() -> None:
    """Always the same 15 of 1,000 images against 5: z is 2.2, and 2.8 takes (2.8 / 2.2)^2 as many images."""
    table = np.stack([np.repeat(np.array([1, -1, 0], dtype=np.int8), (15, 5, 980))] * 4)
    assert statistics.images_needed(table, 0.0) == 1_600
    more = statistics.images_needed(table, 0.0, comparisons=3)
    assert more is not None
    assert more > 1_600
    assert statistics.images_needed(table[:, :20] * 0, 0.0) is None


@pytest.mark.parametrize("seeds", [3, 10])
def test_intervals_cover_what_they_should(seeds: int) -> None:
    """Trainings that are lucky or not, of images that are easy or not; tests/benchmarks/coverage.py has more."""
    rng, hits, studies = np.random.default_rng(seeds), np.zeros(4), 400
    for _ in range(studies):
        ease, luck = rng.normal(2, 0.9, (1, 300)), rng.normal(0, 0.1, (2, seeds, 1))
        correct = rng.normal(0, 0.4, (2, seeds, 300)) < ease + luck
        here = stats.norm.cdf(ease / (0.4**2 + 0.1**2) ** 0.5).mean()
        everywhere = stats.norm.cdf(2 / (0.9**2 + 0.4**2 + 0.1**2) ** 0.5)
        found = [*intervals(correct[0]), *intervals(correct[0].astype(np.int8) - correct[1])]
        hits += [each.low <= true <= each.high for each, true in zip(found, (here, everywhere, 0, 0), strict=True)]
    assert np.all(np.abs(hits / studies - 0.95) < 0.03)


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
