"""How the best value improved, over trials and over training time."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, dots, statistics, thinning, window
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, counted
from study.config import DRAWN_AT_RANDOM
from study.objective import Objective
from study.records import BASELINE_NUMBER, is_excluded

MOST_STEPS = 200
"""Budgets of random search that are drawn."""


class Point(NamedTuple):
    """A trial that has begun."""

    trial: int
    state: str
    ended: int
    """Trials that had ended by then, including pruned and failed ones; a running trial comes after all of them."""
    seconds: float
    """Training time until then, summed over trials and workers."""
    value: float | None
    """The objective at its best epoch so far; None before there is one."""
    best: float | None
    """The best value of a complete trial so far."""


class RandomSearch(NamedTuple):
    """What random search is expected to have found by then, on the same budget and with the same pruner."""

    drawn: int
    """The trials that were drawn at random, from which it is computed."""
    trials: list[int]
    """Budgets: the baseline and so many others, up to all that were drawn at random."""
    seconds: list[float]
    """The training time of each budget, by the mean of those trials."""
    best: list[float]
    """The expected best value within each budget."""


def info(space: SpaceResults, objective: Objective) -> list[Point]:
    """The trials of a space in the order in which they ended; last those that are running."""
    outcomes = {each.trial: each for each in space.outcomes}
    begun = [trial for trial in space.trials if trial.number in outcomes]
    begun.sort(key=lambda trial: (not trial.state.is_finished(), trial.datetime_complete is None,
                                  trial.datetime_complete, trial.number))  # fmt: skip
    points: list[Point] = []
    seconds, best, last = 0.0, None, space.ended + 1
    for position, trial in enumerate(begun, 1):
        record, outcome = space.record(trial), outcomes[trial.number]
        seconds += record.seconds if record is not None else 0.0
        value = outcome.value
        if outcome.state == "complete" and value is not None and (best is None or objective.is_better(value, best)):
            best = value
        points.append(Point(trial.number, outcome.state, min(position, last), seconds, value, best))
    return points


def random_search(space: SpaceResults, sampler: str) -> RandomSearch | None:
    """Computed from the trials that the sampler drew at random; None without any, and before the baseline is complete.
    A trial that did not complete gains nothing over the baseline."""
    outcomes = {each.trial: each for each in space.outcomes if each.state != "running"}
    baseline = outcomes.pop(BASELINE_NUMBER, None)
    drawn = [each for each in outcomes.values() if each.trial < DRAWN_AT_RANDOM.get(sampler, 0)]
    if baseline is None or baseline.state != "complete" or baseline.value is None or not drawn:
        return None
    worse = space.objective.rank(baseline.value)
    gained = [
        each.value
        if each.state == "complete" and each.value is not None and space.objective.rank(each.value) < worse
        else baseline.value
        for each in drawn
    ]
    draws = np.unique(np.linspace(1, len(gained), min(len(gained), MOST_STEPS)).astype(int)).tolist()
    costs = [space.records[each.trial].seconds for each in drawn if each.trial in space.records]
    begin, mean = space.records[BASELINE_NUMBER].seconds, fmean(costs or [0.0])
    return RandomSearch(
        drawn=len(drawn),
        trials=[1, *(1 + n for n in draws)],
        seconds=[begin, *(begin + n * mean for n in draws)],
        best=[baseline.value, *statistics.expected_best(gained, draws, maximize=space.objective.maximize)],
    )


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """Two figures."""
    complete, pruned, failed = map(space.count, (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    running, excluded = space.count(TrialState.RUNNING), sum(is_excluded(trial.user_attrs) for trial in space.trials)
    counts = f"{complete:,} complete, {pruned - excluded:,} pruned and {failed:,} failed trials"
    counts += f", {excluded:,} excluded because their models are too large" if excluded else ""
    counts += f", {running:,} running." if running else "."
    title, objective = "How did the search go?", results.definition.objective
    shown_range = window.of(space.outcomes, objective)
    if shown_range is None:
        return [Card(title, f"It will be shown once a trial has finished an epoch. {counts}")]
    points = info(space, objective)
    shown = [points[index] for index in thinning.kept([point.value for point in points], objective)]
    by_chance = random_search(space, results.definition.sampler)
    caption = f"{objective.name} of each trial at its best epoch and the best complete one so far (line), over trials "
    caption += "and training time. Pruned and running trials are the fainter the fewer epochs they finished; triangles "
    caption += "are worse than the axis reaches, or were pruned within their first epoch. "
    if by_chance is not None:
        caption += "Dotted: the best that random search is expected to have by then, from the "
        caption += f"{counted(by_chance.drawn, 'trial')} drawn at random after the baseline (Dodge et al. 2019)"
        caption += ", as all were so far. " if by_chance.drawn == len(space.outcomes) - 1 else ". "
    caption += counts + thinning.note(len(shown), len(points))
    chance = by_chance or RandomSearch(0, [], [], [])
    budgets = {
        "trials ended": ([float(point.ended) for point in shown], [float(n) for n in chance.trials]),
        "seconds of training": ([point.seconds for point in shown], chance.seconds),
    }
    outcomes = {each.trial: each for each in space.outcomes}
    figures = []
    for name, (budget, of_chance) in budgets.items():
        figure = go.Figure()
        dots.draw(figure, [outcomes[point.trial] for point in shown], budget, shown_range)
        _line(figure, "best so far", budget, [point.best for point in shown], "solid")
        if of_chance:
            _line(figure, "random search", of_chance, chance.best, "dot")
        figures.append(figure.update_xaxes(title=name).update_yaxes(shown_range.axis(objective.name)))
    return [Card(title, caption, figures=figures)]


def _line(figure: go.Figure, name: str, x: Sequence[float], y: Sequence[float | None], dash: str) -> None:
    figure.add_scatter(
        x=x, y=y, mode="lines", name=name, hoverinfo="skip",
        line={"color": colors.BEST, "width": 2, "shape": "hv", "dash": dash},
    )  # fmt: skip
