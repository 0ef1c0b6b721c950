"""Which finalist is how good on the test set, and which differences can be told from chance."""

from functools import cache
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

from reports import predictions, statistics
from reports.collect import StudyResults
from reports.panels import Card, p_value, percent, points
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
MEDIAN_COLUMNS = ("Comparison", "Only the first is right", "Only the second is right", "p")


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
    models: int = 0
    """How many models classify together; 0 for a finalist, whose models are tested one by one."""


class Comparison(NamedTuple):
    """Two finalists, paired by seed."""

    first: str
    second: str
    seeds: int
    difference: statistics.Difference
    adjusted_p: float
    word: str
    seeds_needed: int | None
    """About how many seeds would tell such a difference; None where it is told, or there is none."""
    medians: statistics.Disagreement | None
    """The median models of both on the same images; None where their predictions are not at hand."""


class Verdict(NamedTuple):
    """The head of the report."""

    sentence: str
    rows: list[Row]
    comparisons: list[Comparison]
    test_evaluations: int
    """How often a model was tested, in all."""


@cache
def info(results: StudyResults) -> Verdict:
    """Finalists by mean test accuracy, the best first, then the ensembles of their models; comparisons of each tuned
    winner with its baseline and with the other winners, adjusted together (Holm)."""
    finals = {
        (space.name, role): found
        for space in results.spaces
        for role in (BASELINE, TUNED)
        if (found := results.finals_of(space.name, role))
    }
    rows = [_row(results, space, role, found) for (space, role), found in finals.items()]
    rows.sort(key=lambda row: -row.accuracy)
    comparisons = _comparisons(results, finals)
    rows += sorted(_ensembles(results, finals), key=lambda row: -row.accuracy)
    return Verdict(_sentence(results, rows, comparisons), rows, comparisons, len(results.finals))


def finalists(results: StudyResults) -> list[Row]:
    """The finalists without the ensembles, the best first."""
    return [row for row in info(results).rows if not row.models]


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, in the order of `COLUMNS`."""
    return (
        row.finalist,
        percent(row.accuracy),
        f"{percent(row.interval.low)} to {percent(row.interval.high)}",
        f"{row.models} as one" if row.models else str(row.seeds),
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
        return [Card("Who is best on the test set?", found.sentence)]
    table = Card(
        "Who is best on the test set?",
        "Each finalist is retrained on training + validation images and tested once a seed; the test set was read "
        f"{found.test_evaluations} times. Mean over seeds with its bootstrap interval (BCa): the spread between "
        "trainings, on these test images; of fewer than 10 seeds it is somewhat too narrow. For one seed, and for an "
        "ensemble (the averaged probabilities of all seeds' models, which are one classifier at their joint cost), "
        "Wilson's interval of that model, which is the spread between test sets of this size. Optimism is validation "
        "at selection minus test.",
        COLUMNS,
        [cells(row) for row in found.rows],
        lead=found.sentence,
    )
    if not found.comparisons:
        return [table]
    comparisons = Card(
        "Which differences can be told from chance?",
        "Differences paired by seed, in percentage points of test accuracy; sign-flip permutation p, Holm-adjusted. "
        "'Better' is said only where the interval excludes 0 and the adjusted p is below 0.05.",
        COMPARISON_COLUMNS,
        [_comparison_cells(comparison) for comparison in found.comparisons],
    )
    medians = [(each, each.medians) for each in found.comparisons if each.medians is not None]
    if not medians:
        return [table, comparisons]
    images = Card(
        "Where do the median models differ?",
        "Of each finalist the model of median accuracy: test images that only one of the two classifies correctly, and "
        "the exact McNemar p (Dietterich 1998). It speaks of these two models, the comparison above of their training.",
        MEDIAN_COLUMNS,
        [
            (f"{each.first} − {each.second}", str(told.only_first), str(told.only_second), p_value(told.p))
            for each, told in medians
        ],
    )
    return [table, comparisons, images]


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
        trials=searched.ended,
    )


def _ensembles(results: StudyResults, finals: dict[tuple[str, str], list[FinalRecord]]) -> list[Row]:
    rows = []
    for (space, role), found in finals.items():
        together = predictions.ensemble(results.predictions_of(found))
        if together is not None:
            right = together.test_images - together.errors
            one = _row(results, space, role, found)
            rows.append(
                one._replace(
                    finalist=f"{space} {role}, ensemble",
                    accuracy=together.accuracy,
                    interval=statistics.proportion_interval(right, together.test_images),
                    errors_per_10000=10_000 * (1 - together.accuracy),
                    validation=None,
                    optimism=None,
                    parameters=one.parameters * together.models,
                    seconds=one.seconds * together.models,
                    models=together.models,
                )
            )
    return rows


def _comparisons(results: StudyResults, finals: dict[tuple[str, str], list[FinalRecord]]) -> list[Comparison]:
    pairs = [((space, TUNED), (space, BASELINE)) for space, role in finals if role == TUNED]
    pairs += combinations([key for key in finals if key[1] == TUNED], 2)
    measured = []
    for first, second in pairs:
        paired = _paired(finals.get(first, []), finals.get(second, []))
        difference = statistics.paired_difference(*paired)
        if difference is not None:
            measured.append((first, second, [a - b for a, b in zip(*paired, strict=True)], difference))
    adjusted = statistics.holm([difference.p for _, _, _, difference in measured])
    compared = []
    for (first, second, differences, difference), p in zip(measured, adjusted, strict=True):
        word = statistics.verdict_word(difference.interval, p)
        needed = statistics.seeds_needed(differences, len(measured)) if word == statistics.SAME else None
        compared.append(
            Comparison(
                first=" ".join(first),
                second=" ".join(second),
                seeds=len(differences),
                difference=difference,
                adjusted_p=p,
                word=word,
                seeds_needed=needed,
                medians=_medians(results, finals[first], finals[second]),
            )
        )
    return compared


def _medians(
    results: StudyResults, first: list[FinalRecord], second: list[FinalRecord]
) -> statistics.Disagreement | None:
    """The model of median accuracy of each, of two the less accurate one, on the same images."""
    ranked = [sorted(finals, key=lambda final: (final.errors, final.seed_index)) for finals in (first, second)]
    models = results.predictions_of([finals[len(finals) // 2] for finals in ranked])
    if len(models) < 2 or len(models[0].labels) != len(models[1].labels):
        return None
    return statistics.mcnemar(models[0].correct, models[1].correct)


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
        p_value(comparison.difference.p),
        p_value(comparison.adjusted_p),
        _words(comparison),
    )


def _words(comparison: Comparison) -> str:
    first, second, word = comparison.first, comparison.second, comparison.word
    if word != statistics.SAME:
        return f"{first} is {word} than {second}"
    needed = comparison.seeds_needed
    hint = f"; some {needed:,} seeds would tell such a difference (80 % power)"
    hint = hint if needed and needed > comparison.seeds else ""
    return f"{first} is {word} from {second}{hint}"


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
    same = [_other(each, best) for each in told if each.word == statistics.SAME]
    if better:
        lead += f" It is better than {' and '.join(better)}."
    if same:
        lead += f" It is not distinguishable from {' and '.join(same)} with so many seeds."
    others = [each for each in comparisons if each not in told and each.word != statistics.SAME]
    for each in others:
        size = 100 * abs(each.difference.interval.estimate)
        lead += f" {each.first} is {each.word} than {each.second} by {size:.2f} points."
    return lead


def _other(comparison: Comparison, row: Row) -> str:
    return comparison.second if comparison.first == row.finalist else comparison.first


def _winning_word(comparison: Comparison, row: Row) -> str:
    return "better" if comparison.first == row.finalist else "worse"
