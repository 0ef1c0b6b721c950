"""Which finalist is how good on the test set, and which differences can be told from chance."""

from itertools import combinations
from statistics import fmean
from typing import NamedTuple

from reports import statistics
from reports.collect import StudyResults
from reports.panels import Card, percent, points
from study.records import BASELINE, TUNED, FinalRecord

COLUMNS = (
    "Finalist",
    "Test accuracy",
    "95 % interval",
    "Seeds",
    "Errors per 10,000",
    "Validation at selection",
    "Optimism (points)",
    "Parameters",
    "Seconds to train",
    "Trials",
)
SHORT_COLUMNS = ("Finalist", "Test accuracy", "95 % interval", "Seeds", "Parameters")
"""What a terminal has room for."""
COMPARISON_COLUMNS = ("Comparison", "Seeds", "Difference (points)", "95 % interval", "p", "Adjusted p", "Verdict")


class Row(NamedTuple):
    """A finalist on the test set."""

    finalist: str
    accuracy: float
    interval: statistics.Interval
    seeds: int
    errors_per_10000: float
    validation: float | None
    optimism: float | None
    """Validation at selection minus the mean on the test set."""
    parameters: int
    seconds: float
    trials: int
    """Finished trials that the space's search spent."""


class Comparison(NamedTuple):
    """Two finalists, paired by seed."""

    first: str
    second: str
    seeds: int
    difference: statistics.Difference
    adjusted_p: float
    word: str


class Verdict(NamedTuple):
    """The head of the report."""

    sentence: str
    rows: list[Row]
    comparisons: list[Comparison]
    test_evaluations: int
    """How often a model was tested, in all."""


def info(results: StudyResults) -> Verdict:
    """Finalists by mean test accuracy, the best first; comparisons of each tuned winner with its baseline and
    with the other winners, adjusted together (Holm)."""
    finals = {
        (space.name, role): found
        for space in results.spaces
        for role in (BASELINE, TUNED)
        if (found := results.finals_of(space.name, role))
    }
    rows = [_row(results, space, role, found) for (space, role), found in finals.items()]
    rows.sort(key=lambda row: -row.accuracy)
    comparisons = _comparisons(finals)
    return Verdict(_sentence(results, rows, comparisons), rows, comparisons, len(results.finals))


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, in the order of `COLUMNS`."""
    return (
        row.finalist,
        percent(row.accuracy),
        f"{percent(row.interval.low)} to {percent(row.interval.high)}",
        str(row.seeds),
        f"{row.errors_per_10000:.0f}",
        percent(row.validation),
        points(row.optimism),
        f"{row.parameters:,}",
        f"{row.seconds:.1f}",
        str(row.trials),
    )


def cards(results: StudyResults) -> list[Card]:
    """The verdict's table and the comparisons'."""
    found = info(results)
    if not found.rows:
        return [Card("Verdict", found.sentence)]
    table = Card(
        "Verdict",
        f"{found.sentence} Each finalist is retrained on training + validation images and tested once a seed; the "
        f"test set was read {found.test_evaluations} times. Mean over seeds with its bootstrap interval (BCa); for one "
        "seed, Wilson's interval of that model. Optimism is validation at selection minus test.",
        COLUMNS,
        [cells(row) for row in found.rows],
    )
    if not found.comparisons:
        return [table]
    comparisons = Card(
        "Comparisons",
        "Differences paired by seed, in percentage points of test accuracy; sign-flip permutation p, Holm-adjusted. "
        "'Better' is said only where the interval excludes 0 and the adjusted p is below 0.05.",
        COMPARISON_COLUMNS,
        [_comparison_cells(comparison) for comparison in found.comparisons],
    )
    return [table, comparisons]


def _row(results: StudyResults, space: str, role: str, finals: list[FinalRecord]) -> Row:
    accuracies = [final.accuracy for final in finals]
    mean, validation = fmean(accuracies), finals[0].validation
    interval = statistics.mean_interval(accuracies) or statistics.proportion_interval(
        finals[0].test_images - finals[0].errors, finals[0].test_images
    )
    searched = next(each for each in results.spaces if each.name == space)
    return Row(
        finalist=f"{space} {role}",
        accuracy=mean,
        interval=interval,
        seeds=len(finals),
        errors_per_10000=10_000 * (1 - mean),
        validation=validation,
        optimism=None if validation is None else validation - mean,
        parameters=finals[0].parameters,
        seconds=fmean(final.seconds for final in finals),
        trials=sum(trial.state.is_finished() for trial in searched.trials),
    )


def _comparisons(finals: dict[tuple[str, str], list[FinalRecord]]) -> list[Comparison]:
    pairs = [((space, TUNED), (space, BASELINE)) for space, role in finals if role == TUNED]
    pairs += combinations([key for key in finals if key[1] == TUNED], 2)
    measured = []
    for first, second in pairs:
        paired = _paired(finals.get(first, []), finals.get(second, []))
        difference = statistics.paired_difference(*paired)
        if difference is not None:
            measured.append((" ".join(first), " ".join(second), len(paired[0]), difference))
    adjusted = statistics.holm([difference.p for _, _, _, difference in measured])
    return [
        Comparison(*each, adjusted_p=p, word=statistics.verdict_word(each[3].interval, p))
        for each, p in zip(measured, adjusted, strict=True)
    ]


def _paired(first: list[FinalRecord], second: list[FinalRecord]) -> tuple[list[float], list[float]]:
    """The accuracies of the seeds that both have."""
    others = {final.seed_index: final.accuracy for final in second}
    shared = [(final.accuracy, others[final.seed_index]) for final in first if final.seed_index in others]
    return [a for a, _ in shared], [b for _, b in shared]


def _comparison_cells(comparison: Comparison) -> tuple[str, ...]:
    interval = comparison.difference.interval
    return (
        f"{comparison.first} − {comparison.second}",
        str(comparison.seeds),
        points(interval.estimate),
        f"{points(interval.low)} to {points(interval.high)}",
        f"{comparison.difference.p:.3f}",
        f"{comparison.adjusted_p:.3f}",
        f"{comparison.first} is {comparison.word} {'from' if 'not' in comparison.word else 'than'} {comparison.second}",
    )


def _sentence(results: StudyResults, rows: list[Row], comparisons: list[Comparison]) -> str:
    if not rows:
        return "No finalist has been tested yet: the search goes first ('study resume' goes on with it)."
    best = rows[0]
    lead = (
        f"{best.finalist} has the highest mean test accuracy on {results.config.dataset_name}: "
        f"{percent(best.accuracy)} [{percent(best.interval.low)}, {percent(best.interval.high)}], "
        f"{best.seeds} seed{'s' if best.seeds > 1 else ''}."
    )
    told = [each for each in comparisons if best.finalist in (each.first, each.second)]
    better = [_other(each, best) for each in told if each.word == _winning_word(each, best)]
    same = [_other(each, best) for each in told if each.word == "not distinguishable"]
    if better:
        lead += f" It is better than {' and '.join(better)}."
    if same:
        lead += f" It is not distinguishable from {' and '.join(same)} with so many seeds."
    return lead


def _other(comparison: Comparison, row: Row) -> str:
    return comparison.second if comparison.first == row.finalist else comparison.first


def _winning_word(comparison: Comparison, row: Row) -> str:
    return "better" if comparison.first == row.finalist else "worse"
