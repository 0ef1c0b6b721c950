"""The epochs of the trials."""

from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from reports.collect import SpaceResults, StudyResults
from reports.panels import Card

COLORS = {"best": "#0072B2", "complete": "#999999", "pruned": "#D55E00"}
DASHES = {"best": "solid", "complete": "solid", "pruned": "dot"}
WIDTHS = {"best": 3.0, "complete": 1.0, "pruned": 1.0}


class Curve(NamedTuple):
    """The objective of a trial after each epoch."""

    trial: int
    kind: str
    """`best`, `complete` or `pruned`."""
    values: list[float | None]


def info(space: SpaceResults, objective: str) -> list[Curve]:
    """A curve for each complete or pruned trial that has finished an epoch, the best one last, to be drawn on top."""
    curves = []
    for trial in space.trials:
        record = space.record(trial)
        if record is None or trial.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            continue
        values = record.history.get(objective, [])
        if not values:  # pruned within its first epoch
            continue
        best = space.best is not None and trial.number == space.best.number
        kind = "best" if best else trial.state.name.lower()
        curves.append(Curve(trial.number, kind, values))
    return sorted(curves, key=lambda curve: (curve.kind == "best", curve.trial))


def cards(results: StudyResults) -> list[Card]:
    """A figure for each space."""
    return [_card(space, results.config.objective) for space in results.spaces]


def _card(space: SpaceResults, objective: str) -> Card:
    title, curves = f"{space.name}: learning curves", info(space, objective)
    if not curves:
        return Card(title, "There will be curves once a trial has finished an epoch.")
    figure = go.Figure()
    named: set[str] = set()
    for curve in curves:
        figure.add_scatter(
            x=list(range(1, len(curve.values) + 1)),
            y=curve.values,
            mode="lines+markers",
            marker={"size": 4},
            name=f"best (trial {curve.trial})" if curve.kind == "best" else curve.kind,
            legendgroup=curve.kind,
            showlegend=curve.kind not in named,
            line={"color": COLORS[curve.kind], "dash": DASHES[curve.kind], "width": WIDTHS[curve.kind]},
            hovertemplate=f"trial {curve.trial}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
        named.add(curve.kind)
    figure.update_xaxes(title="epoch").update_yaxes(title=objective)
    return Card(
        title,
        f"{objective} after each epoch, of trials that finished one. A complete trial's value is its best epoch's.",
        figure=figure,
    )
