"""Every trial."""

from typing import NamedTuple

from optuna.trial import FrozenTrial

from reports import commands
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, Cell
from study.objective import Objective
from study.records import TrialRecord, Value, finite
from study.storage import results as stored
from study.storage.selection import ranked

MOST_COMMANDS = 1_000
"""Trials that can be trained again from the page."""


class TrialRow(NamedTuple):
    """A trial."""

    number: int
    state: str
    value: float | None
    """The objective at its best epoch so far."""
    epochs: int | None
    best_epoch: int | None
    parameters: int | None
    multiply_adds: int | None
    """For one image."""
    seconds: float | None
    values: dict[str, Value]
    error: str | None
    """Why it failed or was excluded."""


def info(space: SpaceResults) -> list[TrialRow]:
    """The trials of a space by number."""
    return [_row(trial, space.record(trial), space.objective) for trial in space.trials]


def train_commands(results: StudyResults, space: SpaceResults) -> dict[int, str]:
    """What trains a trial again, by its number; of many trials, that of the best."""
    definition, found = results.definition, {}
    best_first = [trial.number for trial in ranked(space.trials, definition.objective)]
    numbers = best_first if len(space.trials) > MOST_COMMANDS else list(space.records)
    for number in numbers[:MOST_COMMANDS]:
        record = space.records[number]
        command = commands.train(
            definition, space.name, record.values, definition.epochs, record.best_epoch, record.seed
        )
        if command is not None:
            found[number] = command
    return found


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """A table."""
    return [_card(space, results.definition.objective.name, train_commands(results, space))]


def _row(trial: FrozenTrial, record: TrialRecord | None, objective: Objective) -> TrialRow:
    state, value = stored.state(trial), stored.reached(trial, objective)
    if record is None:
        return TrialRow(trial.number, state, value, None, None, None, None, None, dict(trial.params), None)
    return TrialRow(
        trial.number, state, value, record.epochs, record.best_epoch, record.parameters, record.multiply_adds,
        record.seconds, record.values, record.error or record.exceeds or None,
    )  # fmt: skip


def _card(space: SpaceResults, objective: str, again: dict[int, str]) -> Card:
    title, rows = f"{space.name}: every trial", info(space)
    if not rows:
        return Card(title, "There are none yet.")
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    sizes = ("Parameters", "Multiply-adds")
    columns = ("Trial", "State", objective, "Epochs", "Best epoch", *sizes, "Seconds", *names, "Error")
    best = space.best.number if space.best is not None else None
    caption = f"All {len(rows):,} trials" + ("" if best is None else f"; the best is trial {best}") + "."
    caption += " Choose one to see it whole and marked in the figures, or two to compare them. A column of numbers is "
    caption += "filtered by a number, or by < or > and a bound."
    cells = [_cells(row, names) for row in rows]
    return Card(title, caption, columns, cells, browsed=True, row_commands=[again.get(row.number) for row in rows])


def _cells(row: TrialRow, names: list[str]) -> tuple[Cell, ...]:
    fixed = (row.number, row.state, _cell(row.value), row.epochs, row.best_epoch)
    costs = (row.parameters, row.multiply_adds, row.seconds)
    return *fixed, *costs, *(_cell(row.values.get(name)) for name in names), row.error


def _cell(value: Value | None) -> Cell:
    """Unrounded: the page rounds what it shows, not what it sorts and saves."""
    if isinstance(value, bool):
        return str(value)
    return finite(value) if isinstance(value, float) else value
