"""Trials as points of a figure: the complete ones, and faintly the others, by the epochs that they finished.

The numbers of the trials are a trace's `customdata`: by them the page says what a point is, and marks it.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from reports import colors
from reports.collect import Outcome
from reports.window import Window

STYLES = {
    "failed": {"color": colors.FAILED, "symbol": "x-thin-open", "size": 7},
    "pruned": {"color": colors.PRUNED, "symbol": "circle", "size": 6},
    "running": {"color": colors.RUNNING, "symbol": "circle-open", "size": 9},
    "complete": {"color": colors.COMPLETE, "symbol": "circle", "size": 7},
}
"""By state, the ones that matter most last, so that they are drawn on top."""
FAINTEST, FULLEST = 0.25, 0.8
"""Opacity of a trial without an epoch, and of one with as many as any, that did not complete."""


def draw(figure: go.Figure, outcomes: Sequence[Outcome], x: Sequence[object], window: Window) -> None:
    """Add the trials at `x` and their values."""
    most = max((each.epochs for each in outcomes), default=0) or 1
    edge = "triangle-down" if window.best >= window.edge else "triangle-up"
    for state, style in STYLES.items():
        chosen = [index for index, each in enumerate(outcomes) if each.state == state]
        if not chosen:
            continue
        found = [outcomes[index] for index in chosen]
        marker = dict(style)
        if not all(window.shows(each.value) for each in found) and state != "failed":
            marker["symbol"] = [style["symbol"] if window.shows(each.value) else edge for each in found]
        if state != "complete":
            shares = (min(each.epochs / most, 1) for each in found)
            marker["opacity"] = [round(FAINTEST + (FULLEST - FAINTEST) * share, 2) for share in shares]
        figure.add_scatter(
            x=[x[index] for index in chosen], y=[window.place(each.value) for each in found], mode="markers",
            name=state, marker=marker, customdata=[each.trial for each in found],
            hovertemplate="trial %{customdata}<extra></extra>",
        )  # fmt: skip
    window.note(figure)
