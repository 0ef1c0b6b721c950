"""How the trials learned, epoch by epoch."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from reports import colors, thinning, window
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, listed
from study.objective import Objective
from study.storage import results as stored

MOST = 300
"""Curves in a figure."""
STYLES = {
    "complete": {"color": colors.COMPLETE, "width": 1.0, "dash": "solid"},
    "pruned": {"color": colors.PRUNED, "width": 1.0, "dash": "dot"},
    "running": {"color": colors.RUNNING, "width": 2.0, "dash": "dash"},
    "best": {"color": colors.BEST, "width": 3.0, "dash": "solid"},
}

MOST_BUDGETS = 6
"""Epochs after which trials were pruned that are marked."""


class Curve(NamedTuple):
    """The objective of a trial after each epoch."""

    trial: int
    kind: str
    """`best`, `complete`, `pruned` or `running`."""
    values: list[float | None]


def info(space: SpaceResults, objective: Objective) -> list[Curve]:
    """One curve per trial that finished an epoch and did not fail; the best one last, so that it is drawn on top."""
    curves = []
    for trial in space.trials:
        record, state = space.record(trial), stored.state(trial)
        if record is None or state not in STYLES:
            continue
        values = record.history.get(objective.name, [])
        if state == "running":
            values = [trial.intermediate_values.get(epoch) for epoch in range(1, 1 + _last(trial))]
        if not values:  # pruned within its first epoch
            continue
        best = space.best is not None and trial.number == space.best.number
        curves.append(Curve(trial.number, "best" if best else state, values))
    return sorted(curves, key=lambda curve: (curve.kind == "best", curve.trial))


def budgets(space: SpaceResults) -> dict[int, int]:
    """How many trials were pruned after how many epochs; 0 for within the first one."""
    epochs = [each.epochs for each in space.outcomes if each.state == "pruned"]
    return {epoch: epochs.count(epoch) for epoch in sorted(set(epochs))}


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
    shown_range = window.of(space.outcomes, objective)
    axis = {"title": objective.name} if shown_range is None else shown_range.axis(objective.name)
    figure.update_xaxes(_axis(epochs)).update_yaxes(axis)
    found = budgets(space)
    for epoch in list(found)[:MOST_BUDGETS]:
        figure.add_vline(x=epoch, line={"dash": "dot", "color": colors.COMPLETE, "width": 1})
    within = found.pop(0, 0)
    caption = (
        f"{objective.name} after each epoch; the axis begins where the better half of the trials ended. The value of a "
    )
    caption += "complete trial is that of its best epoch."
    after = [f"{count:,} after epoch {epoch:,}" for epoch, count in found.items()]
    pruned = [*([f"{within:,} within their first epoch"] if within else []), *after[:MOST_BUDGETS]]
    pruned += ["others later"] if len(after) > MOST_BUDGETS else []
    caption += f" Of {len(space.outcomes):,} trials were pruned (dotted): {listed(pruned)}." if pruned else ""
    figures = [figure, *_of_winner(space)]
    return [Card(title, caption + thinning.note(len(shown), len(curves), "curves"), figures=figures)]


def _shown(curves: Sequence[Curve], objective: Objective) -> list[int]:
    """Indices; the last curve, which is the winner's, is always among them."""
    worst = objective.rank(math.inf)
    bests = [objective.best(value for value in curve.values if value is not None) for curve in curves[:-1]]
    return [*thinning.kept([worst if best is None else best for best in bests], objective, MOST), len(curves) - 1]


def _last(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values, default=0)


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
