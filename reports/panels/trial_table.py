"""Every trial."""

from typing import NamedTuple

from optuna.trial import FrozenTrial

from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, Cell
from study.records import TrialRecord, Value, finite


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
    title, rows = f"{space.name}: every trial", info(space)
    if not rows:
        return Card(title, "There is none yet.")
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    columns = ("Trial", "State", objective, "Epochs", "Best epoch", "Parameters", "Seconds", *names, "Error")
    best = space.best.number if space.best is not None else None
    caption = f"All {len(rows):,} trials" + ("" if best is None else f"; the best is trial {best}") + "."
    return Card(title, caption, columns, [_cells(row, names) for row in rows], browsed=True)


def _cells(row: TrialRow, names: list[str]) -> tuple[Cell, ...]:
    return (
        row.number,
        row.state,
        _cell(row.value),
        row.epochs,
        row.best_epoch,
        row.parameters,
        row.seconds,
        *(_cell(row.values.get(name)) for name in names),
        row.error,
    )


def _cell(value: Value | None) -> Cell:
    """In full: the page rounds what it shows, not what it sorts and saves."""
    if isinstance(value, bool):
        return str(value)
    return finite(value) if isinstance(value, float) else value
