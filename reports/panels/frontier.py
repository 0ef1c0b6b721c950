"""Which trials are as good as any of their size."""

import math
from typing import NamedTuple

import plotly.graph_objects as go

from reports import colors, dots, thinning, window
from reports.collect import Outcome, SpaceResults, StudyResults
from reports.panels import Card, dataset
from reports.window import Window
from study.objective import Objective
from study.records import BASELINE_NUMBER, TrialRecord

COSTS = {"parameters": "parameters", "multiply_adds": "multiply-adds for an image"}
"""What a model's size is measured by: fields of `TrialRecord`, and what figures call them."""


class Size(NamedTuple):
    """A complete trial: no smaller one is as good."""

    trial: int
    value: float
    """The objective at its best epoch."""
    parameters: int
    multiply_adds: int | None
    """For one image; None where they are not known."""


def info(space: SpaceResults) -> dict[str, list[Size]]:
    """The frontier by each measure of size, the smallest trial first; empty where no size is known."""
    return {cost: _frontier(space, cost) for cost in COSTS}


def _frontier(space: SpaceResults, cost: str) -> list[Size]:
    found: list[Size] = []
    for _, rank, each in sorted(_sized(space, cost)):
        if not found or rank < space.objective.rank(found[-1].value):
            found.append(each)
    return found


def _sized(space: SpaceResults, cost: str) -> list[tuple[int, float, Size]]:
    """The complete trials of a known size, with that size and the objective's rank."""
    found = []
    for outcome in space.outcomes:
        record = space.records.get(outcome.trial)
        if outcome.state != "complete" or outcome.value is None or record is None or record.parameters is None:
            continue
        size = getattr(record, cost)
        if size is not None and math.isfinite(outcome.value):
            each = Size(outcome.trial, outcome.value, record.parameters, record.multiply_adds)
            found.append((size, space.objective.rank(outcome.value), each))
    return found


def as_good(results: StudyResults, space: SpaceResults) -> Size | None:
    """The trial with the fewest parameters whose accuracy lies within one standard error of the best one's, that of a
    share of the validation images; None where that is the best itself, or not known."""
    found, images = _frontier(space, "parameters"), dataset.info(results).validation
    if not found or not images or space.objective.name != Objective.name:
        return None
    best = found[-1].value
    error = math.sqrt(max(0.0, best * (1 - best)) / images)
    smallest = next(each for each in found if each.value >= best - error)
    return None if smallest.trial == found[-1].trial else smallest


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """A figure for each measure of size."""
    title, found = "How large must a model be?", info(space)
    shown_range = window.of(space.outcomes, space.objective)
    known = [cost for cost, sizes in found.items() if len(sizes) > 1]
    if shown_range is None or not known:
        return [Card(title, "There will be figures once a larger model is better than a smaller one.")]
    caption = f"{space.objective.name} of the trials against the size of their models. The line joins the complete "
    caption += "trials that no smaller one equals; the star marks the winner, the diamond the baseline."
    smaller, best = as_good(results, space), found["parameters"][-1]
    if smaller is not None:
        caption += f" Trial {smaller.trial}, with {smaller.parameters:,} parameters instead of {best.parameters:,}, "
        caption += f"lies within one standard error of the best one ({smaller.value:.4f}, trial {best.trial}: "
        caption += f"{best.value:.4f})."
    figures = [_figure(space, cost, found[cost], shown_range) for cost in known]
    return [Card(title, caption + _note(space), figures=figures)]


def _shown(space: SpaceResults) -> list[Outcome]:
    kept = thinning.kept([each.value for each in space.outcomes], space.objective)
    return [space.outcomes[index] for index in kept]


def _note(space: SpaceResults) -> str:
    return thinning.note(len(_shown(space)), len(space.outcomes))


def _figure(space: SpaceResults, cost: str, frontier: list[Size], shown_range: Window) -> go.Figure:
    def size(trial: int) -> int | None:
        record: TrialRecord | None = space.records.get(trial)
        return None if record is None else getattr(record, cost)

    figure, shown = go.Figure(), [each for each in _shown(space) if size(each.trial) is not None]
    dots.draw(figure, shown, [size(each.trial) for each in shown], shown_range)
    line = [each for each in frontier if shown_range.shows(each.value)]
    figure.add_scatter(
        x=[getattr(each, cost) for each in line], y=[each.value for each in line], mode="lines", name="frontier",
        line={"color": colors.BEST, "width": 1.5, "shape": "hv"}, hoverinfo="skip",
    )  # fmt: skip
    marks = {"diamond": BASELINE_NUMBER, "star": None if space.best is None else space.best.number}
    values = {each.trial: each.value for each in space.outcomes}
    for symbol, trial in marks.items():
        if trial is not None and size(trial) is not None and trial in values:
            figure.add_scatter(
                x=[size(trial)], y=[shown_range.place(values[trial])], mode="markers", customdata=[trial],
                marker={"color": colors.BEST, "size": 13, "symbol": symbol},
                hovertemplate="trial %{customdata}<extra></extra>",
            )  # fmt: skip
    figure.update_layout(showlegend=False).update_xaxes(title=COSTS[cost], type="log")
    return figure.update_yaxes(shown_range.axis(space.objective.name))
