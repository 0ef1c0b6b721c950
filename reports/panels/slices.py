"""The objective against each hyperparameter, with the winner and the bounds of the search."""

import plotly.graph_objects as go

from reports import colors, parameters, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, importances, plotly_text
from reports.parameters import Parameter
from study.objective import Objective

OPEN = 6
"""Figures that are shown without being asked for."""
FEW = 10
"""A range of so many integers has a tick for each."""


def info(space: SpaceResults) -> list[Parameter]:
    """The hyperparameters in which complete trials differ."""
    return [parameter for parameter in parameters.of(space) if parameter.varies]


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure per hyperparameter."""
    title, found = "Where are the good values?", info(space)
    if not found:
        return [Card(title, "There will be slices once two complete trials differ.")]
    objective, best = results.definition.objective, space.best.number if space.best is not None else None
    shares = importances.info(space).shares
    found = sorted(found, key=lambda each: -shares.get(each.name, 0.0))  # as declared, where they are unknown
    figures = [_figure(each, objective, best) for each in found]
    most = max(found, key=lambda each: len(each.values)).results
    shown = len(thinning.kept(most, objective))
    caption = f"{objective.name} of the complete trials against each hyperparameter. The star marks the winner, dotted "
    caption += "lines the bounds of the search: if the winner is at a bound, a wider range may be better."
    caption += " The most important ones come first." if shares else ""
    caption += thinning.note(shown, len(most))
    return [Card(title, caption, figures=figures[:OPEN], more_figures=figures[OPEN:])]


def axis(parameter: Parameter) -> dict[str, object]:
    """The axis of a hyperparameter."""
    title = plotly_text(parameter.name)
    if parameter.numeric:
        kind = {"type": "log", "exponentformat": "power"} if parameter.log else {"type": "linear"}
        return {"title": title, **kind, "dtick": _distance(parameter)}
    order = [plotly_text(choice) for choice in parameter.choices]
    return {"title": title, "type": "category", "categoryorder": "array", "categoryarray": order}


def _distance(parameter: Parameter) -> int | str | None:
    """The distance of ticks: a decade, or 1, 2 and 5 of each where there are few; 1 for few integers."""
    numbers = [value for value in (*parameter.values, parameter.low, parameter.high) if isinstance(value, (int, float))]
    low, high = min(numbers), max(numbers)
    if parameter.log:
        return 1 if low > 0 and high / low >= 100 else "D2"
    whole = all(float(value).is_integer() for value in numbers)
    return 1 if whole and high - low <= FEW else None


def coordinate(parameter: Parameter, index: int) -> object:
    """Where its index-th value lies on its axis."""
    value = parameter.values[index]
    return value if parameter.numeric else plotly_text(value)


def _figure(each: Parameter, objective: Objective, best: int | None) -> go.Figure:
    shown = thinning.kept(each.results, objective)
    figure = go.Figure()
    figure.add_scatter(
        x=[coordinate(each, index) for index in shown], y=[each.results[index] for index in shown], mode="markers",
        marker={"color": colors.COMPLETE, "size": 6}, customdata=[each.trials[index] for index in shown],
        hovertemplate="trial %{customdata}: %{x}, %{y:.4f}<extra></extra>", showlegend=False,
    )  # fmt: skip
    if best in each.trials:
        index = each.trials.index(best)
        figure.add_scatter(
            x=[coordinate(each, index)], y=[each.results[index]], mode="markers",
            marker={"color": colors.BEST, "size": 13, "symbol": "star"}, hovertemplate="winner: %{x}<extra></extra>",
            showlegend=False,
        )  # fmt: skip
    for bound in (each.low, each.high):
        if bound is not None and (bound > 0 or not each.log):
            figure.add_vline(x=bound, line={"dash": "dot", "color": colors.COMPLETE})
    figure.update_xaxes(axis(each)).update_yaxes(title=objective.name)
    return figure
