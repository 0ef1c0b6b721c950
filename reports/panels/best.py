"""The winner of a space beside its baseline, how to load its model, and how to train it again."""

from typing import NamedTuple

from reports import commands, parameters
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, Command, counted, dataset, number
from study.config import PIXELS
from study.paths import model_file
from study.records import BASELINE, BASELINE_NUMBER, MODEL, History, Value
from study.system.files import exists, is_local

LOAD = """import keras
model = keras.models.load_model({file!r})"""
FROM_STORE = """import keras, study
model = study.load({name!r}, home={home!r}, storage={storage!r}).best_model({space})"""
PICTURE = """
image = keras.utils.load_img("photo.png", color_mode="{mode}", target_size={size}, interpolation="bilinear")
images = keras.utils.img_to_array(image)[None]{scale}"""
"""What makes images of a file as the study does."""
PREDICT = """
# images: float32 (n, {shape}), pixels {pixels}, like those it was trained on
probabilities = model.predict(images)  # (n, classes); .argmax(axis=1) is the class"""
STANDARDIZED = "standardised as those of the study"
MODES = {1: "grayscale", 3: "rgb"}
"""Keras's words by the number of channels."""


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
    again = results.evaluations_of(space.name, results.winner_of(space.name) or BASELINE)
    tested = (
        results.finals_of(space.name, BASELINE) or results.evaluations_of(space.name, BASELINE),
        finals or again,
    )
    return Best(
        space=space.name,
        trial=winner.number,
        value=winner.score,
        is_confirmed=bool(winner.scores),
        best_epoch=winner.best_epoch,
        values=record.values,
        baseline=baseline.values if baseline is not None else {},
        searched={each.name: parameters.searched(space, each) for each in parameters.of(space)},
        epochs=[found[0].epochs if found else None for found in tested],
        history=record.history,
        command=command,
    )


def load(results: StudyResults, space: str | None = None) -> str | None:
    """The lines of Python that ask the recommended model, or the winner of a space, about an image with Keras alone;
    None where it is not kept, or not yet."""
    chosen = results.selection.recommended if space is None else results.selection.winners.get(space)
    first = [] if chosen is None else [each for each in results.finals_of_winner(chosen.space) if not each.seed_index]
    if chosen is None or not first or MODEL in first[0].missing:
        return None
    file, address = results.folder / model_file(chosen.space, chosen.number), results.study.store.address
    if is_local(file):
        return LOAD.format(file=str(file)) + _predict(results) if exists(file) else None
    given = "" if space is None else repr(space)
    place = {"name": results.definition.name, "home": str(address.home), "storage": address.shown}
    return FROM_STORE.format(space=given, **place) + _predict(results)


def _predict(results: StudyResults) -> str:
    """The lines from a file to its probabilities."""
    data, picture = dataset.info(results), ""
    shape, pixels = data.shape, results.definition.pixels if data.are_bytes else STANDARDIZED
    if data.are_bytes and len(shape) == 3 and shape[2] in MODES:
        scale = " / 255" if pixels == PIXELS[0] else ""
        picture = PICTURE.format(mode=MODES[shape[2]], size=tuple(shape[:2]), scale=scale)
    described = ", ".join(map(str, shape)) or "height, width, channels"
    return picture + PREDICT.format(shape=described, pixels=" to ".join(pixels.split("..")))


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """What tuning changed, with the command that trains the winner again; and, folded, what it left."""
    title, found = f"{space.name}: what did tuning change?", info(results, space)
    if found is None:
        return [Card(title, "There will be a winner once a trial is complete.")]
    columns = ("Hyperparameter", "Searched", "Baseline", "Winner")
    rows = {
        name: (name, found.searched.get(name, "–"), number(found.baseline.get(name)), number(found.values.get(name)))
        for name in {**found.baseline, **found.values}
    }
    changed = [rows[name] for name in rows if found.baseline.get(name) != found.values.get(name)]
    same = [row for row in rows.values() if row not in changed]
    if results.winner_of(space.name) != BASELINE:
        changed.append(("Epochs of the finals", "–", number(found.epochs[0]), number(found.epochs[1])))
    again = [] if found.command is None else [Command(found.command, "To train it again on all but the test images:")]
    shown = [Card(title, _caption(results, space, found), columns if changed else (), changed, commands=again)]
    if same:
        title = f"{space.name}: the {'other ' if changed else ''}{len(same)} hyperparameters, which are the baseline's"
        shown.append(Card(title, "", columns, same, folded=True))
    return shown


def _caption(results: StudyResults, space: SpaceResults, found: Best) -> str:
    """Which trial won, and where its model is."""
    objective = results.definition.objective.name
    measured = f"{objective} {found.value:.4f}{' on average over its confirmation runs' if found.is_confirmed else ''}"
    best_epoch = "" if found.best_epoch is None else f", best after {counted(found.best_epoch, 'epoch')}"
    caption = f"Trial {found.trial}, {measured}{best_epoch}. "
    if results.winner_of(space.name) == BASELINE:
        caption += "It is the baseline: tuning found nothing better. "
    if finals := results.finals_of_winner(space.name):
        file, why = model_file(space.name, found.trial), finals[0].missing.get(MODEL)
        if why is None:
            caption += f"The model of the first of its finals is kept as {file} in the study's folder."
        else:
            caption += f"The model of the first of its finals could not be kept: {why}."
    if found.command is None:
        caption += " Its space or data were given as Python objects, so no command trains it again."
    return caption.strip()
