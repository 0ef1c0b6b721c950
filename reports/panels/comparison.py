"""Several studies side by side, grouped by everything that their results depend on except the seed."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports import colors, statistics
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, counted, history, number, p_value, percent, plotly_text, points, verdict
from study.config import DRAWN_AT_RANDOM, UNLIMITED
from study.objective import Objective
from study.records import BASELINE_NUMBER, TUNED

MOST_STEPS = 400
"""Points of a curve."""
OPTIONS = (
    "dataset_name", "objective", "sampler", "pruner", "epochs", "trials", "seeds", "timeout", "workers", "precision",
)  # fmt: skip
DATA, DEFINITION = "data", "space fingerprint"
"""Fingerprints: of the images and the split, and of what the space declares."""
GROUPED_BY = ("space", *OPTIONS, DATA, DEFINITION)
WORDS = ("space", "dataset_name", "objective", "sampler", "pruner", "precision")
"""Settings whose values need no name."""
TEST_ACCURACY = Objective("test accuracy")


class Curve(NamedTuple):
    """The best value so far, over a budget."""

    budget: list[float]
    low: list[float]
    """First quartile over the group's studies."""
    median: list[float]
    high: list[float]
    """Third quartile."""


class Group(NamedTuple):
    """Searches that differ only by their seed."""

    name: str
    """How it differs from the other groups."""
    space: str
    settings: dict[str, Any]
    studies: list[str]
    seeds: list[int]
    trials: list[int]
    """Finished trials of each study."""
    seconds: list[float]
    """Training time of each study."""
    best: list[float | None]
    """The best value of each study."""
    tested: list[float | None]
    """Mean test accuracy of each study's winner; None where it was not tested."""
    over_trials: Curve | None
    over_seconds: Curve | None


class Contest(NamedTuple):
    """Two groups on the same data, paired by study seed."""

    first: str
    second: str
    what: str
    """What is compared: the objective of the best trial, or the test accuracy of the winner."""
    seeds: int
    difference: float
    """The mean of first - second."""
    interval: statistics.Interval | None
    """None for 2 pairs, and where all pairs differ by the same."""
    p: float | None
    """None where there is no interval."""
    adjusted_p: float | None
    word: str
    """`BETTER`, `WORSE` or `UNDECIDED`: there is no margin within which two groups would be tied."""


class Comparison(NamedTuple):
    """Several studies."""

    groups: list[Group]
    contests: list[Contest]
    unequal: list[str]
    """How the budgets of the groups differ, in words; empty where they are equal."""
    repeats: list[str]
    """Studies that repeat the seed and settings of another one; they are left out, as they add no information."""
    alike: list[str]
    """Groups that trained the same configurations, and why, in words."""


def info(results: Sequence[StudyResults]) -> Comparison:
    """Groups in the order of the studies; contests between groups that share data set and objective."""
    members: dict[tuple[Any, ...], dict[int, tuple[StudyResults, SpaceResults]]] = {}
    repeats = []
    for study in results:
        for space in study.spaces:
            group = members.setdefault(_key(study, space.name), {})
            first, _ = group.setdefault(study.definition.seed, (study, space))
            if first is not study:
                repeats.append(f"{study.definition.name} {space.name}")
    differing = [
        name
        for index, name in enumerate(GROUPED_BY)
        if len({key[index] for key in members}) > 1 or (name == "space" and len(members) == 1)
    ]
    groups = [_group(key, list(found.values()), differing) for key, found in members.items()]
    drawn = [{seed: space for seed, (_, space) in found.items()} for found in members.values()]
    return Comparison(groups, _contests(groups), _unequal(groups), repeats, list(_alike(groups, drawn)))


def _key(study: StudyResults, space: str) -> tuple[Any, ...]:
    """The settings of `GROUPED_BY`."""
    definition, resources = study.definition, study.resources
    options = (getattr(definition if hasattr(definition, name) else resources, name) for name in OPTIONS)
    return space, *options, study.fingerprint.get("data"), study.fingerprint.get("spaces", {}).get(space)


def _word_of(name: str, value: Any, first: str) -> str:
    """A setting in words; what only a fingerprint says is called by the group's first study."""
    if name in (DATA, DEFINITION):
        return f"{'data' if name == DATA else 'space'} of {first}"
    value = value.name if isinstance(value, Objective) else value
    return str(value) if name in WORDS else f"{name} {number(value)}"


def _group(key: tuple[Any, ...], members: list[tuple[StudyResults, SpaceResults]], differing: list[str]) -> Group:
    settings = dict(zip(GROUPED_BY, key, strict=True))
    points = [history.info(space, settings["objective"]) for _, space in members]
    trials = [space.ended for _, space in members]
    seconds = [sum(record.seconds for record in space.records.values()) for _, space in members]
    complete = [[(point, point.best) for point in found if point.best is not None and point.state == "complete"]
                for found in points]  # fmt: skip
    over_trials = [[(float(point.ended), best) for point, best in found] for found in complete]
    over_seconds = [[(point.seconds, best) for point, best in found] for found in complete]
    return Group(
        name=", ".join(_word_of(name, settings[name], members[0][0].definition.name) for name in differing),
        space=settings.pop("space"),
        settings=settings,
        studies=[study.definition.name for study, _ in members],
        seeds=[study.definition.seed for study, _ in members],
        trials=trials,
        seconds=seconds,
        best=[space.best.value if space.best is not None else None for _, space in members],
        tested=[_tested(study, space) for study, space in members],
        over_trials=_curve(over_trials, [float(n) for n in trials]),
        over_seconds=_curve(over_seconds, seconds),
    )


def _tested(study: StudyResults, space: SpaceResults) -> float | None:
    finals = study.finals_of(space.name, TUNED)
    return fmean(final.accuracy for final in finals) if finals else None


def _curve(runs: list[list[tuple[float, float]]], spent: list[float]) -> Curve | None:
    """Quartiles over runs of (budget, best so far), from where all have a value to where the first one ends.

    Args:
        runs: The points of each run.
        spent: The whole budget of each run, which may go beyond its last point.
    """
    if not all(runs):
        return None
    # Added in another order, the same times may give slightly less than the last point.
    ends = [max(run[-1][0], budget) for run, budget in zip(runs, spent, strict=True)]
    begin, end = max(run[0][0] for run in runs), min(ends)
    if begin > end:
        return None
    steps = sorted({budget for run in runs for budget, _ in run if begin <= budget <= end} | {begin, end})
    if len(steps) > MOST_STEPS:
        steps = [steps[index] for index in np.linspace(0, len(steps) - 1, MOST_STEPS).astype(int)]
    rows = []
    for run in runs:
        budgets, values = zip(*run, strict=True)
        rows.append(np.asarray(values)[np.searchsorted(budgets, steps, side="right") - 1])
    low, middle, high = np.quantile(np.asarray(rows), (0.25, 0.5, 0.75), axis=0)
    return Curve([float(step) for step in steps], low.tolist(), middle.tolist(), high.tolist())


def _contests(groups: list[Group]) -> list[Contest]:
    """Every pair of comparable groups."""
    found = [each for first, second in combinations(groups, 2) if (each := _measured(first, second)) is not None]
    adjusted = iter(statistics.holm([each.p for _, each in found if each.p is not None]))
    contests = []
    for measure, contest in found:
        p = None if contest.p is None else next(adjusted)
        word = statistics.verdict_word(contest.interval, p, maximize=measure.maximize)
        contests.append(contest._replace(adjusted_p=p, word=word))
    return contests


def _measured(first: Group, second: Group) -> tuple[Objective, Contest] | None:
    """Two groups before they are judged, and what they are compared by: test accuracy or, where the studies of a space
    were not tested, the objective."""
    if _place(first)[1:] != _place(second)[1:]:  # all but the space
        return None
    measures = [(TEST_ACCURACY, first.tested, second.tested)]
    if first.space == second.space:
        measures.append((first.settings["objective"], first.best, second.best))
    for measure, one, other in measures:
        others = dict(zip(second.seeds, other, strict=True))
        values = [(value, others.get(seed)) for seed, value in zip(first.seeds, one, strict=True)]
        pairs = [(a, b) for a, b in values if a is not None and b is not None]
        if len(pairs) > 1:
            mean = fmean(a - b for a, b in pairs)
            found = statistics.paired_difference([a for a, _ in pairs], [b for _, b in pairs])
            interval, p = (None, None) if found is None else found
            return measure, Contest(
                first.name, second.name, measure.name, len(pairs), mean, interval, p, None, statistics.UNDECIDED
            )
    return None


def _alike(groups: list[Group], drawn: list[dict[int, SpaceResults]]) -> Iterator[str]:
    """Pairs of groups whose samplers drew some of the same configurations, besides the baseline."""
    for (first, one), (second, other) in combinations(zip(groups, drawn, strict=True), 2):
        samplers = first.settings["sampler"], second.settings["sampler"]
        if _place(first) != _place(second) or samplers[0] == samplers[1]:
            continue
        pairs = [
            (each.values, another.values)
            for seed in one.keys() & other.keys()
            for each, another in zip(one[seed].outcomes, other[seed].outcomes, strict=False)
            if each.trial != BASELINE_NUMBER and each.trial == another.trial
        ]
        if same := sum(bool(values) and values == others for values, others in pairs):
            few = min(DRAWN_AT_RANDOM.get(sampler, UNLIMITED) for sampler in samplers)
            words = (
                f"{first.name} and {second.name} trained the same configuration in {same:,} of {len(pairs):,} trials"
            )
            why = "" if few >= UNLIMITED else f", since a study's first {few} trials are drawn at random by its seed"
            yield words + why


def _unequal(groups: list[Group]) -> list[str]:
    """How the groups differ in what they were given, and in what they used of it."""
    found = []
    for what, option in (("epochs per trial", "epochs"), ("time limits", "timeout")):
        budgets = sorted({str(group.settings[option]) for group in groups})
        if len(budgets) > 1:
            found.append(f"{what} ({', '.join(budgets)})")
    trials = [median(group.trials) for group in groups]
    if len(set(trials)) > 1:
        found.append(f"trials that ended ({min(trials):g} to {max(trials):g}, medians)")
    spent = [median(group.seconds) for group in groups]
    if spent and max(spent) > 1.2 * min(spent):
        found.append(f"seconds of training ({min(spent):.0f} to {max(spent):.0f}, medians)")
    return found


def overview(results: Sequence[StudyResults]) -> list[Card]:
    """One row per group, and what a reader must know about them."""
    found = info(results)
    caption = "Studies that differ only by their seed are one row: the median over its studies, and their range."
    if found.alike:
        caption += f" Beware: {'; '.join(found.alike)}. Only the others can tell them apart."
    if found.unequal:
        caption += f" The budgets differ in {'; '.join(found.unequal)}: compare at equal budgets in the curves below."
    if found.repeats:
        caption += f" Left out because they repeat the seed and settings of another: {', '.join(found.repeats)}."
    columns = ("Group", "Space", "Studies", "Trials", "Seconds of training", "Best on validation", "Winner on test")
    rows = [
        (
            group.name, group.space, f"{len(group.studies)} ({', '.join(group.studies)})",
            _range(group.trials, "{:,.0f}".format), _range(group.seconds, "{:,.0f}".format),
            _range(group.best, "{:.4f}".format), _range(group.tested, percent),
        )
        for group in found.groups
    ]  # fmt: skip
    return [Card("The studies", caption, columns, rows, lead=" ".join(map(_sentence, found.contests)))]


def _sentence(contest: Contest) -> str:
    """What a contest says, in the words of a study's own verdict."""
    by, seeds = contest.difference, counted(contest.seeds, "study seed")
    size = f"{points(abs(by))[1:]} points" if contest.what == TEST_ACCURACY.name else number(abs(by))
    if contest.word == statistics.UNDECIDED:
        return f"No difference of {contest.first} from {contest.second} in {contest.what} was detected ({seeds})."
    words = f"{contest.first} is {verdict.PHRASES[contest.word]} {contest.second}"
    return f"{words} by {size} of {contest.what} ({seeds})."


def _range(values: Sequence[float | None], shown: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    middle, low, high = (shown(value) for value in (median(known), min(known), max(known)))
    return middle if low == high else f"{middle} ({low} to {high})"


def contests(results: Sequence[StudyResults]) -> list[Card]:
    """Which differences are real."""
    title, found = "Which differences are real?", info(results).contests
    if not found:
        text = "Groups are compared once they share data set, objective, and the seeds of at least two studies."
        return [Card(title, text)]
    columns = ("Comparison", "Of", "Study seeds", "Difference", "95 % interval", "p", "Adjusted p", "Verdict")
    rows = [
        (
            f"{each.first} − {each.second}", each.what, str(each.seeds), _signed(each, each.difference),
            "–" if each.interval is None
            else f"{_signed(each, each.interval.low)} to {_signed(each, each.interval.high)}",
            p_value(each.p), p_value(each.adjusted_p), each.word,
        )
        for each in found
    ]  # fmt: skip
    caption = (
        "Differences of test accuracy are in percentage points. Student's t of the differences, paired by study seed; "
        "it takes 3 pairs that differ. 'Better' and 'worse' are said only where the interval excludes 0 and the "
        "adjusted p (Holm) is below 0.05."
    )
    return [Card(title, caption, columns, rows)]


def _signed(contest: Contest, difference: float) -> str:
    """A difference: of test accuracy in points, as everywhere, otherwise as it is."""
    return points(difference) if contest.what == TEST_ACCURACY.name else f"{difference:+.4f}"


def curves(results: Sequence[StudyResults]) -> list[Card]:
    """The best value so far of each group, over trials and over seconds, by space and data set."""
    groups = info(results).groups
    cards = []
    for place in dict.fromkeys(map(_place, groups)):
        space, dataset, _, objective = place
        chosen = [(index, group) for index, group in enumerate(groups) if _place(group) == place]
        title = f"{space} on {dataset}: the best so far"
        if not any(group.over_trials for _, group in chosen):
            cards.append(Card(title, "There will be curves once each study of a group has a complete trial."))
            continue
        caption = f"{objective.name}: median over the studies of a group, and the area between the quartiles, as far "
        caption += "as all of the studies went."
        over_trials = [(index, group.name, group.over_trials) for index, group in chosen]
        over_seconds = [(index, group.name, group.over_seconds) for index, group in chosen]
        axes = {"trials ended": over_trials, "seconds of training": over_seconds}
        cards.append(Card(title, caption, figures=[_figure(found, x, objective.name) for x, found in axes.items()]))
    return cards


def _place(group: Group) -> tuple[str, str, str, Objective]:
    """What two groups must share to be drawn together."""
    return group.space, group.settings["dataset_name"], group.settings[DATA], group.settings["objective"]


def _figure(found: list[tuple[int, str, Curve | None]], title: str, objective: str) -> go.Figure:
    figure = go.Figure()
    for index, name, curve in found:
        if curve is None:
            continue
        shape = {"shape": "hv", "color": colors.of(index)}
        for bound, fill in ((curve.low, None), (curve.high, "tonexty")):
            figure.add_scatter(
                x=curve.budget, y=bound, fill=fill, fillcolor=colors.band(index), mode="lines",
                line={"width": 0, "shape": "hv"}, hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        figure.add_scatter(
            x=curve.budget, y=curve.median, mode="lines+markers", name=plotly_text(name) or "all", line=shape,
            marker={"symbol": colors.marker(index), "size": 6},
            hovertemplate="%{fullData.name}, %{x}: %{y:.4f}<extra></extra>",
        )  # fmt: skip
    return figure.update_xaxes(title=title).update_yaxes(title=objective)


def finalists(results: Sequence[StudyResults]) -> dict[str, list[verdict.Row]]:
    """The finalists of each study that has some, the best first."""
    return {study.definition.name: rows for study in results if (rows := verdict.finalists(study))}


def verdicts(results: Sequence[StudyResults]) -> list[Card]:
    """The finalists of all studies, as in the reports of their own studies."""
    rows = [(study, *verdict.cells(row)) for study, found in finalists(results).items() for row in found]
    if not rows:
        return [Card("The finalists", "No finalist has been tested yet.")]
    caption = (
        f"Of {len({row[0] for row in rows})} studies, as in their own reports. Accuracies on different data sets are "
        "not comparable."
    )
    return [Card("The finalists", caption, ("Study", *verdict.COLUMNS), rows)]


Panel = Callable[[Sequence[StudyResults]], list[Card]]

PANELS: dict[str, Panel] = {
    "Studies": overview,
    "Differences": contests,
    "Curves": curves,
    "Finalists": verdicts,
}
"""The page of several studies, from top to bottom."""
