"""How the best value improved, over trials and over training time."""

from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from reports import colors, thinning
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card
from study.objective import Objective


class Point(NamedTuple):
    """A complete trial."""

    trial: int
    ended: int
    """Trials that had ended by then, including pruned and failed ones."""
    seconds: float
    """Training time until then, summed over trials and workers."""
    value: float
    best: float
    """The best value so far."""


def info(space: SpaceResults, objective: Objective) -> list[Point]:
    """The complete trials of a space, in the order in which they ended."""
    points: list[Point] = []
    seconds = 0.0
    best: float | None = None
    finished = [trial for trial in space.trials if trial.state.is_finished()]
    finished.sort(key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete, trial.number))
    for ended, trial in enumerate(finished, 1):
        record = space.record(trial)
        seconds += record.seconds if record is not None else 0.0
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            if best is None or objective.is_better(trial.value, than=best):
                best = trial.value
            points.append(Point(trial.number, ended, seconds, trial.value, best))
    return points


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """Two figures."""
    complete, pruned, failed = map(space.count, (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    counts = f"{complete:,} complete, {pruned:,} pruned and {failed:,} failed trials."
    title, objective = "How did the search go?", results.definition.objective
    points = info(space, objective)
    if not points:
        return [Card(title, f"It will be shown once a trial is complete. {counts}")]
    shown = [points[index] for index in thinning.kept([point.value for point in points], objective)]
    caption = f"{objective.name} of each complete trial and the best so far (line), over trials and training time. "
    caption += counts + thinning.note(len(shown), len(points), "complete trials")
    over_trials = _figure(shown, [point.ended for point in shown], "trials ended", objective.name)
    over_seconds = _figure(shown, [point.seconds for point in shown], "seconds of training", objective.name)
    return [Card(title, caption, figures=[over_trials, over_seconds])]


def _figure(points: list[Point], x: list[int] | list[float], title: str, objective: str) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=x, y=[point.value for point in points], mode="markers", name="complete",
        marker={"color": colors.COMPLETE, "size": 5}, customdata=[point.trial for point in points],
        hovertemplate="trial %{customdata}: %{y:.4f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=[point.best for point in points], mode="lines", name="best so far",
        line={"color": colors.BEST, "width": 2, "shape": "hv"}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title=title).update_yaxes(title=objective)
    return figure
