"""Which worker trained what, when."""

from datetime import datetime
from typing import NamedTuple

import plotly.graph_objects as go

from reports import colors
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card

MOST = 500
"""Bars; the last trials."""
STATES = {"complete": colors.BEST, "pruned": colors.PRUNED, "fail": colors.FAILED, "running": colors.COMPLETE}


class Bar(NamedTuple):
    """A trial on its worker."""

    trial: int
    worker: str
    state: str
    began: float
    """Seconds since the first trial of the space began."""
    seconds: float


def info(space: SpaceResults) -> list[Bar]:
    """The trials that have begun and ended."""
    begun = [trial for trial in space.trials if trial.datetime_start and trial.datetime_complete]
    if not begun:
        return []
    first = min(_seconds(trial.datetime_start) for trial in begun)
    bars = []
    for trial in begun:
        record = space.record(trial)
        start, end = _seconds(trial.datetime_start), _seconds(trial.datetime_complete)
        worker = record.worker if record is not None else "?"
        bars.append(Bar(trial.number, worker, trial.state.name.lower(), start - first, end - start))
    return bars


def _seconds(moment: datetime | None) -> float:
    assert moment is not None
    return moment.timestamp()


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """A bar a trial."""
    title, bars = "Who trained what, when?", info(space)
    if not bars:
        return [Card(title, "There will be bars once a trial has ended.")]
    shown = bars[-MOST:]
    names = {worker: f"worker {index}" for index, worker in enumerate(dict.fromkeys(bar.worker for bar in bars), 1)}
    figure = go.Figure()
    for state, color in STATES.items():
        chosen = [bar for bar in shown if bar.state == state]
        if chosen:
            figure.add_bar(
                y=[names[bar.worker] for bar in chosen], x=[bar.seconds for bar in chosen],
                base=[bar.began for bar in chosen], orientation="h", name=state, marker={"color": color},
                customdata=[bar.trial for bar in chosen],
                hovertemplate="trial %{customdata}, from %{base:.1f} s for %{x:.1f} s<extra></extra>",
            )  # fmt: skip
    figure.update_layout(barmode="overlay").update_xaxes(title="seconds since the first trial began")
    caption = "A bar is a trial on the process that ended it; gaps are pauses, or a wait for others."
    caption += f" Shown are the last {len(shown):,} of {len(bars):,} trials." if len(shown) < len(bars) else ""
    return [Card(title, caption, figures=[figure], wide=True)]
