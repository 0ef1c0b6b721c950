"""How the trials learned, epoch by epoch."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card
from study.objective import Objective

MOST = 300
"""Curves in a figure."""
STYLES = {
    "complete": {"color": colors.COMPLETE, "width": 1.0, "dash": "solid"},
    "pruned": {"color": colors.PRUNED, "width": 1.0, "dash": "dot"},
    "best": {"color": colors.BEST, "width": 3.0, "dash": "solid"},
}


class Curve(NamedTuple):
    """The objective of a trial after each epoch."""

    trial: int
    kind: str
    """`best`, `complete` or `pruned`."""
    values: list[float | None]


def info(space: SpaceResults, objective: Objective) -> list[Curve]:
    """One curve per complete or pruned trial that finished an epoch; the best one last, so that it is drawn on top."""
    curves = []
    for trial in space.trials:
        record = space.record(trial)
        if record is None or trial.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            continue
        values = record.history.get(objective.name, [])
        if not values:  # pruned within its first epoch
            continue
        best = space.best is not None and trial.number == space.best.number
        kind = "best" if best else trial.state.name.lower()
        curves.append(Curve(trial.number, kind, values))
    return sorted(curves, key=lambda curve: (curve.kind == "best", curve.trial))


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """The objective of the trials, and the winner's logs."""
    title, objective = "How did the trials learn?", results.definition.objective
    curves = info(space, objective)
    if not curves:
        return [Card(title, "There will be curves once a trial has finished an epoch.")]
    shown = [curves[index] for index in _shown(curves, objective)]
    figure = go.Figure()
    for kind in STYLES:
        _draw(figure, [curve for curve in shown if curve.kind == kind], kind)
    epochs = max(len(curve.values) for curve in curves)
    figure.update_xaxes(_axis(epochs)).update_yaxes(title=objective.name)
    within = space.count(TrialState.PRUNED) - sum(curve.kind == "pruned" for curve in curves)
    caption = f"{objective.name} after each epoch; the value of a complete trial is that of its best epoch."
    caption += f" {within:,} trials were pruned within their first epoch." if within else ""
    figures = [figure, *_of_winner(space)]
    return [Card(title, caption + thinning.note(len(shown), len(curves), "curves"), figures=figures)]


def _shown(curves: Sequence[Curve], objective: Objective) -> list[int]:
    """Indices; the last curve, which is the winner's, is always among them."""
    worst = objective.rank(math.inf)
    bests = [objective.best(value for value in curve.values if value is not None) for curve in curves[:-1]]
    return [*thinning.kept([worst if best is None else best for best in bests], objective, MOST), len(curves) - 1]


def _axis(epochs: int) -> dict[str, Any]:
    """Ticks only at whole epochs."""
    return {"title": "epoch", "dtick": max(1, round(epochs / 10)), "tick0": 1 if epochs <= 15 else 0}


def _draw(figure: go.Figure, curves: list[Curve], kind: str) -> None:
    """All curves of one kind as a single trace with gaps, because hundreds of traces would be slow."""
    if not curves:
        return
    epochs: list[int | None] = []
    values: list[float | None] = []
    trials: list[int | None] = []
    for curve in curves:
        epochs += [*range(1, len(curve.values) + 1), None]
        values += [*curve.values, None]
        trials += [*[curve.trial] * len(curve.values), None]
    figure.add_scatter(
        x=epochs, y=values, customdata=trials, mode="lines+markers", marker={"size": 4}, line=STYLES[kind],
        name=f"best (trial {curves[0].trial})" if kind == "best" else kind,
        hovertemplate="trial %{customdata}, epoch %{x}: %{y:.4f}<extra></extra>",
    )  # fmt: skip


def _of_winner(space: SpaceResults) -> list[go.Figure]:
    """Training and validation, for each metric that the winner logged for both."""
    record = space.record(space.best) if space.best is not None else None
    history, figures = record.history if record is not None else {}, []
    for name in ("accuracy", "loss"):
        if name not in history or f"val_{name}" not in history:
            continue
        figure = go.Figure()
        for index, (label, values) in enumerate((("training", history[name]), ("validation", history[f"val_{name}"]))):
            figure.add_scatter(
                x=list(range(1, len(values) + 1)), y=values, mode="lines+markers", name=label,
                line={"color": colors.of(index)}, marker={"symbol": colors.marker(index)},
                hovertemplate="epoch %{x}: %{y:.4f}<extra></extra>",
            )  # fmt: skip
        figure.update_xaxes(_axis(len(history[name]))).update_yaxes(title=f"{name} of the winner")
        figures.append(figure)
    return figures
