"""All hyperparameters of the trials at once."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports import colors, parameters, thinning, window
from reports.collect import Outcome, SpaceResults, StudyResults
from reports.panels import Card, importances, plotly_text
from reports.parameters import Parameter
from reports.window import Window
from study.records import Value, finite

MOST_TICKS = 6
MOST_AXES = 10
"""Hyperparameters that have an axis; more could not be read."""
SCALE = [[0, "#b8bcc0"], [1, colors.PRUNED]]
INACTIVE = "–"
"""Marks a hyperparameter that a trial does not have."""
FEWEST_DIGITS = 4
GAP = 0.15
"""Share of an axis between its lowest value and the place of trials without a value."""


class Coordinates(NamedTuple):
    """The trials."""

    outcomes: list[Outcome]
    columns: list[tuple[Parameter, list[Value | None]]]
    """Hyperparameters that vary, the most important first, each with its value in these trials; None where it is not
    active."""


def info(space: SpaceResults) -> Coordinates | None:
    """None until two trials differ."""
    outcomes, shares = [each for each in space.outcomes if each.values], importances.info(space).shares
    columns = [
        (parameter, [each.values.get(parameter.name) for each in outcomes])
        for parameter in sorted(parameters.of(space), key=lambda each: -shares.get(each.name, 0.0))
        if parameter.varies or len(parameter.outcomes) < len(outcomes)
    ]
    return Coordinates(outcomes, columns) if columns else None


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure."""
    title, found, objective = "Which combinations are good?", info(space), results.definition.objective
    shown_range = window.of(space.outcomes, objective)
    if found is None or shown_range is None:
        return [Card(title, "There will be parallel coordinates once two trials differ.")]
    shown = thinning.kept([each.value for each in found.outcomes], objective)
    outcomes = [found.outcomes[index] for index in shown]
    values = [shown_range.clipped(each.value) for each in outcomes]
    axes = found.columns[:MOST_AXES]
    dimensions = [_result(objective.name, values, shown_range)]
    dimensions.append({"label": "epochs", "values": [each.epochs for each in outcomes]})
    dimensions += [dimension(parameter, [column[index] for index in shown]) for parameter, column in axes]
    shares = [round((value - shown_range.edge) / ((shown_range.best - shown_range.edge) or 1.0), 3) for value in values]
    line = {"color": shares, "colorscale": SCALE, "cmin": 0, "cmax": 1, "showscale": False}
    trials = [each.trial for each in outcomes]
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-15, customdata=trials))
    figure.update_layout(margin={"t": 96, "l": 112, "r": 64})
    caption = "Each line is a trial, the more orange the better; the grey ones are not in the better half. Drag along "
    caption += "an axis to select some: the table of the trials then shows these."
    if len(axes) < len(found.columns):
        caption += f" There are axes for the {MOST_AXES} most important of {len(found.columns)} hyperparameters."
    if any(None in column for _, column in axes):
        caption += f" A line passes below an axis, at {INACTIVE}, where it lacks that hyperparameter."
    return [Card(title, caption + thinning.note(len(shown), len(found.outcomes)), figures=[figure], wide=True)]


def _result(name: str, values: Sequence[float], shown_range: Window) -> dict[str, Any]:
    """The axis of the objective, which ends where the better half does."""
    best, edge = shown_range.best, shown_range.edge
    ticks = np.linspace(edge, best, MOST_TICKS).tolist() if best != edge else [best]
    texts = _numbers(ticks)
    if shown_range.beyond:
        texts[0] += " or worse"
    return {"label": plotly_text(name), "values": values, "tickvals": ticks, "ticktext": texts}


def dimension(parameter: Parameter, values: Sequence[Value | None]) -> dict[str, Any]:
    """An axis: where the values lie, and its ticks. plotly shows the texts of ticks literally, and identifies ticks by
    them."""
    values = [finite(value) if isinstance(value, float) else value for value in values]
    known = [value for value in values if value is not None]
    places: dict[Value | None, float]
    if parameter.numeric:
        scale, inverse = (math.log10, lambda place: 10**place) if parameter.log else (float, float)
        places = {value: scale(float(value)) for value in known}
        ticks = sorted(set(places.values()))
        if len(ticks) > MOST_TICKS:
            ticks = np.linspace(ticks[0], ticks[-1], MOST_TICKS).tolist()
        texts = _numbers([inverse(place) for place in ticks])
    else:
        places = {choice: float(index) for index, choice in enumerate(parameter.choices)}
        ticks, texts = list(places.values()), list(map(str, places))
    if len(known) < len(values):
        lowest, highest = min(ticks, default=0.0), max(ticks, default=0.0)
        places[None] = lowest - GAP * ((highest - lowest) or 1.0)
        ticks, texts = [*ticks, places[None]], [*texts, INACTIVE]
    return {
        "label": plotly_text(parameter.name),
        "values": [places[value] for value in values],
        "tickvals": ticks,
        "ticktext": [text + " " * texts[:index].count(text) for index, text in enumerate(texts)],
    }


def _numbers(values: Sequence[float]) -> list[str]:
    """With enough digits to tell them apart."""
    texts = (([f"{value:.{digits}g}" for value in values]) for digits in range(FEWEST_DIGITS, 18))
    return next(each for each in texts if len(set(each)) == len(values))
