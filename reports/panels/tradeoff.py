"""What accuracy costs in parameters and training time, compared with published results."""

from typing import NamedTuple

import plotly.graph_objects as go

from reports import colors
from reports.collect import StudyResults
from reports.panels import Card, plotly_text, verdict
from reports.statistics import Interval


class Anchor(NamedTuple):
    """A published result on MNIST's test set."""

    what: str
    accuracy: float
    parameters: int | None
    seconds: float | None
    """Training time, on the hardware named."""
    n: str
    """How many runs the accuracy comes from."""


ANCHORS = (
    Anchor("mnist-minimal-model, Keras separable CNN, 75 epochs", 0.9910, 1_936, None, "one run"),
    Anchor("keras.io simple convnet, 15 epochs, CPU", 0.9922, 34_826, 225, "one run"),
    Anchor("two convolutions, Keras (fashion-mnist README)", 0.993, 113_000, None, "10 runs"),
    Anchor("SimpleNet, slim (Hasanpour et al. 2016)", 0.9972, 310_000, None, "best of several"),
    Anchor("Keras example mnist_mlp, 20 epochs, GRID K520", 0.9840, 669_706, 40, "one run"),
    Anchor("Keras example mnist_cnn, 12 epochs, GRID K520", 0.9925, 1_199_882, 192, "one run"),
    Anchor("train_mnist_fast, 1 epoch, GTX 1660 Ti", 0.9904, None, 0.762, "30 runs"),
)


class Cost(NamedTuple):
    """A finalist's cost and its error."""

    finalist: str
    error: float
    """Mean share of test images misclassified."""
    low: float | None
    high: float | None
    """The interval of that share for new images; None for fewer than 3 seeds."""
    parameters: int
    seconds: float
    """Mean training time, on this study's hardware."""


def info(results: StudyResults) -> list[Cost]:
    """The finalists, the recommended one first."""
    return [
        Cost(row.finalist, 1 - row.accuracy, *_errors(row.new_images), row.parameters, row.seconds)
        for row in verdict.finalists(results)
    ]


def _errors(accuracy: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if accuracy is None else (1 - accuracy.high, 1 - accuracy.low)


def published(results: StudyResults) -> tuple[Anchor, ...]:
    """Results on the same test images; they are known only for MNIST."""
    return ANCHORS if results.definition.dataset == "mnist" else ()


def cards(results: StudyResults) -> list[Card]:
    """One card with two figures."""
    title, found = "What does accuracy cost?", info(results)
    if not found:
        return [Card(title, "It will be shown once the finals are done.")]
    anchors = published(results)
    figures = [_figure(found, anchors, "parameters"), _figure(found, anchors, "seconds")]
    caption = "Test error of the finalists (mean over seeds, with its interval for new images) against what they cost."
    if anchors:
        caption += " Crosses are published results, with times on the hardware named; single runs were often selected "
        caption += "by their test accuracy and are therefore optimistic."
    return [Card(title, caption, figures=figures, folded=True)]


def _figure(found: list[Cost], anchors: tuple[Anchor, ...], cost: str) -> go.Figure:
    figure = go.Figure()
    for index, each in enumerate(found):
        low, high = (each.error if bound is None else bound for bound in (each.low, each.high))
        figure.add_scatter(
            x=[getattr(each, cost)], y=[100 * each.error], name=plotly_text(each.finalist), mode="markers",
            marker={"color": colors.of(index), "symbol": colors.marker(index), "size": 11},
            error_y={"array": [100 * (high - each.error)], "arrayminus": [100 * (each.error - low)]},
            hovertemplate="%{fullData.name}: %{y:.2f} %<extra></extra>",
        )  # fmt: skip
    known = [each for each in anchors if getattr(each, cost) is not None]
    if known:
        figure.add_scatter(
            x=[getattr(each, cost) for each in known], y=[100 * (1 - each.accuracy) for each in known],
            name="published", mode="markers",
            marker={"symbol": "x-thin", "size": 9, "line": {"width": 2, "color": colors.COMPLETE}},
            text=[f"{each.what}, {each.n}" for each in known], hovertemplate="%{text}: %{y:.2f} %<extra></extra>",
        )  # fmt: skip
    perfect = any(bound is not None and bound <= 0 for each in found for bound in (each.error, each.low))
    title = {"parameters": "parameters", "seconds": "seconds to train"}[cost]
    figure.update_xaxes(title=title, type="log")
    return figure.update_yaxes(title="test error, %", type="linear" if perfect else "log")
