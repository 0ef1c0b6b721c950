"""Which classes a tuned winner confuses on the test set."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports.collect import StudyResults
from reports.panels import Card
from study.records import TUNED


class Confusion(NamedTuple):
    """Test images of a finalist by true class (row) and predicted class (column), summed over its seeds."""

    finalist: str
    seeds: int
    counts: list[list[int]]

    @property
    def recalls(self) -> list[float | None]:
        """Share of each true class that is classified correctly; None for a class without test images."""
        return [row[label] / sum(row) if sum(row) else None for label, row in enumerate(self.counts)]


def info(results: StudyResults) -> list[Confusion]:
    """The tuned winner of each space that was tested."""
    found = []
    for space in results.spaces:
        finals = results.finals_of(space.name, TUNED)
        if finals:
            counts = np.sum([final.confusion for final in finals], axis=0)
            found.append(Confusion(f"{space.name} tuned", len(finals), counts.tolist()))
    return found


def cards(results: StudyResults) -> list[Card]:
    """A figure for each winner."""
    found = info(results)
    if not found:
        return [Card("Confusion matrix", "There will be one once the finals are done.")]
    return [_card(confusion) for confusion in found]


def _card(confusion: Confusion) -> Card:
    counts = np.asarray(confusion.counts)
    errors = np.where(np.equal.outer(*map(np.arange, counts.shape)), 0, counts)
    labels = [str(label) for label in range(counts.shape[1])]
    figure = go.Figure(
        go.Heatmap(
            z=errors,
            x=labels,
            y=labels[: counts.shape[0]],
            text=counts,
            texttemplate="%{text}" if len(labels) <= 20 else "",
            colorscale="Blues",
            hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
            colorbar={"title": "errors"},
        )
    )
    figure.update_xaxes(title="predicted", type="category")
    figure.update_yaxes(title="true", type="category", autorange="reversed")
    recalls = {label: recall for label, recall in enumerate(confusion.recalls) if recall is not None}
    worst = min(recalls, key=lambda label: recalls[label])
    return Card(
        f"{confusion.finalist}: confusion matrix",
        f"Test images by true and predicted class, summed over {confusion.seeds} seeds; coloured by errors. Hardest "
        f"class: {worst}, {100 * recalls[worst]:.1f} % recognised.",
        figure=figure,
    )
