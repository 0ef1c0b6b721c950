"""How good each finalist is on the test set, and which differences are more than chance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from reports import commands, predictions, statistics
from reports.collect import StudyResults, once
from reports.panels import Card, counted, evaluation, listed, number, p_value, percent, points
from reports.statistics import BETTER, TIED, UNDECIDED, WORSE, Interval
from study.config import Definition
from study.records import BASELINE, TUNED, FinalRecord, unpacked
from study.storage.reasons import nothing_succeeded

COLUMNS = (
    "Finalist", "Test accuracy", "On these images", "For new images", "Seeds", "Validation minus test (points)",
    "Test loss (nats)", "Calibration error", "Epochs", "Parameters", "Seconds to train",
)  # fmt: skip
SHORT_COLUMNS = ("Finalist", "Test accuracy", "For new images", "Seeds", "Parameters")
"""Those that fit into a terminal."""
COMPARISON_COLUMNS = (
    "Comparison", "Seeds", "Difference (points)", "On these images", "For new images", "p", "Adjusted p", "Verdict",
)  # fmt: skip
MEDIAN_COLUMNS = ("Comparison", "Only the first is right", "Only the second is right", "p")
CAPTION = (
    "Validation images are drawn from the training images, stratified by class, unless the data set has its own. Each "
    "finalist is retrained on training + validation images and tested once per seed; accuracy, loss, calibration "
    "error (expected calibration error, Guo et al. 2017), epochs and seconds are means over seeds. The recommended "
    "finalist, which validation chose, is first. The 95 % intervals: 'on these images' is for training again and "
    "testing on the same images (Student's t), 'for new images' for testing on others like them as well (Wilson's "
    "interval, with seeds and images crossed). With fewer than 3 seeds there is no interval but the range of the "
    "seeds. An ensemble is one classifier that averages the probabilities of all seeds' models, at their joint cost; "
    "its interval is Wilson's."
)
RULE = (
    "'Better' and 'worse' are said only where the interval for new images excludes 0 and the adjusted p (Behrens and "
    "Fisher's distribution, Holm's adjustment) is below 0.05, 'tied' where the interval lies within the margin, "
    "'undecided' otherwise."
)
CERTAIN = (BETTER, WORSE)
PHRASES = {BETTER: "better than", WORSE: "worse than", TIED: "tied with"}
Finalist = tuple[str, str]
"""Space and role."""
Finals = Mapping[Finalist, list[FinalRecord]]
"""The finals of each finalist, by seed."""


class Row(NamedTuple):
    """A finalist, or the ensemble of its models, on the test set."""

    finalist: str
    accuracy: float
    these_images: Interval | None
    """For further trainings, tested on the same images; None for fewer than 3 seeds, and for an ensemble."""
    new_images: Interval | None
    """For further trainings, tested on new images; None for fewer than 3 seeds. That of an ensemble, which
    is one classifier, is for new images alone."""
    least: float
    most: float
    """The range of the seeds' accuracies."""
    seeds: int
    test_images: int
    errors_per_10000: float
    validation: float | None
    """Validation accuracy of the trial that was selected."""
    optimism: float | None
    """Validation accuracy minus mean test accuracy."""
    loss: float | None
    """Mean negative log probability of the true class, nats; None for an ensemble."""
    calibration_error: float | None
    """0 to 1; None for an ensemble."""
    epochs: float
    parameters: int
    seconds: float
    trials: int
    """Finished trials of the space's search."""
    models: int = 0
    """How many models an ensemble has; 0 for a finalist, whose models are tested one by one."""


class Comparison(NamedTuple):
    """Two finalists, paired by seed and by image."""

    first: str
    second: str
    seeds: int
    difference: float
    """Mean test accuracy of the first minus that of the second."""
    these_images: Interval | None
    new_images: Interval | None
    """As those of a row; None for fewer than 3 seeds."""
    least: float
    most: float
    """The range of the seeds' differences."""
    p: float | None
    """Of the hypothesis that there is no difference for new images; None for fewer than 3 seeds."""
    adjusted_p: float | None
    word: str
    margin: float
    """A share of the test images."""
    seeds_needed: int | None
    """About how many seeds would decide it; None where it is decided, or no number of seeds would do."""
    images_needed: int | None
    """About how many test images it would take instead; None where seeds would do."""
    medians: statistics.Disagreement
    """The median models of both on the same images."""


class Verdict(NamedTuple):
    """What the report begins with."""

    sentence: str
    """All that follows from the test, with the command that would tell more."""
    statements: list[str]
    """The same sentence by sentence, without the command."""
    purpose: str
    """What the command is for; empty where there is none."""
    command: str | None
    recommended: str | None
    """The finalist that validation chose."""
    rows: list[Row]
    comparisons: list[Comparison]
    test_evaluations: int
    """How often a model was tested, in total."""


@once
def info(results: StudyResults) -> Verdict:
    """The recommended finalist, the others by mean test accuracy, then the ensembles of their models; comparisons of
    each tuned winner with its baseline and of the recommended finalist with the other winners, adjusted together."""
    recommended = None if results.recommended is None else " ".join(results.recommended)
    finals = {
        (space.name, role): found
        for space in results.spaces
        for role in dict.fromkeys((BASELINE, results.winner_of(space.name)))
        if role is not None and (found := results.finals_of(space.name, role))
    }
    rows = [_row(results, space, role, found) for (space, role), found in finals.items()]
    rows.sort(key=lambda row: (row.finalist != recommended, -row.accuracy))
    comparisons = _comparisons(results, finals)
    if results.is_of_tuner and results.recommended is not None:
        told = _of_tuner(results)
    else:
        told = _statements(results, rows, comparisons) if rows else _not_yet(results)
    rows += sorted(_ensembles(results, finals), key=lambda row: -row.accuracy)
    return Verdict(told.sentence, *told, recommended, rows, comparisons, results.tests)


def finalists(results: StudyResults) -> list[Row]:
    """The finalists without the ensembles, the recommended one first."""
    return [row for row in info(results).rows if not row.models]


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is printed, in the order of `COLUMNS`."""
    return (
        row.finalist,
        percent(row.accuracy),
        _span(row.these_images) if row.models else _span_or_range(row),
        _span(row.new_images),
        f"ensemble of {row.models}" if row.models else str(row.seeds),
        points(row.optimism),
        "–" if row.loss is None else f"{row.loss:.4f}",
        percent(row.calibration_error),
        number(row.epochs),
        f"{row.parameters:,}",
        f"{row.seconds:,.1f}",
    )


def cards(results: StudyResults) -> list[Card]:
    """The tables of the finalists, of their differences, and of the images on which their median models differ."""
    found, title = info(results), "What did each finalist reach?"
    if not found.rows:
        return [Card(title, found.statements[0])]
    caption = f"Means over seeds. The study has read the test set {found.test_evaluations:,} times."
    shown = [Card(title, caption, COLUMNS, [cells(row) for row in found.rows], folded=True)]
    if found.comparisons:
        caption = "Differences in percentage points of test accuracy, paired by seed and by image."
        rows = [_comparison_cells(each) for each in found.comparisons]
        shown.append(Card("Which differences were detected?", caption, COMPARISON_COLUMNS, rows, folded=True))
        caption = (
            "Test images that only one of two models classifies correctly, for the model of median accuracy of each "
            "finalist, and the exact McNemar p (Dietterich 1998). It is about these two models; the comparison above "
            "is about how they are trained."
        )
        rows = [
            (_names(each), str(each.medians.only_first), str(each.medians.only_second), p_value(each.medians.p))
            for each in found.comparisons
        ]
        shown.append(Card("Where do the median models differ?", caption, MEDIAN_COLUMNS, rows, folded=True))
    return shown


def methods(results: StudyResults) -> list[Card]:
    """How the finalists are tested and compared."""
    return [Card("How was this measured?", f"{CAPTION} {RULE}", folded=True)]


def _row(results: StudyResults, space: str, role: str, finals: list[FinalRecord]) -> Row:
    accuracies, one, correct = [final.accuracy for final in finals], finals[0], _correct(finals)
    mean = fmean(accuracies)
    return Row(
        finalist=f"{space} {role}",
        accuracy=mean,
        these_images=statistics.on_these_images(correct),
        new_images=statistics.accuracy(correct),
        least=min(accuracies),
        most=max(accuracies),
        seeds=len(finals),
        test_images=one.test_images,
        errors_per_10000=10_000 * (1 - mean),
        validation=one.validation,
        optimism=None if one.validation is None else one.validation - mean,
        loss=fmean(final.loss for final in finals),
        calibration_error=fmean(final.calibration_error for final in finals),
        epochs=fmean(final.epochs for final in finals),
        parameters=one.parameters,
        seconds=fmean(final.seconds for final in finals),
        trials=next(each.ended for each in results.spaces if each.name == space),
    )


def _ensembles(results: StudyResults, finals: Finals) -> Iterator[Row]:
    for (space, role), found in finals.items():
        together = predictions.ensemble(results.predictions_of(found))
        if together is not None:
            one, right = _row(results, space, role, found), together.test_images - together.errors
            yield one._replace(
                finalist=f"{space} {role}, ensemble",
                accuracy=together.accuracy,
                these_images=None,
                new_images=statistics.proportion_interval(right, together.test_images),
                least=together.accuracy,
                most=together.accuracy,
                errors_per_10000=10_000 * (1 - together.accuracy),
                validation=None,
                optimism=None,
                loss=None,
                calibration_error=None,
                parameters=one.parameters * together.models,
                seconds=one.seconds * together.models,
                models=together.models,
            )


def _correct(finals: Sequence[FinalRecord]) -> NDArray[np.bool_]:
    """(K, N): whether each final classifies each test image correctly."""
    return np.stack([unpacked(final.correct, final.test_images) for final in finals])


def _pairs(results: StudyResults, finals: Finals) -> Iterator[tuple[Finalist, Finalist]]:
    """The finalists that are compared, of those that were tested."""
    for space, role in finals:
        if role == TUNED and (space, BASELINE) in finals:
            yield (space, TUNED), (space, BASELINE)
    if (chosen := results.recommended) is not None and chosen in finals:
        for space, role in finals:
            if space != chosen[0] and role == results.winner_of(space):
                yield chosen, (space, role)


def _comparisons(results: StudyResults, finals: Finals) -> list[Comparison]:
    measured = [
        found
        for first, second in _pairs(results, finals)
        if (found := _measured(results.definition, first, second, finals)) is not None
    ]
    adjusted = iter(statistics.holm([each.p for each, _ in measured if each.p is not None]))
    decided = []
    for each, differences in measured:
        p = None if each.p is None else next(adjusted)
        word = statistics.verdict_word(each.new_images, p, each.margin)
        seeds, images = _needed(differences, each.margin, len(measured)) if word == UNDECIDED else (None, None)
        decided.append(each._replace(adjusted_p=p, word=word, seeds_needed=seeds, images_needed=images))
    return decided


def _measured(
    definition: Definition, first: Finalist, second: Finalist, finals: Finals
) -> tuple[Comparison, NDArray[np.int8]] | None:
    """Two finalists before they are judged, and their differences (K, N); None where they share no seed."""
    seeds = {final.seed_index for final in finals[first]} & {final.seed_index for final in finals[second]}
    if not seeds:
        return None
    one, other = ([final for final in finals[each] if final.seed_index in seeds] for each in (first, second))
    differences = _correct(one).astype(np.int8) - _correct(other)
    by_seed, found = differences.mean(axis=1), statistics.difference(differences)
    comparison = Comparison(
        first=" ".join(first),
        second=" ".join(second),
        seeds=len(seeds),
        difference=float(differences.mean()),
        these_images=statistics.on_these_images(differences),
        new_images=None if found is None else found.interval,
        least=float(by_seed.min()),
        most=float(by_seed.max()),
        p=None if found is None else found.p,
        adjusted_p=None,
        word=UNDECIDED,
        margin=max(definition.margin / 100, 1 / differences.shape[1]),
        seeds_needed=None,
        images_needed=None,
        medians=statistics.mcnemar(*(_median(finals[each]) for each in (first, second))),
    )
    return comparison, differences


def _needed(differences: NDArray[np.int8], margin: float, comparisons: int) -> tuple[int | None, int | None]:
    """How many seeds would decide or, where none would, how many test images; of a single one nobody knows."""
    if differences.shape[1] == 1:
        return None, None
    if len(differences) < statistics.FEWEST_SEEDS:
        return Definition.seeds, None
    seeds = statistics.seeds_needed(differences, margin, comparisons)
    return seeds, None if seeds is not None else statistics.images_needed(differences, margin, comparisons)


def _median(finals: list[FinalRecord]) -> NDArray[np.bool_]:
    """(N,) what the model of median accuracy classifies correctly; of two in the middle, the less accurate one."""
    ranked = sorted(finals, key=lambda final: (final.errors, final.seed_index))
    middle = ranked[len(ranked) // 2]
    return unpacked(middle.correct, middle.test_images)


def _names(comparison: Comparison) -> str:
    return f"{comparison.first} − {comparison.second}"


def _comparison_cells(comparison: Comparison) -> tuple[str, ...]:
    return (
        _names(comparison),
        str(comparison.seeds),
        points(comparison.difference),
        _span_or_range(comparison, points),
        _span(comparison.new_images, points),
        p_value(comparison.p),
        p_value(comparison.adjusted_p),
        f"{comparison.word}{_more(comparison)}",
    )


def _more(comparison: Comparison) -> str:
    """What a reader should know besides the word."""
    margin = f"the margin of {100 * comparison.margin:.2f} points"
    if comparison.word == UNDECIDED:
        return f" ({_settling(comparison)})"
    if comparison.word == TIED:
        return f" (within {margin})"
    return f" (less than {margin})" if abs(comparison.difference) < comparison.margin else ""


def _settling(comparison: Comparison) -> str:
    """What would settle a comparison that is undecided, if what was measured so far is about right."""
    if comparison.seeds_needed is not None:
        return f"if it stays so, about {comparison.seeds_needed} seeds would settle it"
    if comparison.images_needed is not None:
        return (
            f"if it stays so, about {comparison.images_needed:,} test images would settle it, and more seeds would not"
        )
    if comparison.new_images is None:
        return "a single test image decides nothing"
    most = f"{statistics.MOST_SEEDS} seeds or {statistics.MOST_IMAGES:,} test images"
    return f"if it stays so, {most} would not settle it either"


def _undetected(comparison: Comparison) -> str:
    """What was measured of a difference that may be chance."""
    size, settling = f"{100 * abs(comparison.difference):.2f} points", _settling(comparison)
    which = (
        f"{size} {'lower' if comparison.difference < 0 else 'higher'} than" if comparison.difference else "the same as"
    )
    how = ""
    if comparison.adjusted_p is not None:  # an interval might exclude 0 before the adjustment
        how = f" (adjusted p {p_value(comparison.adjusted_p)})"
    elif comparison.seeds > 1:
        how = f" ({_span_or_range(comparison, points)})"
    return f"It scored {which} {comparison.second}, which may be chance{how}; {settling}."


def _phrase(comparison: Comparison) -> str:
    """What the first is, compared with the second, where the test says it."""
    by = ""
    if comparison.word in CERTAIN and (bounds := comparison.new_images) is not None:
        low, high = sorted(100 * abs(bound) for bound in (bounds.low, bounds.high))
        by = f" by {100 * abs(comparison.difference):.2f} points (95 % interval {low:.2f} to {high:.2f})"
    return f"{PHRASES[comparison.word]} {comparison.second}{by}{_more(comparison)}"


class _Told(NamedTuple):
    """See `Verdict`."""

    statements: list[str]
    purpose: str = ""
    command: str | None = None

    @property
    def sentence(self) -> str:
        told = " ".join(self.statements)
        return told if self.command is None else f"{told} {self.purpose}: {self.command}"


def _resumed(results: StudyResults, purpose: str, *statements: str, seeds: int | None = None) -> _Told:
    command = commands.resume(results.definition, results.study.store.address, seeds=seeds)
    return _Told([*statements], purpose, command)


def _not_yet(results: StudyResults) -> _Told:
    if nothing_succeeded(trial for space in results.spaces for trial in space.trials):
        return _Told(["Every trial failed, so there is no finalist. The trials below say why."])
    return _resumed(results, "To continue", "No finalist has been tested yet: the finals come after the search.")


def _of_tuner(results: StudyResults) -> _Told:
    """What a tuner's own finals say, which are of any model."""
    found = evaluation.info(results)
    if found is None or not found.rows:
        return _Told([evaluation.NOT_YET], "To train baseline and winner again and test them", evaluation.CALL)
    return _Told(found.statements, found.purpose, found.call)


def _statements(results: StudyResults, rows: list[Row], comparisons: list[Comparison]) -> _Told:
    """The recommended finalist, and what the test says of it and of the others."""
    best, definition = rows[0], results.definition
    if results.recommended is None or best.finalist != " ".join(results.recommended):
        return _resumed(results, "To continue", "The recommended finalist has not been tested yet.")
    told = [each for each in comparisons if each.first == best.finalist]
    lead, chosen = f"{best.finalist} is recommended", [_chosen_by(results, rows)]
    if worse := [_phrase(each) for each in told if each.word == WORSE]:
        lead = f"The test contradicts validation, which recommends {best.finalist}: it is {', '.join(worse)}"
        chosen = []
    sentences = [f"{lead}: {_result(best, definition)}.", *chosen]
    if others := [_phrase(each) for each in told if each.word in (BETTER, TIED)]:
        sentences.append(f"It is {listed(others)}.")
    sentences += [_undetected(each) for each in told if each.word == UNDECIDED]
    sentences += [
        f"{each.first} is {_phrase(each)}." for each in comparisons if each not in told and each.word in CERTAIN
    ]
    sentences += _tuning(results)
    needed = [each.seeds_needed for each in told if each.seeds_needed is not None]
    if needed:
        return _resumed(results, "To train more seeds", *sentences, seeds=min(needed))
    return _Told(sentences)


def _chosen_by(results: StudyResults, rows: list[Row]) -> str:
    """By what the recommended finalist was chosen, and why not by the test."""
    chosen, winners = results.selection.recommended, results.selection.winners
    if chosen is None:
        return "It was chosen by validation."
    others = [f"{space}: {winner.score:.4f}" for space, winner in winners.items() if space != chosen.space]
    beside = f" ({', '.join(others)})" if others else ""
    said = f"It was chosen by {results.definition.objective.name}, {chosen.score:.4f}{beside}"
    if rows[0].accuracy == max(row.accuracy for row in rows):
        return f"{said}, not by the test."
    return f"{said}. Choosing by the test would overstate what is chosen, so others may score higher there."


def _result(row: Row, definition: Definition) -> str:
    """What a finalist reached, and how sure that is."""
    result = f"{percent(row.accuracy)} mean test accuracy on {definition.dataset_name}"
    if row.new_images is not None:
        result += f" (95 % interval for new images: {_span(row.new_images)})"
    elif row.seeds > 1:
        result += f" ({_span_or_range(row)})"
    return f"{result}, {counted(row.test_images, 'test image')}, {counted(row.seeds, 'seed')}"


def _tuning(results: StudyResults) -> Iterator[str]:
    """In which spaces tuning found nothing."""
    if found := results.untuned:
        where = "" if len(found) == len(results.spaces) else f" of {listed([space.name for space in found])}"
        complete, trials = sum(space.count(TrialState.COMPLETE) for space in found), sum(space.ended for space in found)
        yield (
            f"Tuning found nothing better than the baseline{where} in {counted(trials, 'trial')}, of which "
            f"{complete:,} {'was' if complete == 1 else 'were'} complete."
        )


def _span(interval: Interval | None, shown: Callable[[float], str] = percent) -> str:
    return "–" if interval is None else f"{shown(interval.low).removesuffix(' %')} to {shown(interval.high)}"


def _span_or_range(measured: Row | Comparison, shown: Callable[[float], str] = percent) -> str:
    """The interval on these images; with 2 seeds their range, which is called what it is."""
    if measured.these_images is None and measured.seeds > 1:
        return f"range {shown(measured.least).removesuffix(' %')} to {shown(measured.most)}"
    return _span(measured.these_images, shown)
