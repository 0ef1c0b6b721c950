"""The part of the objective that a figure shows: one bad trial must not squeeze the good ones into a line."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import plotly.graph_objects as go

from reports.collect import Outcome
from study.objective import Objective

SQUEEZED = 2
"""Everything is shown where that takes at most so many times the room of the better half."""
GUTTER, MARGIN = 0.08, 0.05
"""Shares of the room: to where trials beyond the edge are drawn, and beyond what is drawn."""


class Window(NamedTuple):
    """From the best value to the edge; trials that are worse, or have no value, are drawn beyond the edge."""

    best: float
    edge: float
    beyond: int
    """Trials that are not where their value is."""

    def shows(self, value: float | None) -> bool:
        """Whether a trial with that value is drawn where it belongs."""
        return value is not None and min(self.best, self.edge) <= value <= max(self.best, self.edge)

    def place(self, value: float | None) -> float:
        """Where it is drawn."""
        return value if value is not None and self.shows(value) else self.edge - GUTTER * self._room

    def clipped(self, value: float | None) -> float:
        """The value, or the edge for one that is beyond it."""
        return value if value is not None and self.shows(value) else self.edge

    def axis(self, title: str) -> dict[str, object]:
        """The objective's axis."""
        low = self.edge - (GUTTER * bool(self.beyond) + MARGIN) * self._room
        return {"title": title, "range": sorted([low, self.best + MARGIN * self._room])}

    def note(self, figure: go.Figure) -> None:
        """Say in a figure how many trials are beyond the edge."""
        if self.beyond:
            upwards = self.best < self.edge
            figure.add_annotation(
                text=f"{self.beyond:,} beyond", x=1, y=1 if upwards else 0, xref="paper", yref="paper", showarrow=False,
                xanchor="right", yanchor="top" if upwards else "bottom", font={"size": 11},
            )  # fmt: skip

    @property
    def _room(self) -> float:
        """From the edge to the best, negative where smaller values are better; never 0."""
        return (self.best - self.edge) or 0.01


def of(outcomes: Sequence[Outcome], objective: Objective) -> Window | None:
    """That of the better half of the trials, or of all that have a value where these fit; None where none has one."""
    ranked = sorted(
        (each.value for each in outcomes if each.value is not None and isfinite(each.value)), key=objective.rank
    )
    if not ranked:
        return None
    best, middle, worst = ranked[0], ranked[(len(ranked) - 1) // 2], ranked[-1]
    fits = middle == best or abs(worst - best) <= SQUEEZED * abs(middle - best)
    found = Window(best, worst if fits else middle, 0)
    return found._replace(beyond=sum(not found.shows(each.value) for each in outcomes))
