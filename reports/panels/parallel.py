"""All hyperparameters of the trials at once."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports import colors, parameters, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, plotly_text
from reports.parameters import Parameter
from study.records import Value, finite

MOST_TICKS = 6
INACTIVE = "–"
"""Marks a hyperparameter that a trial does not have."""
FEWEST_DIGITS = 4
GAP = 0.15
"""Share of an axis between its lowest value and the place of trials without a value."""


class Coordinates(NamedTuple):
    """The complete trials."""

    trials: list[int]
    results: list[float]
    columns: list[tuple[Parameter, list[Value | None]]]
    """Hyperparameters that vary, each with its value in these trials; None where it is not active."""


def info(space: SpaceResults) -> Coordinates | None:
    """None until two trials differ."""
    found = parameters.of(space)
    results = {trial: result for each in found for trial, result in zip(each.trials, each.results, strict=True)}
    trials = sorted(results)
    columns = []
    for parameter in found:
        values = dict(zip(parameter.trials, parameter.values, strict=True))
        if parameter.varies or len(values) < len(trials):
            columns.append((parameter, [values.get(trial) for trial in trials]))
    return Coordinates(trials, [results[trial] for trial in trials], columns) if columns else None


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure."""
    title, found = "Which combinations are good?", info(space)
    if found is None:
        return [Card(title, "There will be parallel coordinates once two complete trials differ.")]
    objective = results.definition.objective
    shown = thinning.kept(found.results, objective)
    chosen = [found.results[index] for index in shown]
    dimensions = [{"label": objective.name, "values": chosen}]
    dimensions += [dimension(parameter, [values[index] for index in shown]) for parameter, values in found.columns]
    scale = [[0, colors.COMPLETE], [1, colors.PRUNED]]
    line = {"color": chosen, "colorscale": scale, "reversescale": not objective.maximize, "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-15))
    figure.update_layout(margin={"t": 96})
    caption = "Each line is a complete trial, the more orange the better; drag along an axis to select some."
    if any(None in values for _, values in found.columns):
        caption += f" It passes below an axis, at {INACTIVE}, where it lacks that hyperparameter."
    return [Card(title, caption + thinning.note(len(shown), len(found.results)), figures=[figure], wide=True)]


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
