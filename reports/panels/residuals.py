"""How far the predictions of a tuner's finalists lie from their targets, where they are one number each."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports import colors
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, number, plotly_text
from study.records import BASELINE, PREDICTED, TUNED, EvaluationRecord
from study.storage.predictions import read_arrays

MOST_DRAWN = 2000
"""Examples that a figure shows: evenly spaced ones of more."""
BINS = 30
ROUNDING = 1e-6
"""Residuals that differ by a smaller share are equal: models compute in float32."""


class Residuals(NamedTuple):
    """Predictions minus targets of a finalist's first seed; no seed is better than another."""

    finalist: str
    examples: int
    mean: float
    """In units of the target, like the rest."""
    mean_absolute: float
    root_mean_square: float
    quartiles: tuple[float, float, float]


def info(results: StudyResults, space: SpaceResults) -> list[Residuals]:
    """The winner's, then the baseline's; none where they predict something else, or it was not kept."""
    return [_measured(name, arrays) for name, arrays in _kept(results, space).items()]


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """Residuals against predictions, and their distribution."""
    title, kept = f"{space.name}: how far are predictions off?", _kept(results, space)
    if not kept:
        why = next((final.missing[PREDICTED] for final in results.evaluations if PREDICTED in final.missing), None)
        lost = any(final.predictions is not None for final in results.evaluations)
        if why is None and not lost:
            return []
        return [Card(title, f"Nothing can be shown: predictions are missing ({why or 'their file is gone'}).")]
    columns = ("Finalist", "Examples", "Mean", "Mean absolute", "Root mean square", "Quartiles")
    rows = [
        (
            each.finalist, number(each.examples), number(each.mean), number(each.mean_absolute),
            number(each.root_mean_square), ", ".join(map(number, each.quartiles)),
        )
        for each in info(results, space)
    ]  # fmt: skip
    caption = "Residuals are predictions minus targets of the test data, for the first seed of each finalist."
    most = max(len(targets) for targets, _ in kept.values())
    if most > MOST_DRAWN:
        caption += f" The first figure shows {MOST_DRAWN:,} of {most:,} examples; numbers cover all."
    return [Card(title, caption, columns, rows, figures=[_against(kept), _distribution(kept)])]


Kept = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Targets and predictions by finalist."""


def _kept(results: StudyResults, space: SpaceResults) -> Kept:
    found: Kept = {}
    for role in (TUNED, BASELINE):
        for final in results.evaluations_of(space.name, role)[:1]:
            if (arrays := _read(results, final)) is not None:
                found.setdefault(f"{space.name} {final.role}", arrays)
    return found


def _read(results: StudyResults, final: EvaluationRecord) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    arrays = {} if final.predictions is None else read_arrays(results.folder / final.predictions) or {}
    if not arrays.keys() >= {"targets", "predictions"}:
        return None
    targets, predictions = arrays["targets"], arrays["predictions"]
    known = np.isfinite(targets) & np.isfinite(predictions)
    return (targets[known], predictions[known]) if known.any() else None


def _measured(finalist: str, arrays: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Residuals:
    targets, predictions = arrays
    residuals = predictions - targets
    low, middle, high = np.quantile(residuals, (0.25, 0.5, 0.75)).tolist()
    return Residuals(
        finalist, len(residuals), float(residuals.mean()), float(np.abs(residuals).mean()),
        float(np.sqrt(np.square(residuals).mean())), (low, middle, high),
    )  # fmt: skip


def _against(kept: Kept) -> go.Figure:
    figure = go.Figure()
    for index, (name, (targets, predictions)) in enumerate(kept.items()):
        shown = np.linspace(0, len(targets) - 1, min(len(targets), MOST_DRAWN)).astype(int)
        figure.add_scatter(
            x=predictions[shown].tolist(), y=(predictions - targets)[shown].tolist(), name=plotly_text(name),
            mode="markers", opacity=0.6,
            marker={"color": colors.of(index), "symbol": colors.marker(index), "size": 5},
            hovertemplate="%{fullData.name}: predicted %{x}, off by %{y}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=0, line={"dash": "dot", "color": colors.COMPLETE})
    return figure.update_xaxes(title="prediction").update_yaxes(title="residual")


def _distribution(kept: Kept) -> go.Figure:
    """Counts in bins that the finalists share."""
    residuals = {name: predictions - targets for name, (targets, predictions) in kept.items()}
    every = np.concatenate(list(residuals.values()))
    low, high = float(every.min()), float(every.max())
    room = 0.0 if high - low > ROUNDING * max(abs(low), abs(high)) else max(abs(high), 1.0) / 2
    edges = np.linspace(low - room, high + room, BINS + 1)
    figure = go.Figure()
    for index, (name, values) in enumerate(residuals.items()):
        counts, _ = np.histogram(values, edges)
        figure.add_bar(
            x=((edges[:-1] + edges[1:]) / 2).tolist(), y=counts.tolist(), name=plotly_text(name), opacity=0.6,
            marker={"color": colors.of(index)}, hovertemplate="%{fullData.name}: %{y} near %{x}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="overlay", bargap=0)
    return figure.update_xaxes(title="residual").update_yaxes(title="examples")
