"""All hyperparameters of the trials at once."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from reports import colors, parameters, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, plotly_text
from reports.parameters import Parameter
from study.records import Value


class Coordinates(NamedTuple):
    """The complete trials in which every hyperparameter is active, or those of the most frequent combination."""

    trials: list[int]
    results: list[float]
    columns: list[tuple[Parameter, list[Value]]]
    """Hyperparameters that differ, each with its value in these trials."""
    left_out: int
    """Complete trials of other combinations."""


def info(space: SpaceResults) -> Coordinates | None:
    """None below two trials that differ."""
    found = [parameter for parameter in parameters.of(space) if parameter.varies]
    active: dict[int, dict[str, tuple[Value, float]]] = {}
    for parameter in found:
        for number, value, result in zip(parameter.trials, parameter.values, parameter.results, strict=True):
            active.setdefault(number, {})[parameter.name] = value, result
    combinations: dict[tuple[str, ...], list[int]] = {}
    for number, values in active.items():
        combinations.setdefault(tuple(sorted(values)), []).append(number)
    if not combinations:
        return None
    names, numbers = max(combinations.items(), key=lambda pair: (len(pair[1]), pair[0]))
    columns = [
        (parameter, [active[number][parameter.name][0] for number in numbers])
        for parameter in found
        if parameter.name in names
    ]
    columns = [(parameter, values) for parameter, values in columns if len(set(values)) > 1]
    if not columns:
        return None
    results = [active[number][names[0]][1] for number in numbers]
    return Coordinates(numbers, results, columns, len(active) - len(numbers))


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure."""
    title, found = "Which combinations are good?", info(space)
    if found is None:
        return [Card(title, "There will be parallel coordinates once two complete trials differ.")]
    shown = thinning.kept(found.results, results.maximize)
    chosen = [found.results[index] for index in shown]
    dimensions = [{"label": results.config.objective, "values": chosen}]
    dimensions += [_dimension(parameter, [values[index] for index in shown]) for parameter, values in found.columns]
    scale = [[0, colors.COMPLETE], [1, colors.PRUNED]]
    line = {"color": chosen, "colorscale": scale, "reversescale": not results.maximize, "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-15))
    figure.update_layout(margin={"t": 96})
    caption = "A line is a complete trial, the better the more orange; drag along an axis to choose some."
    if found.left_out:
        caption += (
            f" Shown is the most frequent combination of active hyperparameters; {found.left_out:,} trials have others."
        )
    return [Card(title, caption + thinning.note(len(shown), len(found.results)), figures=[figure], wide=True)]


def _dimension(parameter: Parameter, values: Sequence[Value]) -> dict[str, Any]:
    label = plotly_text(parameter.name)
    if not parameter.numeric:
        choices = sorted(set(values), key=lambda value: (isinstance(value, str), value))
        texts = [plotly_text(choice) for choice in choices]
        return {
            "label": label,
            "values": [choices.index(value) for value in values],
            "tickvals": list(range(len(choices))),
            "ticktext": texts,
        }
    numbers = [float(value) for value in values]
    if not parameter.log:
        return {"label": label, "values": numbers}
    logs = [math.log10(number) for number in numbers]
    ticks = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    return {"label": label, "values": logs, "tickvals": list(ticks), "ticktext": [f"{10.0**tick:g}" for tick in ticks]}
