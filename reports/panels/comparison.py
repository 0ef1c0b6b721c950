"""Several studies side by side: grouped by everything that their results depend on but their seed."""

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports import colors, statistics
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, history, number, p_value, plotly_text, verdict
from study.records import TUNED

MOST_STEPS = 400
"""Points of a curve."""
OPTIONS = (
    "dataset_name", "objective", "sampler", "pruner", "epochs", "trials", "seeds", "timeout", "workers", "precision",
)  # fmt: skip
DATA, DEFINITION = "data", "space fingerprint"
"""Fingerprints: of the images and the cut, and of what the space declares."""
GROUPED_BY = ("space", *OPTIONS, DATA, DEFINITION)
WORDS = ("space", "dataset_name", "objective", "sampler", "pruner", "precision")
"""Settings that speak for themselves."""
FINGERPRINT_DIGITS = 8


class Curve(NamedTuple):
    """The best value so far, over a budget."""

    budget: list[float]
    low: list[float]
    """First quartile over the group's studies."""
    median: list[float]
    high: list[float]
    """Third quartile."""


class Group(NamedTuple):
    """Searches that differ by their seed alone."""

    name: str
    """What sets it apart from the other groups."""
    space: str
    settings: dict[str, Any]
    studies: list[str]
    seeds: list[int]
    trials: list[int]
    """Finished trials of each study."""
    seconds: list[float]
    """Of training, of each."""
    best: list[float | None]
    """The best value of each."""
    tested: list[float | None]
    """Mean test accuracy of each study's winner; None where it was not tested."""
    over_trials: Curve | None
    over_seconds: Curve | None


class Contest(NamedTuple):
    """Two groups in the same space on the same data, paired by study seed."""

    first: str
    second: str
    what: str
    """What is compared: the objective of the best trial, or the test accuracy of the winner."""
    seeds: int
    difference: statistics.Difference
    adjusted_p: float
    word: str


class Comparison(NamedTuple):
    """Several studies."""

    groups: list[Group]
    contests: list[Contest]
    unequal: list[str]
    """What the groups' budgets differ in, in words; empty where they are equal."""
    repeats: list[str]
    """Studies that repeat another's seed and settings, left out: they tell nothing that it does not."""


def info(results: Sequence[StudyResults]) -> Comparison:
    """Groups in the order of the studies; contests between groups that share space, data set and objective."""
    members: dict[tuple[Any, ...], dict[int, tuple[StudyResults, SpaceResults]]] = {}
    repeats = []
    for study in results:
        for space in study.spaces:
            group = members.setdefault(_key(study, space.name), {})
            first, _ = group.setdefault(study.config.seed, (study, space))
            if first is not study:
                repeats.append(f"{study.config.name} {space.name}")
    differing = [
        name
        for index, name in enumerate(GROUPED_BY)
        if len({key[index] for key in members}) > 1 or (name == "space" and len(members) == 1)
    ]
    groups = [_group(key, list(found.values()), differing) for key, found in members.items()]
    return Comparison(groups, _contests(groups), _unequal(groups), repeats)


def _key(study: StudyResults, space: str) -> tuple[Any, ...]:
    """The settings of `GROUPED_BY`."""
    options = (getattr(study.config, name) for name in OPTIONS)
    return space, *options, study.fingerprint.get("data"), study.fingerprint.get("spaces", {}).get(space)


def _word_of(name: str, value: Any) -> str:
    if name in (DATA, DEFINITION):
        value = str(value)[:FINGERPRINT_DIGITS]
    return str(value) if name in WORDS else f"{name} {number(value)}"


def _group(key: tuple[Any, ...], members: list[tuple[StudyResults, SpaceResults]], differing: list[str]) -> Group:
    settings = dict(zip(GROUPED_BY, key, strict=True))
    maximize = members[0][0].maximize
    points = [history.info(space, maximize) for _, space in members]
    trials = [space.ended for _, space in members]
    seconds = [sum(record.seconds for record in space.records.values()) for _, space in members]
    over_trials = [[(float(point.ended), point.best) for point in found] for found in points]
    over_seconds = [[(point.seconds, point.best) for point in found] for found in points]
    return Group(
        name=", ".join(_word_of(name, settings[name]) for name in differing),
        space=settings.pop("space"),
        settings=settings,
        studies=[study.config.name for study, _ in members],
        seeds=[study.config.seed for study, _ in members],
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
    """Quartiles over runs of (budget, best so far) from where all have a value to where the first one ends, `spent` of
    each in all."""
    if not all(runs):
        return None
    # A sum in another order may lie below the last point, to rounding.
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
    """Each pair of comparable groups on test accuracy, or on the objective where they were not tested."""
    measured = []
    for first, second in combinations(groups, 2):
        same = _place(first)[1:] == _place(second)[1:]  # but for the space
        for what, one, two in (
            ("test accuracy", first.tested, second.tested),
            (first.settings["objective"], first.best, second.best),
        ):
            if not same or (what != "test accuracy" and first.space != second.space):
                continue
            pairs = _paired(first.seeds, one, second.seeds, two)
            difference = statistics.paired_difference([a for a, _ in pairs], [b for _, b in pairs])
            if difference is not None:
                measured.append((first.name, second.name, what, len(pairs), difference))
                break
    adjusted = statistics.holm([each[4].p for each in measured])
    return [
        Contest(*each, adjusted_p=p, word=_word(each[2], each[4], p))
        for each, p in zip(measured, adjusted, strict=True)
    ]


def _word(what: str, difference: statistics.Difference, p: float) -> str:
    word = statistics.verdict_word(difference.interval, p)
    turned = {statistics.BETTER: statistics.WORSE, statistics.WORSE: statistics.BETTER}
    return turned.get(word, word) if what.endswith("loss") else word


def _paired(
    seeds: list[int], first: list[float | None], others: list[int], second: list[float | None]
) -> list[tuple[float, float]]:
    known = dict(zip(others, second, strict=True))
    pairs = [(value, known.get(seed)) for seed, value in zip(seeds, first, strict=True)]
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _unequal(groups: list[Group]) -> list[str]:
    """What was given to them, and what they spent of it."""
    found = []
    for what, option in (("epochs a trial", "epochs"), ("time limits", "timeout")):
        budgets = sorted({str(group.settings[option]) for group in groups})
        if len(budgets) > 1:
            found.append(f"{what} ({', '.join(budgets)})")
    trials = [median(group.trials) for group in groups]
    if len(set(trials)) > 1:
        found.append(f"trials that ended ({min(trials):g} to {max(trials):g}, medians)")
    spent = [median(group.seconds) for group in groups]
    if spent and max(spent) > 1.2 * min(spent):
        found.append(f"seconds of training spent ({min(spent):.0f} to {max(spent):.0f}, medians)")
    return found


def overview(results: Sequence[StudyResults]) -> list[Card]:
    """A row a group, and what must be known to read it."""
    found = info(results)
    caption = "Studies that differ by their seed alone are one row: medians over its studies, and the range."
    if found.unequal:
        caption += f" The budgets differ in {'; '.join(found.unequal)}: compare at equal budgets in the curves below."
    if found.repeats:
        caption += f" Left out, as they repeat another's seed and settings: {', '.join(found.repeats)}."
    columns = ("Group", "Space", "Studies", "Trials", "Seconds of training", "Best on validation", "Winner on test")
    rows = [
        (
            group.name, group.space, f"{len(group.studies)} ({', '.join(group.studies)})",
            _range(group.trials, "{:.0f}"), _range(group.seconds, "{:.0f}"), _range(group.best, "{:.4f}"),
            _range(group.tested, "{:.4f}"),
        )
        for group in found.groups
    ]  # fmt: skip
    return [Card("The studies", caption, columns, rows)]


def _range(values: Sequence[float | None], style: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    middle, low, high = (style.format(value) for value in (median(known), min(known), max(known)))
    return middle if low == high else f"{middle} ({low} to {high})"


def contests(results: Sequence[StudyResults]) -> list[Card]:
    """Which differences can be told from chance."""
    title, found = "Which differences can be told?", info(results).contests
    if not found:
        return [Card(title, "Groups are compared where they share data set and objective, and two study seeds each.")]
    columns = ("Comparison", "Of", "Study seeds", "Difference", "95 % interval", "p", "Adjusted p", "Verdict")
    rows = [
        (
            f"{each.first} − {each.second}", each.what, str(each.seeds), f"{each.difference.interval.estimate:+.4f}",
            f"{each.difference.interval.low:+.4f} to {each.difference.interval.high:+.4f}",
            p_value(each.difference.p), p_value(each.adjusted_p), each.word,
        )
        for each in found
    ]  # fmt: skip
    caption = (
        "Paired by study seed; bootstrap interval (BCa) and sign-flip permutation p, Holm-adjusted. 'Better' is said "
        "only where the interval excludes 0 and the adjusted p is below 0.05."
    )
    return [Card(title, caption, columns, rows)]


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
        caption = f"{objective}: median over the studies of a group, and the area between the quartiles, as far as all "
        caption += "of them went."
        over_trials = [(index, group.name, group.over_trials) for index, group in chosen]
        over_seconds = [(index, group.name, group.over_seconds) for index, group in chosen]
        figures = [
            _figure(over_trials, "trials ended", objective),
            _figure(over_seconds, "seconds of training", objective),
        ]
        cards.append(Card(title, caption, figures=figures))
    return cards


def _place(group: Group) -> tuple[str, ...]:
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
    return {study.config.name: rows for study in results if (rows := verdict.finalists(study))}


def verdicts(results: Sequence[StudyResults]) -> list[Card]:
    """The finalists of all studies, each with its study's own verdict."""
    rows = [(study, *verdict.cells(row)) for study, found in finalists(results).items() for row in found]
    if not rows:
        return [Card("The finalists", "No finalist has been tested yet.")]
    caption = (
        f"Of {len({row[0] for row in rows})} studies, as their own reports have them. Accuracies on different data "
        "sets are not comparable."
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
