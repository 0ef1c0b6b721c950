"""The best configuration of a space, and how to have it."""

import json
import shlex
from typing import Any, NamedTuple

from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, number
from study.config import StudyConfig
from study.records import TUNED, Value, model_file


class Best(NamedTuple):
    """A space's winner."""

    space: str
    trial: int
    value: float
    best_epoch: int | None
    values: dict[str, Value]
    history: dict[str, list[float | None]]
    """What it logged after each epoch."""
    command: str
    """Trains it again on training + validation images."""


def info(results: StudyResults, space: SpaceResults) -> Best | None:
    """None before a trial is complete."""
    record = space.record(space.best) if space.best is not None else None
    if space.best is None or record is None or space.best.value is None:
        return None
    command = _command(results, space.name, record.values, record.best_epoch or 1)
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
    caption = f"Trial {found.trial}, {results.config.objective} {found.value:.4f} in epoch {found.best_epoch}. "
    if results.finals_of(space.name, TUNED):
        caption += f"Its best final is kept as {model_file(space.name)} in the study's folder. "
    caption += "This command trains it again on training + validation images:"
    rows = [(name, number(value)) for name, value in found.values.items()]
    return Card(title, caption, ("Hyperparameter", "Value"), rows, code=found.command)


def _command(results: StudyResults, space: str, values: dict[str, Value], epochs: int) -> str:
    config = results.config
    finals = results.finals_of(space, TUNED)
    seed = max(finals, key=lambda final: (final.accuracy, -final.seed_index)).seed if finals else config.seed
    words: dict[str, Any] = {
        "--space": space, "--dataset": config.dataset, "--values": json.dumps(values), "--epochs": epochs,
        "--seed": seed,
    }  # fmt: skip
    if config.split_seed != StudyConfig.split_seed:
        words["--split-seed"] = config.split_seed
    if config.precision != StudyConfig.precision:
        words["--precision"] = config.precision
    return shlex.join(["study", "train", *(str(word) for pair in words.items() for word in pair)])
