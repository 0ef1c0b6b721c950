"""The best configuration of a space, and how to get it."""

from typing import NamedTuple

from reports import commands
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, number
from study.paths import model_file
from study.records import TUNED, History, Value


class Best(NamedTuple):
    """A space's winner."""

    space: str
    trial: int
    value: float
    best_epoch: int | None
    values: dict[str, Value]
    history: History
    """What it logged after each epoch."""
    command: str | None
    """Trains it again on training + validation images; None where only Python can."""


def info(results: StudyResults, space: SpaceResults) -> Best | None:
    """None before a trial is complete."""
    record = space.record(space.best) if space.best is not None else None
    if space.best is None or record is None or space.best.value is None:
        return None
    finals = results.finals_of(space.name, TUNED)
    best = max(finals, key=lambda final: (final.accuracy, -final.seed_index), default=None)
    seed = best.seed if best is not None else results.definition.seed
    command = commands.train(results.definition, space.name, record.values, record.best_epoch or 1, seed)
    return Best(
        space.name, space.best.number, space.best.value, record.best_epoch, record.values, record.history, command
    )  # fmt: skip


def cards(results: StudyResults) -> list[Card]:
    """A card for each space."""
    return [_card(results, space) for space in results.spaces]


def _card(results: StudyResults, space: SpaceResults) -> Card:
    title, found = f"{space.name}: the best configuration", info(results, space)
    if found is None:
        return Card(title, "There will be one once a trial is complete.")
    objective = results.definition.objective.name
    caption = f"Trial {found.trial}, {objective} {found.value:.4f} in epoch {found.best_epoch}. "
    if results.finals_of(space.name, TUNED):
        caption += f"Its best final is kept as {model_file(space.name)} in the study's folder. "
    if found.command is None:
        caption += "Its space or data were given as Python objects, so no command trains it again."
    else:
        caption += "This command trains it again on training + validation images:"
    rows = [(name, number(value)) for name, value in found.values.items()]
    return Card(title, caption, ("Hyperparameter", "Value"), rows, code=found.command or "")
