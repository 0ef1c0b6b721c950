"""The objective against each hyperparameter, with the winner and the bounds of the search."""

import plotly.graph_objects as go

from reports import colors, dots, parameters, thinning, window
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, importances, plotly_text
from reports.parameters import Parameter
from reports.window import Window

OPEN = 6
"""Figures that are shown without being asked for."""
FEW = 10
"""A range of so many integers has a tick for each."""


def info(space: SpaceResults) -> list[Parameter]:
    """The hyperparameters in which trials differ."""
    return [parameter for parameter in parameters.of(space) if parameter.varies]


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure per hyperparameter."""
    title, found, objective = "Where are the good values?", info(space), results.definition.objective
    shown_range = window.of(space.outcomes, objective)
    if not found or shown_range is None:
        return [Card(title, "There will be slices once two trials differ.")]
    shares = importances.info(space).shares
    found = sorted(found, key=lambda each: -shares.get(each.name, 0.0))  # as declared, where they are unknown
    figures = [_figure(each, space, shown_range) for each in found]
    most = max(len(each.outcomes) for each in found)
    shown = max(map(len, (shown_of(each, space) for each in found)))
    caption = f"{objective.name} of the trials against each hyperparameter. The star marks the winner, dotted lines "
    caption += "the bounds of the search: if the winner is at a bound, a wider range may be better. The band is where "
    caption += "the best tenth of the trials lies, or the best 3."
    caption += " The most important ones come first." if shares else ""
    caption += thinning.note(shown, most)
    return [Card(title, caption, figures=figures[:OPEN], more_figures=figures[OPEN:])]


def shown_of(parameter: Parameter, space: SpaceResults) -> list[int]:
    """The indices of its trials that a figure shows."""
    return thinning.kept([each.value for each in parameter.outcomes], space.objective)


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


def coordinates(parameter: Parameter) -> list[object]:
    """Where its values lie on its axis."""
    return [value if parameter.numeric else plotly_text(value) for value in parameter.values]


def _figure(each: Parameter, space: SpaceResults, shown_range: Window) -> go.Figure:
    shown, figure = shown_of(each, space), go.Figure()
    x = coordinates(each)
    dots.draw(figure, [each.outcomes[index] for index in shown], [x[index] for index in shown], shown_range)
    if space.best is not None and space.best.number in each.trials:
        index = each.trials.index(space.best.number)
        figure.add_scatter(
            x=[x[index]], y=[shown_range.place(each.outcomes[index].value)], mode="markers",
            marker={"color": colors.BEST, "size": 13, "symbol": "star"}, customdata=[space.best.number],
            hovertemplate="trial %{customdata}<extra></extra>",
        )  # fmt: skip
    for bound in (each.low, each.high):
        if bound is not None and (bound > 0 or not each.log):
            figure.add_vline(x=bound, line={"dash": "dot", "color": colors.COMPLETE})
    best = importances.best_of(space, each)
    if best is not None and best.values:
        text = f"best {best.trials:,}: {importances.in_words(best, each)}"
        figure.update_layout(title={"text": plotly_text(text), "font": {"size": 13}, "x": 0.5, "y": 0.98})
        if each.numeric:
            low, high = min(best.values), max(best.values)
            figure.add_vrect(x0=low, x1=high, fillcolor=colors.band(0), line={"width": 0}, layer="below")
    figure.update_layout(showlegend=False).update_xaxes(axis(each))
    return figure.update_yaxes(shown_range.axis(space.objective.name))
