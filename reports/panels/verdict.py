"""How good each finalist is on the test set, and which differences are more than chance."""

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

from reports import commands, predictions, statistics
from reports.collect import StudyResults, once
from reports.panels import Card, p_value, percent, points
from study.records import BASELINE, TUNED, FinalRecord

COLUMNS = (
    "Finalist", "Test accuracy", "95 % interval", "Seeds", "Errors per 10,000", "Validation accuracy",
    "Validation minus test (points)", "Parameters", "Seconds to train", "Trials",
)  # fmt: skip
SHORT_COLUMNS = ("Finalist", "Test accuracy", "95 % interval", "Seeds", "Parameters")
"""Those that fit into a terminal."""
COMPARISON_COLUMNS = ("Comparison", "Seeds", "Difference (points)", "95 % interval", "p", "Adjusted p", "Verdict")
MEDIAN_COLUMNS = ("Comparison", "Only the first is right", "Only the second is right", "p")
CAPTION = (
    "Each finalist is retrained on training + validation images and tested once per seed. Test accuracy is the mean "
    "over seeds with its bootstrap interval (BCa), which covers the variation between trainings on these test images; "
    "with fewer than 10 seeds it is somewhat too narrow. A single seed, and an ensemble (one classifier that averages "
    "the probabilities of all seeds' models, at their joint cost), have Wilson's interval of that one model, which "
    "covers the variation between test sets of this size. The validation accuracy is that of the selected trial."
)
RULE = (
    "Bootstrap interval (BCa) and sign-flip permutation p, Holm-adjusted. 'Better' is said only where the interval "
    "excludes 0 and the adjusted p is below 0.05."
)
Finals = Mapping[tuple[str, str], list[FinalRecord]]
"""The finals of each finalist, by space and role."""


class Row(NamedTuple):
    """A finalist, or the ensemble of its models, on the test set."""

    finalist: str
    accuracy: float
    interval: statistics.Interval
    seeds: int
    errors_per_10000: float
    validation: float | None
    """Validation accuracy of the trial that was selected."""
    optimism: float | None
    """Validation accuracy minus mean test accuracy."""
    parameters: int
    seconds: float
    trials: int
    """Finished trials of the space's search."""
    models: int = 0
    """How many models an ensemble has; 0 for a finalist, whose models are tested one by one."""


class Comparison(NamedTuple):
    """Two finalists, paired by seed."""

    first: str
    second: str
    seeds: int
    difference: statistics.Difference
    adjusted_p: float
    word: str
    seeds_needed: int | None
    """About how many seeds would detect such a difference; None where it is detected, or there is none."""
    medians: statistics.Disagreement | None
    """The median models of both on the same images; None where their predictions are missing."""


class Verdict(NamedTuple):
    """What the report begins with."""

    sentence: str
    rows: list[Row]
    comparisons: list[Comparison]
    test_evaluations: int
    """How often a model was tested, in total."""


@once
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
    sentence = _sentence(results, rows[0], comparisons) if rows else _not_yet(results)
    rows += sorted(_ensembles(results, finals), key=lambda row: -row.accuracy)
    return Verdict(sentence, rows, comparisons, len(results.finals))


def finalists(results: StudyResults) -> list[Row]:
    """The finalists without the ensembles, the best first."""
    return [row for row in info(results).rows if not row.models]


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, in the order of `COLUMNS`."""
    return (
        row.finalist,
        percent(row.accuracy),
        f"{percent(row.interval.low)} to {percent(row.interval.high)}",
        f"ensemble of {row.models}" if row.models else str(row.seeds),
        f"{row.errors_per_10000:.0f}",
        percent(row.validation),
        points(row.optimism),
        f"{row.parameters:,}",
        f"{row.seconds:.1f}",
        str(row.trials),
    )


def cards(results: StudyResults) -> list[Card]:
    """The tables of the finalists, of their differences, and of the images on which their median models differ."""
    found, title = info(results), "Which model is best on the test set?"
    if not found.rows:
        return [Card(title, found.sentence)]
    caption = f"{CAPTION} The test set was read {found.test_evaluations} times."
    shown = [Card(title, caption, COLUMNS, [cells(row) for row in found.rows], lead=found.sentence)]
    if found.comparisons:
        caption = f"Differences in percentage points of test accuracy, paired by seed. {RULE}"
        rows = [_comparison_cells(comparison) for comparison in found.comparisons]
        shown.append(Card("Which differences are real?", caption, COMPARISON_COLUMNS, rows))
    medians = [
        (f"{each.first} − {each.second}", str(told.only_first), str(told.only_second), p_value(told.p))
        for each in found.comparisons
        if (told := each.medians) is not None
    ]
    if medians:
        caption = (
            "Test images that only one of two models classifies correctly, for the model of median accuracy of each "
            "finalist, and the exact McNemar p (Dietterich 1998). It is about these two models; the comparison above "
            "is about how they are trained."
        )
        shown.append(Card("Where do the median models differ?", caption, MEDIAN_COLUMNS, medians))
    return shown


def _row(results: StudyResults, space: str, role: str, finals: list[FinalRecord]) -> Row:
    accuracies, one = [final.accuracy for final in finals], finals[0]
    mean = fmean(accuracies)
    return Row(
        finalist=f"{space} {role}",
        accuracy=mean,
        interval=statistics.mean_interval(accuracies)
        or statistics.proportion_interval(one.test_images - one.errors, one.test_images),
        seeds=len(finals),
        errors_per_10000=10_000 * (1 - mean),
        validation=one.validation,
        optimism=None if one.validation is None else one.validation - mean,
        parameters=one.parameters,
        seconds=fmean(final.seconds for final in finals),
        trials=next(each.ended for each in results.spaces if each.name == space),
    )


def _ensembles(results: StudyResults, finals: Finals) -> list[Row]:
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


def _comparisons(results: StudyResults, finals: Finals) -> list[Comparison]:
    pairs = [((space, TUNED), (space, BASELINE)) for space, role in finals if role == TUNED]
    pairs += combinations([key for key in finals if key[1] == TUNED], 2)
    measured = []
    for first, second in pairs:
        others = {final.seed_index: final.accuracy for final in finals.get(second, [])}
        shared = [(final.accuracy, others[final.seed_index]) for final in finals[first] if final.seed_index in others]
        difference = statistics.paired_difference([a for a, _ in shared], [b for _, b in shared])
        if difference is not None:
            measured.append((first, second, [a - b for a, b in shared], difference))
    adjusted = statistics.holm([difference.p for _, _, _, difference in measured])
    compared = []
    for (first, second, differences, difference), p in zip(measured, adjusted, strict=True):
        word = statistics.verdict_word(difference.interval, p)
        needed = statistics.seeds_needed(differences, len(measured)) if word == statistics.SAME else None
        medians = _medians(results, finals[first], finals[second])
        names = " ".join(first), " ".join(second)
        compared.append(Comparison(*names, len(differences), difference, p, word, needed, medians))
    return compared


def _medians(
    results: StudyResults, first: list[FinalRecord], second: list[FinalRecord]
) -> statistics.Disagreement | None:
    """The models of median accuracy of both, on the same images; of an even number, the less accurate middle one."""
    ranked = [sorted(finals, key=lambda final: (final.errors, final.seed_index)) for finals in (first, second)]
    models = results.predictions_of([finals[len(finals) // 2] for finals in ranked])
    if len(models) < 2 or len(models[0].labels) != len(models[1].labels):
        return None
    return statistics.mcnemar(models[0].correct, models[1].correct)


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
    needed, hint = comparison.seeds_needed, ""
    if needed is not None and needed > comparison.seeds:
        hint = f"; about {needed:,} seeds would detect such a difference (80 % power)"
    return f"{first} is {word} from {second}{hint}"


def _not_yet(results: StudyResults) -> str:
    return (
        "No finalist has been tested yet: the finals come after the search. To continue: "
        f"{commands.resume(results.definition)}"
    )


def _sentence(results: StudyResults, best: Row, comparisons: list[Comparison]) -> str:
    lead = (
        f"{best.finalist} has the highest mean test accuracy on {results.definition.dataset_name}: "
        f"{percent(best.accuracy)} [{percent(best.interval.low)}, {percent(best.interval.high)}], "
        f"{best.seeds} seed{'s' if best.seeds > 1 else ''}."
    )
    told = [each for each in comparisons if best.finalist in (each.first, each.second)]
    better, same = [], []
    for each in told:
        is_first = each.first == best.finalist
        other = each.second if is_first else each.first
        if each.word == statistics.SAME:
            same.append(other)
        elif each.word == (statistics.BETTER if is_first else statistics.WORSE):
            better.append(other)
    if better:
        lead += f" It is better than {' and '.join(better)}."
    if same:
        lead += f" It is not distinguishable from {' and '.join(same)} with so few seeds."
    for each in comparisons:
        if each not in told and each.word != statistics.SAME:
            size = 100 * abs(each.difference.interval.estimate)
            lead += f" {each.first} is {each.word} than {each.second} by {size:.2f} points."
    return lead
