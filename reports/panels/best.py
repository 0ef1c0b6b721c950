"""The winner of a space beside its baseline, and how to get it."""

from typing import NamedTuple

from reports import commands, parameters
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, number
from reports.parameters import Parameter
from study.paths import model_file
from study.records import BASELINE, BASELINE_NUMBER, MODEL, History, Value


class Best(NamedTuple):
    """A space's winner."""

    space: str
    trial: int
    value: float
    """The objective: the mean of its confirmation runs or, without them, its trial's."""
    is_confirmed: bool
    """Whether it has confirmation runs."""
    best_epoch: int | None
    values: dict[str, Value]
    baseline: dict[str, Value]
    """The values of the space's defaults; empty where their trial was not begun."""
    searched: dict[str, str]
    """What each value was searched in, in words, as far as it is known."""
    epochs: list[int | None]
    """Those that the finals of the baseline and of the winner trained; None where they were not tested."""
    history: History
    """What it logged after each epoch."""
    command: str | None
    """Trains it again on training + validation images; None where only Python can."""


def info(results: StudyResults, space: SpaceResults) -> Best | None:
    """None before a trial is complete."""
    winner = results.selection.winners.get(space.name)
    if winner is None:
        return None
    record = winner.record
    finals = results.finals_of_winner(space.name)
    seed = finals[0].seed if finals else results.definition.seed
    asked = (finals[0].fit_epochs, finals[0].epochs) if finals else (results.definition.epochs, winner.best_epoch)
    command = commands.train(results.definition, space.name, record.values, *asked, seed)
    baseline = space.records.get(BASELINE_NUMBER)
    tested = (results.finals_of(space.name, BASELINE), finals)
    return Best(
        space=space.name,
        trial=winner.number,
        value=winner.score,
        is_confirmed=bool(winner.scores),
        best_epoch=winner.best_epoch,
        values=record.values,
        baseline=baseline.values if baseline is not None else {},
        searched={each.name: _searched(each) for each in parameters.of(space)},
        epochs=[found[0].epochs if found else None for found in tested],
        history=record.history,
        command=command,
    )


def cards(results: StudyResults) -> list[Card]:
    """A card for each space."""
    return [_card(results, space) for space in results.spaces]


def _card(results: StudyResults, space: SpaceResults) -> Card:
    title, found = f"{space.name}: the winner and the baseline", info(results, space)
    if found is None:
        return Card(title, "There will be one once a trial is complete.")
    objective = results.definition.objective.name
    measured = f"{objective} {found.value:.4f}{' on average over its confirmation runs' if found.is_confirmed else ''}"
    best_epoch = "" if found.best_epoch is None else f", best after {found.best_epoch} epochs"
    caption = f"Trial {found.trial}, {measured}{best_epoch}. "
    if results.winner_of(space.name) == BASELINE:
        caption += "It is the baseline: tuning found nothing better. "
    if finals := results.finals_of_winner(space.name):
        file, why = model_file(space.name, found.trial), finals[0].missing.get(MODEL)
        if why is None:
            caption += f"The model of its first seed is kept as {file} in the study's folder. "
        else:
            caption += f"The model of its first seed could not be kept: {why}. "
    if found.command is None:
        caption += "Its space or data were given as Python objects, so no command trains it again."
    else:
        caption += "This command trains it again on training + validation images:"
    columns = ("Hyperparameter", "Searched", "Baseline", "Winner")
    rows = [
        (name, found.searched.get(name, "–"), number(found.baseline.get(name)), number(found.values.get(name)))
        for name in {**found.baseline, **found.values}
    ]
    rows.append(("epochs of its finals", "–", number(found.epochs[0]), number(found.epochs[1])))
    return Card(title, caption, columns, rows, code=found.command or "")


def _searched(parameter: Parameter) -> str:
    """What a hyperparameter was searched in."""
    if parameter.low is None or parameter.high is None:
        return ", ".join(map(number, parameter.choices))
    return f"{number(parameter.low)} to {number(parameter.high)}{', log' if parameter.log else ''}"
