"""Every trial."""

from typing import NamedTuple

from optuna.trial import FrozenTrial

from reports.collect import SpaceResults, StudyResults
from reports.panels import Card
from study.records import TrialRecord, Value


class TrialRow(NamedTuple):
    """A trial."""

    number: int
    state: str
    value: float | None
    epochs: int | None
    best_epoch: int | None
    parameters: int | None
    seconds: float | None
    values: dict[str, Value]
    error: str | None


def info(space: SpaceResults) -> list[TrialRow]:
    """The trials of a space by number."""
    return [_row(trial, space.record(trial)) for trial in space.trials]


def cards(results: StudyResults) -> list[Card]:
    """A table for each space."""
    return [_card(space, results.config.objective) for space in results.spaces]


def _row(trial: FrozenTrial, record: TrialRecord | None) -> TrialRow:
    return TrialRow(
        number=trial.number,
        state=trial.state.name.lower(),
        value=trial.value,
        epochs=record.epochs if record else None,
        best_epoch=record.best_epoch if record else None,
        parameters=record.parameters if record else None,
        seconds=record.seconds if record else None,
        values=record.values if record else dict(trial.params),
        error=record.error if record else None,
    )


def _card(space: SpaceResults, objective: str) -> Card:
    rows = info(space)
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    columns = ("Trial", "State", objective, "Epochs", "Best epoch", "Parameters", "Seconds", *names, "Error")
    best = space.best.number if space.best is not None else None
    return Card(
        f"{space.name}: trials",
        f"All {len(rows)} trials" + ("" if best is None else f"; the best is trial {best}") + ".",
        columns,
        [_cells(row, names) for row in rows],
    )


def _cells(row: TrialRow, names: list[str]) -> tuple[str, ...]:
    return (
        str(row.number),
        row.state,
        "" if row.value is None else f"{row.value:.4f}",
        "" if row.epochs is None else str(row.epochs),
        "" if row.best_epoch is None else str(row.best_epoch),
        "" if row.parameters is None else f"{row.parameters:,}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
        *(_setting(row.values.get(name)) for name in names),
        row.error or "",
    )


def _setting(value: Value | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
