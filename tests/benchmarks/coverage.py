"""How often the report's intervals and words are right, by simulation.

    python tests/benchmarks/coverage.py                 # 5 minutes on 2 cores
    python tests/benchmarks/coverage.py --studies 500   # a tenth of that

Simulates what finals store: which of N test images each of K trainings classifies correctly. A model is right where its
ability, the image's ease for all finalists, its ease for this finalist, the luck of this seed and that of this answer,
all normal, add up to more than 0 (a probit model with crossed random effects). The variances are set so that a scenario
has the accuracy, the standard deviation over seeds, and the shares of errors that two seeds of a finalist and two
finalists have in common which were measured (`SCENARIOS`). What the intervals should contain is known exactly.

Prints the tables of docs/selection.md, and a comparison with intervals that the report does not use. The same numbers
come at each run: the seeds are fixed.
"""

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from reports import statistics
from reports.statistics import BETTER, TIED, WORSE, Difference, Interval
from study.config import Definition

SEEDS = (3, 5, 7, 10)
RESAMPLES = 999


class Scenario(NamedTuple):
    """Finalists on a test set, as they were measured."""

    name: str
    images: int
    accuracy: float
    over_seeds: float
    """Standard deviation of the accuracy over seeds."""
    within: float
    """Of the errors of a model, the share that a model of the same finalist with another seed makes too."""
    between: float
    """The share that an equally good model of another finalist makes too."""


SCENARIOS = (
    Scenario("dense, MNIST", 10_000, 0.98, 0.0012, 0.65, 0.5),
    Scenario("cnn, MNIST", 10_000, 0.994, 0.0005, 0.65, 0.5),
    Scenario("digits", 360, 0.97, 0.007, 0.73, 0.5),
)


class Effects(NamedTuple):
    """Standard deviations of the normal variables; the variances of all but the seed's add up to 1."""

    image: float
    own: float
    seed: float
    answer: float

    @classmethod
    def of(cls, scenario: Scenario) -> "Effects":
        """Those that give a scenario its measures."""
        wrong = 1 - scenario.accuracy
        within, between = _correlation(wrong, scenario.within), _correlation(wrong, scenario.between)
        by_chance = wrong * (1 - scenario.within) / scenario.images  # variance of a seed's accuracy on these images
        seed = sqrt(max(0.0, scenario.over_seeds**2 - by_chance)) / stats.norm.pdf(stats.norm.isf(wrong))
        return cls(sqrt(between), sqrt(within - between), float(seed), sqrt(1 - within))


def _correlation(wrong: float, shared: float) -> float:
    """Of two normal variables, each below the threshold with probability `wrong`; both are for a share of those."""
    threshold = stats.norm.ppf(wrong)

    def excess(correlation: float) -> float:
        both = stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]])
        return float(both.cdf([threshold, threshold])) / wrong - shared

    return float(optimize.brentq(excess, 0, 0.9999))


class Finals(NamedTuple):
    """The simulated finals of F finalists."""

    correct: NDArray[np.bool_]
    """(F, K, N)."""
    on_these: NDArray[np.float64]
    """(F,) expected accuracy of another training on these images."""
    expected: NDArray[np.float64]
    """(F,) expected accuracy of another training on another image."""


def simulate(
    scenario: Scenario, effects: Effects, accuracies: tuple[float, ...], rng: np.random.Generator, same: bool = False
) -> Finals:
    """Finals of finalists with these accuracies; those that are the `same` configuration find the same images easy."""
    finalists, seeds, images = len(accuracies), max(SEEDS), scenario.images

    def normal(scale: float, *shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    total = sqrt(1 + effects.seed**2)
    ability = stats.norm.ppf(accuracies) * total
    ease = ability[:, None].astype(np.float32) + normal(effects.image, images)
    ease += normal(effects.own, 1 if same else finalists, images)
    correct = normal(effects.answer, finalists, seeds, images) < ease[:, None] + normal(
        effects.seed, finalists, seeds, 1
    )
    on_these = stats.norm.cdf(ease / sqrt(effects.answer**2 + effects.seed**2)).mean(axis=1)
    return Finals(correct, on_these, np.asarray(accuracies))


def differences(finals: Finals, first: int, second: int, seeds: int) -> NDArray[np.int8]:
    """(K, N): correct with one finalist minus correct with another."""
    return finals.correct[first, :seeds].astype(np.int8) - finals.correct[second, :seeds]


def compared(finals: Finals, first: int, second: int, seeds: int) -> Difference:
    """The difference of two finalists."""
    found = statistics.difference(differences(finals, first, second, seeds))
    assert found is not None
    return found


def judged(scenario: Scenario, found: list[Difference]) -> list[str]:
    """The words for comparisons that are adjusted together, as the report says them."""
    margin = max(Definition.margin / 100, 1 / scenario.images)
    adjusted = statistics.holm([each.p for each in found])
    return [statistics.verdict_word(each.interval, p, margin) for each, p in zip(found, adjusted, strict=True)]


Tally = Counter[tuple[str, int]]
"""How often something was so, by what it is and the number of seeds."""
PAIRS = tuple(combinations(range(3), 2))
"""The comparisons of three finalists."""


def equal_finalists(scenario: Scenario, studies: int, seed: int) -> tuple[Tally, Tally]:
    """How often intervals contain the true value, and what is said, of three finalists that are equally good, and of a
    configuration and itself."""
    rng, effects, covered, said = np.random.default_rng(seed), Effects.of(scenario), Tally(), Tally()

    def cover(what: str, seeds: int, interval: Interval | None, true: float) -> None:
        assert interval is not None
        covered[what, seeds] += bool(interval.low <= true <= interval.high)

    for _ in range(studies):
        three = simulate(scenario, effects, (scenario.accuracy,) * 3, rng)
        twins = simulate(scenario, effects, (scenario.accuracy,) * 2, rng, same=True)
        for seeds in SEEDS:
            correct = three.correct[0, :seeds]
            cover("accuracy, on these images", seeds, statistics.on_these_images(correct), three.on_these[0])
            cover("accuracy, for new images", seeds, statistics.accuracy(correct), scenario.accuracy)
            found = [compared(three, *pair, seeds) for pair in PAIRS]
            itself = compared(twins, 0, 1, seeds)
            for kind, finals, new in (("difference", three, found[0]), ("same configuration", twins, itself)):
                on_these = statistics.on_these_images(differences(finals, 0, 1, seeds))
                cover(f"{kind}, on these images", seeds, on_these, finals.on_these[0] - finals.on_these[1])
                cover(f"{kind}, for new images", seeds, new.interval, 0.0)
            words = judged(scenario, found)
            said["three equal finalists: any better or worse", seeds] += not {BETTER, WORSE}.isdisjoint(words)
            said["two equal finalists: tied", seeds] += words[0] == TIED
            said["the same configuration: tied", seeds] += judged(scenario, [itself]) == [TIED]
    return covered, said


def better_finalist(scenario: Scenario, studies: int, seed: int, accuracies: tuple[float, ...]) -> Tally:
    """What is said of the first of three finalists and the second, alone and adjusted for three comparisons."""
    rng, effects, tally = np.random.default_rng(seed), Effects.of(scenario), Tally()
    for _ in range(studies):
        finals = simulate(scenario, effects, accuracies, rng)
        for seeds in SEEDS:
            found = [compared(finals, *pair, seeds) for pair in PAIRS]
            tally["alone: better", seeds] += judged(scenario, found[:1]) == [BETTER]
            tally["one of three comparisons: better", seeds] += judged(scenario, found)[0] == BETTER
    return tally


def other_intervals(scenario: Scenario, studies: int, seed: int) -> Tally:
    """Coverage of intervals that the report does not use."""
    rng, effects, tally = np.random.default_rng(seed), Effects.of(scenario), Tally()
    for _ in range(studies):
        finals = simulate(scenario, effects, (scenario.accuracy,) * 2, rng)
        for seeds in SEEDS:
            for kind, table, here, true in (
                ("accuracy", finals.correct[0, :seeds].astype(np.int8), finals.on_these[0], scenario.accuracy),
                ("difference", differences(finals, 0, 1, seeds), finals.on_these[0] - finals.on_these[1], 0.0),
            ):
                low, high = bca_of_seeds(table)
                tally[f"{kind}, on these images: BCa over seeds", seeds] += low <= here <= high
                for name, method in FOR_NEW_IMAGES.items():
                    low, high = method(table, rng)
                    tally[f"{kind}, for new images: {name}", seeds] += low <= true <= high
    return tally


Bounds = tuple[float, float]


def bca_of_seeds(table: NDArray[np.int8]) -> Bounds:
    """Efron 1987, section 4: the bias-corrected and accelerated bootstrap of the trainings."""
    means = table.mean(axis=1)
    if np.ptp(means) < statistics.ROUNDING:
        return float(means[0]), float(means[0])
    drawn = stats.bootstrap((means,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0))
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def t_of_seeds(table: NDArray[np.int8], rng: np.random.Generator) -> Bounds:
    """Student's t over the trainings, which knows nothing of the images."""
    found = statistics.on_these_images(table)
    assert found is not None
    return found.low, found.high


def t_of_images(table: NDArray[np.int8], rng: np.random.Generator) -> Bounds:
    """The normal interval over the images of their means, which knows nothing of the trainings."""
    means = table.mean(axis=0)
    reach = 1.96 * float(means.std(ddof=1)) / sqrt(len(means))
    return float(means.mean()) - reach, float(means.mean()) + reach


def symmetric(table: NDArray[np.int8], rng: np.random.Generator) -> Bounds:
    """As the report's for differences: for an accuracy it is too often too low."""
    found = statistics.difference(table)
    assert found is not None
    return found.interval.low, found.interval.high


def two_levels(table: NDArray[np.int8], rng: np.random.Generator) -> Bounds:
    """The percentile bootstrap that draws trainings, and for each of them images of its own."""
    seeds, images = table.shape
    drawn = table[rng.integers(seeds, size=(RESAMPLES, seeds))]
    shares = np.stack([(drawn == value).mean(axis=2) for value in (-1, 0, 1)], axis=2)
    counts = rng.multinomial(images, shares)
    return percentiles((counts @ np.array([-1, 0, 1])).mean(axis=1) / images)


def pigeonhole(table: NDArray[np.int8], rng: np.random.Generator) -> Bounds:
    """The percentile bootstrap that draws trainings and images, and takes the answers where they cross (Owen 2007)."""
    seeds, images = table.shape
    trainings = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES)
    weights = rng.multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
    return percentiles(((trainings @ table) * weights).sum(axis=1) / (seeds * images))


def percentiles(means: NDArray[np.float64]) -> Bounds:
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


FOR_NEW_IMAGES = {
    "Student's t over seeds": t_of_seeds,
    "normal over images": t_of_images,
    "two-level bootstrap": two_levels,
    "pigeonhole bootstrap": pigeonhole,
    "Student's t, crossed": symmetric,
}


def added(tallies: list[Tally]) -> Tally:
    """The sum of tallies, zeros included."""
    return Tally({what: sum(each[what] for each in tallies) for what in tallies[0]})


def print_table(title: str, columns: dict[str, Tally], studies: int) -> None:
    """A table in markdown: what, by the number of seeds, in percent of the studies."""
    print(f"\n{title}, % of {studies:,} studies\n")
    print(f"| | {' | '.join(f'{seeds} seeds' for seeds in SEEDS)} |")
    print("| --- |" + " --: |" * len(SEEDS))
    for name, tally in columns.items():
        for what in dict.fromkeys(what for what, _ in tally):
            shares = (f"{100 * tally[what, seeds] / studies:.1f}" for seeds in SEEDS)
            print(f"| {name}: {what} | {' | '.join(shares)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4_000, help="Simulated per scenario.")
    studies = parser.parse_args().studies
    few, began = studies // 8, time.perf_counter()
    dense, _, digits = SCENARIOS
    with ProcessPoolExecutor(2) as pool:
        equal = {
            each.name: [pool.submit(equal_finalists, each, studies // 2, seed) for seed in (1, 2)] for each in SCENARIOS
        }
        half_a_point = pool.submit(better_finalist, dense, few, 3, (0.983, 0.978, 0.978))
        eight_points = pool.submit(better_finalist, digits, few, 4, (0.96, 0.88, 0.88))
        others = pool.submit(other_intervals, digits, few, 5)
        covered, said = (
            {name: added([half.result()[part] for half in halves]) for name, halves in equal.items()} for part in (0, 1)
        )
        print_table("Intervals that contain the true value", covered, studies)
        print_table("What is said of equal finalists", said, studies)
        better = {
            f"+0.5 points, {dense.name}": half_a_point.result(),
            f"+8 points, {digits.name}": eight_points.result(),
        }
        print_table("What is said of a better finalist", better, few)
        print_table("Other intervals that contain the true value", {digits.name: others.result()}, few)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
