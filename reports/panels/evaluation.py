"""What the finals of a tuner reached on the test data, by the objective's metric, and whether tuning made a
difference."""

import re
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from reports import statistics
from reports.collect import StudyResults, once
from reports.panels import Bar, Card, counted, number, p_value
from reports.statistics import BETTER, TIED, UNDECIDED, WORSE, Interval
from study.config import Definition
from study.records import BASELINE, TUNED, Conditions, EvaluationRecord

SHARE = re.compile(r"(^|_)(acc|f1|precision|recall)($|_)|accuracy|f1_?score")
"""Metrics that are shares of examples, 0 to 1."""
COLUMNS = (
    "Finalist", "Metric", "Mean", "95 % interval over trainings", "Seeds", "Validation at selection", "Epochs",
    "Parameters", "Seconds",
)  # fmt: skip
COMPARISON_COLUMNS = ("Comparison", "Seeds", "Difference", "95 % interval over trainings", "p", "Verdict")
FINAL_COLUMNS = ("Finalist", "Trial", "Seed", "Metric", "Value", "Epochs", "Parameters", "Seconds")
LIMIT = (
    "This is about training again and testing on these same test data: single examples are not compared, so other test "
    "data may say otherwise."
)
METHODS = (
    "Baseline (the defaults) and winner are trained again with fresh seeds that both share, for as many epochs as were "
    "best in their trials, and evaluated once each on the test data. Means over seeds; the 95 % intervals are "
    "Student's t over trainings on these test data, and the difference is paired by seed. With fewer than 3 seeds, and "
    "where all are equal, there is no interval but the range of the seeds. 'Better' and 'worse' are said only where "
    "the interval of the difference excludes 0 and p is below 0.05, 'tied' where it lies within the margin, "
    "'undecided' otherwise."
)
NOT_YET = "No finalist has been tested yet."
CALL = "tuner.finals(x_test, y_test) in Python"


class Row(NamedTuple):
    """A finalist on the test data."""

    finalist: str
    mean: float
    """Of the metric over seeds."""
    interval: Interval | None
    """For further trainings on these test data; None for fewer than 3 seeds, and where all are equal."""
    least: float
    most: float
    """The range of the seeds."""
    seeds: int
    validation: float | None
    """The objective of its trial."""
    epochs: float
    parameters: int
    seconds: float


class Comparison(NamedTuple):
    """The winner with the baseline, paired by seed."""

    first: str
    second: str
    seeds: int
    difference: float
    """The mean of first - second, in the metric's units."""
    interval: Interval | None
    least: float
    most: float
    p: float | None
    """Of the hypothesis that there is no difference; None where there is no interval."""
    word: str
    margin: float | None
    """In the metric's units; None where nothing is tied."""
    seeds_needed: int | None
    """About how many seeds would decide it; None where it is decided, or none would."""


class Evaluation(NamedTuple):
    """All of it."""

    statements: list[str]
    purpose: str
    """What the call is for; empty where there is none."""
    call: str | None
    """What would tell more."""
    metric: str
    maximize: bool
    examples: int | None
    """Of the test data; None where they were drawn from a generator."""
    rows: list[Row]
    """The winner first."""
    comparison: Comparison | None


@once
def info(results: StudyResults) -> Evaluation | None:
    """None before finals were asked for."""
    conditions = results.conditions
    if conditions is None:
        return None
    (space,) = results.spaces
    found = {role: results.evaluations_of(space.name, role) for role in (TUNED, BASELINE)}
    if results.winner_of(space.name) == BASELINE:
        found.pop(TUNED)
    finals = {f"{space.name} {role}": records for role, records in found.items() if records}
    rows = [_row(name, records) for name, records in finals.items()]
    comparison = _comparison(finals, conditions, maximize=results.definition.objective.maximize)
    call, purpose = None, ""
    if comparison is not None and comparison.seeds_needed is not None:
        call = f"tuner.finals(x_test, y_test, seeds={comparison.seeds_needed}) in Python"
        purpose = "To train more seeds"
    told = list(_statements(results, rows, comparison, conditions)) if rows else [NOT_YET]
    return Evaluation(
        told, purpose, call, conditions.metric, results.definition.objective.maximize, conditions.examples, rows,
        comparison,
    )  # fmt: skip


def cards(results: StudyResults) -> list[Card]:
    """The finalists as bars."""
    found = info(results)
    if found is None or not found.rows:
        return []
    spans = {row.finalist: row.interval[1:] if row.interval else (row.least, row.most) for row in found.rows}
    low, high = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    room = 0.05 * (high - low) or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room

    def bar(row: Row) -> Bar:
        begin, end = spans[row.finalist]
        first, middle, last = ((each - low) / (high - low) for each in (begin, row.mean, end))
        return Bar(row.finalist, number(row.mean), first, middle, last, _span_or_range(row), row is found.rows[0])

    better = "larger" if found.maximize else "smaller"
    caption = (
        f"Mean {found.metric} on the test data (the dot; {better} is better) of each finalist, and its 95 % interval "
        "over trainings on these test data, or the range of the seeds."
    )
    bars = [bar(row) for row in reversed(found.rows)]
    return [
        Card(
            "How do the finalists compare?", caption, bars=bars, ends=(number(low), number(high)), measure=found.metric
        )
    ]


def tables(results: StudyResults) -> list[Card]:
    """The finalists, their difference, and each final."""
    found, title = info(results), "What did each finalist reach?"
    if found is None or not found.rows:
        return [Card(title, NOT_YET)]
    shown = [Card(title, "Means over seeds.", COLUMNS, [_cells(row, found.metric) for row in found.rows], folded=True)]
    if (each := found.comparison) is not None:
        caption = f"In units of {found.metric}, paired by seed."
        row = (
            f"{each.first} − {each.second}", str(each.seeds), _signed(each.difference),
            _span_or_range(each, signed=True), p_value(each.p), f"{each.word}{_within(each)}",
        )  # fmt: skip
        shown.append(Card("Which differences were detected?", caption, COMPARISON_COLUMNS, [row], folded=True))
    finals = [
        (f"{each.space} {each.role}", str(each.trial), str(each.seed), found.metric, number(each.value),
         number(each.epochs), number(each.parameters), f"{each.seconds:,.1f}")
        for each in results.evaluations
    ]  # fmt: skip
    caption = "Every training that was tested, also those of winners that a longer search replaced."
    shown.append(Card("What did each final reach?", caption, FINAL_COLUMNS, finals, folded=True))
    return shown


def methods(results: StudyResults) -> list[Card]:
    """How the finalists are tested and compared."""
    return [Card("How was this measured?", METHODS, folded=True)] if results.evaluations else []


def _row(finalist: str, finals: Sequence[EvaluationRecord]) -> Row:
    values = [each.value for each in finals]
    return Row(
        finalist=finalist,
        mean=fmean(values),
        interval=statistics.mean_over_trainings(values),
        least=min(values),
        most=max(values),
        seeds=len(values),
        validation=finals[0].validation,
        epochs=fmean(each.epochs for each in finals),
        parameters=finals[0].parameters,
        seconds=fmean(each.seconds for each in finals),
    )


def _comparison(
    finals: dict[str, list[EvaluationRecord]], conditions: Conditions, *, maximize: bool
) -> Comparison | None:
    """None where the baseline won, or the two share no seed."""
    if len(finals) < 2:
        return None
    (first, ones), (second, others) = finals.items()
    values = {each.seed_index: each.value for each in others}
    pairs = [(each.value, values[each.seed_index]) for each in ones if each.seed_index in values]
    if not pairs:
        return None
    differences, found = [one - other for one, other in pairs], statistics.paired_difference(*zip(*pairs, strict=True))
    margin = _margin(conditions, [value for pair in pairs for value in pair])
    interval, p = (None, None) if found is None else (found.interval, found.p)
    word = statistics.verdict_word(interval, p, margin, maximize)
    needed = None
    if word == UNDECIDED:
        few = len(pairs) < statistics.FEWEST_SEEDS
        needed = Definition.seeds if few else statistics.trainings_needed(differences, margin)
    return Comparison(
        first, second, len(pairs), fmean(differences), interval, min(differences), max(differences), p, word, margin,
        needed,
    )  # fmt: skip


def _margin(conditions: Conditions, values: Sequence[float]) -> float | None:
    """The one that was given or, of shares, the study's default, but at least one example."""
    if conditions.margin is not None:
        return conditions.margin
    is_share = SHARE.search(conditions.metric) is not None and all(0 <= value <= 1 for value in values)
    one = 1 / conditions.examples if conditions.examples else 0.0
    return max(Definition.margin / 100, one) if is_share else None


def _statements(
    results: StudyResults, rows: Sequence[Row], comparison: Comparison | None, conditions: Conditions
) -> Iterator[str]:
    """What the finals say; where they contradict validation, that comes first."""
    best, objective = rows[0], results.definition.objective
    reached = f"{conditions.metric} {number(best.mean)} on the test data"
    if best.seeds > 1:
        interval = "95 % interval over trainings " if best.interval is not None else ""
        reached += f" ({interval}{_span_or_range(best)})"
    counts = [counted(conditions.examples, "example")] if conditions.examples is not None else []
    reached = ", ".join([reached, *counts, counted(best.seeds, "seed")])
    if comparison is not None and comparison.word == WORSE:
        yield f"The test contradicts validation, which chose {best.finalist}: it is {_phrase(comparison)}."
    yield f"{best.finalist} reached {reached}."
    if comparison is None:
        trials = counted(sum(space.ended for space in results.spaces), "trial")
        is_baseline = best.finalist.endswith(f" {BASELINE}")
        yield (
            f"Tuning found nothing better than the baseline in {trials}." if is_baseline
            else "It has no baseline to be compared with."
        )  # fmt: skip
    elif comparison.word in (BETTER, TIED):
        yield f"It is {_phrase(comparison)}."
    elif comparison.word == UNDECIDED:
        yield _undetected(comparison)
    yield LIMIT
    if conditions.seen:
        yield "The test data are data of the search, so these numbers are too good."
    trained = "training + validation data" if conditions.joined else "the training data alone"
    at = "" if best.validation is None else f", {number(best.validation)} at selection"
    yield f"It was chosen by {objective.name}{at}, and trained again on {trained}."


def _phrase(comparison: Comparison) -> str:
    """What the first is, compared with the second, where the test says it."""
    word = f"{comparison.word} {'with' if comparison.word == TIED else 'than'} {comparison.second}"
    bounds = comparison.interval
    assert bounds is not None
    if comparison.word == TIED:
        return f"{word}{_within(comparison)}"
    low, high = sorted((abs(bounds.low), abs(bounds.high)))
    return (
        f"{word} by {number(abs(comparison.difference))} (95 % interval over trainings {number(low)} to "
        f"{number(high)}, p {p_value(comparison.p)})"
    )


def _within(comparison: Comparison) -> str:
    is_tied = comparison.word == TIED and comparison.margin is not None
    return f" (within the margin of {number(comparison.margin)})" if is_tied else ""


def _undetected(comparison: Comparison) -> str:
    """What was measured of a difference that may be chance, and what would settle it."""
    found = _signed(comparison.difference)
    if comparison.p is not None:
        found += f", {_span_or_range(comparison, signed=True)}, p {p_value(comparison.p)}"
    elif comparison.seeds > 1:
        found += f", {_span_or_range(comparison, signed=True)}"
    if comparison.seeds_needed is not None:
        settling = f"about {comparison.seeds_needed} seeds would settle it"
    elif comparison.interval is None:
        settling = "all seeds differ by the same"
    else:
        settling = f"{statistics.MOST_SEEDS} seeds would not settle it"
    return f"No difference from {comparison.second} was detected ({found}): it is undecided; {settling}."


def _cells(row: Row, metric: str) -> tuple[str, ...]:
    return (
        row.finalist, metric, number(row.mean), _span_or_range(row), str(row.seeds), number(row.validation),
        number(row.epochs), number(row.parameters), f"{row.seconds:,.1f}",
    )  # fmt: skip


def _span_or_range(measured: Row | Comparison, *, signed: bool = False) -> str:
    """The interval; without one the range of the seeds, which is called what it is."""
    shown = _signed if signed else number
    if measured.interval is not None:
        return f"{shown(measured.interval.low)} to {shown(measured.interval.high)}"
    return "–" if measured.seeds < 2 else f"range {shown(measured.least)} to {shown(measured.most)}"


def _signed(value: float) -> str:
    return f"{value:+.4g}"
