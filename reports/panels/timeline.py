"""Which worker trained which trial, and when."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from reports import colors
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card
from study.storage import results as stored

MOST = 500
"""Bars; with more trials, the last ones are shown."""
STATES = {"complete": (colors.BEST, ""), "pruned": (colors.PRUNED, "/"), "failed": (colors.FAILED, "x"),
          "running": (colors.RUNNING, "."), "excluded": (colors.COMPLETE, "-")}  # fmt: skip
"""The colour and pattern of each state."""


class Bar(NamedTuple):
    """A trial on its worker."""

    trial: int
    worker: str
    state: str
    began: float
    """Seconds since the first trial of the space started."""
    seconds: float


def info(space: SpaceResults) -> list[Bar]:
    """The trials that have started; the bar of a running one ends with the last event that is known of any trial."""
    begun = [(trial, trial.datetime_start) for trial in space.trials if trial.datetime_start]
    if not begun:
        return []
    first, last = min(start for _, start in begun), max(_moments(space.trials))
    bars = []
    for trial, start in begun:
        record = space.record(trial)
        worker = record.worker if record is not None else "?"
        seconds = ((trial.datetime_complete or last) - start).total_seconds()
        bars.append(Bar(trial.number, worker, stored.state(trial), (start - first).total_seconds(), seconds))
    return bars


def _moments(trials: Iterable[FrozenTrial]) -> Iterator[datetime]:
    return (moment for trial in trials for moment in (trial.datetime_start, trial.datetime_complete) if moment)


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """One bar per trial."""
    title, bars = "Which worker trained what, and when?", info(space)
    if not bars:
        return [Card(title, "There will be bars once a trial has begun.")]
    shown = bars[-MOST:]
    names = {worker: f"worker {index}" for index, worker in enumerate(dict.fromkeys(bar.worker for bar in bars), 1)}
    figure = go.Figure()
    for state, (color, pattern) in STATES.items():
        chosen = [bar for bar in shown if bar.state == state]
        if chosen:
            figure.add_bar(
                y=[names[bar.worker] for bar in chosen], x=[bar.seconds for bar in chosen],
                base=[bar.began for bar in chosen], orientation="h", name=state,
                marker={"color": color, "pattern": {"shape": pattern}},
                customdata=[bar.trial for bar in chosen],
                hovertemplate="trial %{customdata}, from %{base:.1f} s for %{x:.1f} s<extra></extra>",
            )  # fmt: skip
    figure.update_layout(barmode="overlay").update_xaxes(title="seconds since the first trial started")
    caption = "Each bar is a trial, on the process that ended it and from its start: the bar of a resumed trial covers "
    caption += "the pause. Gaps are pauses, or time spent waiting for other workers."
    caption += f" Shown are the last {len(shown):,} of {len(bars):,} trials." if len(shown) < len(bars) else ""
    return [Card(title, caption, figures=[figure], wide=True, folded=True)]
