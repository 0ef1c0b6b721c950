"""The epochs of the trials."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card

MOST = 300
"""Curves in a picture."""
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


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """The objective of the trials, and what the winner logged while it was trained."""
    title, objective = "How did the trials learn?", results.config.objective
    curves = info(space, objective)
    if not curves:
        return [Card(title, "There will be curves once a trial has finished an epoch.")]
    shown = [curves[index] for index in _shown(curves, results.maximize)]
    figure = go.Figure()
    for kind in STYLES:
        _draw(figure, [curve for curve in shown if curve.kind == kind], kind)
    epochs = max(len(curve.values) for curve in curves)
    figure.update_xaxes(_axis(epochs)).update_yaxes(title=objective)
    within = space.count(TrialState.PRUNED) - sum(curve.kind == "pruned" for curve in curves)
    caption = f"{objective} after each epoch; a complete trial's value is its best epoch's."
    caption += f" {within:,} trials were pruned within their first epoch." if within else ""
    figures = [figure, *_of_winner(space)]
    return [Card(title, caption + thinning.note(len(shown), len(curves), "curves"), figures=figures)]


def _shown(curves: Sequence[Curve], maximize: bool) -> list[int]:
    """The winner's is the last."""
    ends = [_best(curve, maximize) for curve in curves[:-1]]
    return [*thinning.kept(ends, maximize, MOST), len(curves) - 1]


def _best(curve: Curve, maximize: bool) -> float:
    known = [value for value in curve.values if value is not None]
    worst = float("-inf") if maximize else float("inf")
    return (max if maximize else min)(known, default=worst)


def _axis(epochs: int) -> dict[str, Any]:
    """Ticks at whole epochs."""
    return {"title": "epoch", "dtick": max(1, round(epochs / 10)), "tick0": 1 if epochs <= 15 else 0}


def _draw(figure: go.Figure, curves: list[Curve], kind: str) -> None:
    """All curves of a kind as one trace with gaps: hundreds of traces would be slow."""
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
    """Training against validation, for each measure that the winner logged of both."""
    record = space.record(space.best) if space.best is not None else None
    figures = []
    for name in ("accuracy", "loss"):
        history = record.history if record is not None else {}
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
