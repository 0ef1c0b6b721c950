"""The two most important hyperparameters together."""

from typing import NamedTuple

import plotly.graph_objects as go

from reports import colors, parameters, thinning
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
    kept = [index for index, number in enumerate(parameter.trials) if number in trials]
    return parameter._replace(
        trials=[parameter.trials[index] for index in kept],
        values=[parameter.values[index] for index in kept],
        results=[parameter.results[index] for index in kept],
    )


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One figure."""
    title, found = "How do the two most important hyperparameters interact?", info(space)
    if found is None:
        text = f"Shown from {importances.FEWEST} complete trials on, when it is known which two are the most important."
        return [Card(title, text)]
    (first, second), objective = found, results.definition.objective
    shown = thinning.kept(first.results, objective)
    figure = go.Figure()
    figure.add_scatter(
        x=[slices.coordinate(first, index) for index in shown],
        y=[slices.coordinate(second, index) for index in shown], mode="markers",
        marker={
            "color": [first.results[index] for index in shown], "colorscale": "Viridis", "size": 9, "showscale": True,
            "reversescale": not objective.maximize, "colorbar": {"title": objective.name},
        },
        customdata=[[first.trials[index], first.results[index]] for index in shown],
        hovertemplate="trial %{customdata[0]}: %{x}, %{y}: %{customdata[1]:.4f}<extra></extra>", showlegend=False,
    )  # fmt: skip
    if space.best is not None and space.best.number in first.trials:
        index = first.trials.index(space.best.number)
        figure.add_scatter(
            x=[slices.coordinate(first, index)], y=[slices.coordinate(second, index)], mode="markers",
            marker={"color": "rgba(0,0,0,0)", "size": 18, "line": {"color": colors.PRUNED, "width": 3}},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    figure.update_xaxes(slices.axis(first)).update_yaxes(slices.axis(second))
    caption = f"Each point is a complete trial, coloured by {objective.name}; the ring marks the winner."
    return [Card(title, caption + thinning.note(len(shown), len(first.results)), figures=[figure], folded=True)]
