"""The two most important hyperparameters together."""

from typing import NamedTuple

import plotly.graph_objects as go

from reports import colors, parameters, thinning, window
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, importances, slices
from reports.parameters import Parameter


class Pair(NamedTuple):
    """Two hyperparameters in the trials that have both."""

    first: Parameter
    second: Parameter


def info(space: SpaceResults) -> Pair | None:
    """The two most important ones that vary; None where importances are unknown."""
    varied = {parameter.name: parameter for parameter in parameters.of(space) if parameter.varies}
    names = [name for name in importances.info(space).shares if name in varied]
    for second in names[1:]:
        both = set(varied[names[0]].trials) & set(varied[second].trials)
        if len(both) >= importances.FEWEST:
            return Pair(_among(varied[names[0]], both), _among(varied[second], both))
    return None


def _among(parameter: Parameter, trials: set[int]) -> Parameter:
    return parameter._replace(outcomes=[each for each in parameter.outcomes if each.trial in trials])


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure."""
    title, found = "How do the two most important hyperparameters interact?", info(space)
    shown_range = window.of(space.outcomes, space.objective)
    if found is None or shown_range is None:
        text = f"Shown once {importances.FEWEST} trials have both, and it is known which two are the most important."
        return [Card(title, text)]
    (first, second), objective = found, results.definition.objective
    shown = slices.shown_of(first, space)
    x, y = slices.coordinates(first), slices.coordinates(second)
    values = [shown_range.clipped(first.outcomes[index].value) for index in shown]
    complete = [first.outcomes[index].state == "complete" for index in shown]
    figure = go.Figure()
    figure.add_scatter(
        x=[x[index] for index in shown], y=[y[index] for index in shown], mode="markers",
        marker={
            "color": values, "colorscale": "Viridis", "size": 9, "showscale": True,
            "symbol": ["circle" if each else "circle-open" for each in complete],
            "reversescale": not objective.maximize, "colorbar": {"title": objective.name},
        },
        customdata=[first.trials[index] for index in shown], hovertemplate="trial %{customdata}<extra></extra>",
        showlegend=False,
    )  # fmt: skip
    if space.best is not None and space.best.number in first.trials:
        index = first.trials.index(space.best.number)
        figure.add_scatter(
            x=[x[index]], y=[y[index]], mode="markers",
            marker={"color": colors.BEST, "size": 13, "symbol": "star"}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    figure.update_xaxes(slices.axis(first)).update_yaxes(slices.axis(second))
    caption = f"Each point is a trial, open if it did not complete, coloured by {objective.name}: the better half by "
    caption += "its values, the others as the worst of them. The star marks the winner."
    return [Card(title, caption + thinning.note(len(shown), len(first.outcomes)), figures=[figure], folded=True)]
