"""Which classes a winner confuses on the test set."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from reports import colors
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, plotly_text

MOST_PRINTED = 20
"""Classes up to which the numbers of a matrix are printed."""
MOST_DRAWN = 50
"""Classes up to which the matrix is drawn; of more, the most frequent confusions are listed instead."""
WORST = 15


class Confusion(NamedTuple):
    """Test images of a finalist by true class (row) and predicted class (column), summed over its seeds."""

    finalist: str
    seeds: int
    classes: list[str]
    counts: list[list[int]]

    @property
    def recalls(self) -> list[float | None]:
        """Share of each true class that is classified correctly; None for a class without test images."""
        return [row[label] / sum(row) if sum(row) else None for label, row in enumerate(self.counts)]

    @property
    def worst(self) -> list[tuple[int, int, int]]:
        """Images, true and predicted class of the most frequent confusions."""
        cells = [
            (count, true, predicted)
            for true, row in enumerate(self.counts)
            for predicted, count in enumerate(row)
            if count and true != predicted
        ]
        return sorted(cells, key=lambda cell: (-cell[0], *cell[1:]))[:WORST]


def info(results: StudyResults, space: SpaceResults) -> Confusion | None:
    """That of a space's winner; None where it was not tested."""
    finals = results.finals_of_winner(space.name)
    if not finals:
        return None
    counts = np.sum([final.confusion for final in finals], axis=0)
    classes = [results.class_name(label) for label in range(counts.shape[1])]
    return Confusion(f"{space.name} {results.winner_of(space.name)}", len(finals), classes, counts.tolist())


def of_evaluations(results: StudyResults, space: SpaceResults) -> Confusion | None:
    """That of a tuner's winner; None where it was not tested, or does not classify examples that are arrays."""
    role = results.winner_of(space.name)
    finals = [] if role is None else results.evaluations_of(space.name, role)
    found = [final.confusion for final in finals if final.confusion is not None]
    if not found or len(found) < len(finals):
        return None
    counts = np.sum(found, axis=0)
    return Confusion(f"{space.name} {role}", len(finals), list(map(str, range(len(counts)))), counts.tolist())


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """The matrix, and the errors of each class."""
    found = of_evaluations(results, space) if results.is_of_tuner else info(results, space)
    if found is None and results.is_of_tuner:
        return []
    if found is None:
        return [Card(f"{space.name}: which classes are confused?", "There will be a matrix once the finals are done.")]
    return [_card(found)]


def _card(confusion: Confusion) -> Card:
    recalls = {label: recall for label, recall in enumerate(confusion.recalls) if recall is not None}
    hardest = min(recalls, key=lambda label: recalls[label])
    errors = sum(map(sum, confusion.counts)) - sum(row[label] for label, row in enumerate(confusion.counts))
    pairs = "; ".join(
        f"{confusion.classes[true]} mistaken for {confusion.classes[predicted]} ({count:,} times)"
        for count, true, predicted in confusion.worst[:3]
    )
    caption = (
        f"Test examples by true and predicted class, summed over {confusion.seeds} seeds; coloured by errors. Hardest "
        f"class: {confusion.classes[hardest]}, {100 * recalls[hardest]:.1f} % classified correctly."
    )
    caption += f" Most frequent confusions: {pairs}." if errors else ""
    title = f"{confusion.finalist}: which classes are confused?"
    if len(confusion.classes) > MOST_DRAWN:
        columns = ("True class", "Predicted class", "Times")
        names = confusion.classes
        rows = [(names[true], names[predicted], str(count)) for count, true, predicted in confusion.worst]
        return Card(title, caption, columns, rows, figures=[_errors(confusion)], wide=True)
    return Card(title, caption, figures=[_matrix(confusion), _errors(confusion)])


def _matrix(confusion: Confusion) -> go.Figure:
    counts = np.asarray(confusion.counts)
    errors = np.where(np.equal.outer(*map(np.arange, counts.shape)), 0, counts)
    labels = [plotly_text(name) for name in confusion.classes]
    figure = go.Figure()
    figure.add_heatmap(
        z=errors.tolist(), x=labels, y=labels[: counts.shape[0]], text=counts.tolist(), colorscale="Blues",
        texttemplate="%{text}" if len(labels) <= MOST_PRINTED else "", colorbar={"title": "errors"},
        hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="predicted", type="category")
    return figure.update_yaxes(title="true", type="category", autorange="reversed", automargin=True)


def _errors(confusion: Confusion) -> go.Figure:
    shares = [None if recall is None else 100 * (1 - recall) for recall in confusion.recalls]
    labels = [plotly_text(name) for name in confusion.classes[: len(shares)]]
    figure = go.Figure()
    figure.add_bar(x=labels, y=shares, marker={"color": colors.PRUNED}, hovertemplate="%{x}: %{y:.2f} %<extra></extra>")
    return figure.update_xaxes(title="true class", type="category").update_yaxes(title="misclassified, %")
