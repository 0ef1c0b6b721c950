"""The test images that a winner misclassified."""

import base64
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from reports import contested
from reports.collect import SpaceResults, StudyResults
from reports.panels import Card, Picture
from study.images import Shown, shown
from study.records import PREDICTED, finite

MOST = 60
"""Images per winner: those that most of its seeds misclassified."""
OPEN = 12
"""Images that are shown without being asked for."""


class Misread(NamedTuple):
    """A test image and how it was misclassified."""

    number: int
    """Its index in the test set as loaded."""
    true: int
    predicted: int
    """By most of the seeds; the smallest label of equally frequent ones."""
    seeds: int
    """How many misclassified it."""
    agreeing: int
    """How many of them predicted that class."""
    confidence: float | None
    """The mean probability they gave to that prediction; None where it is not a number."""
    contested: str
    """Why its label is contested; empty where it is not."""


def info(results: StudyResults, space: str) -> list[Misread]:
    """What the seeds of a space's winner misclassified, the most frequent first."""
    members = results.predictions_of(results.finals_of_winner(space))
    guesses: dict[int, list[tuple[int, float]]] = {}
    for each in members:
        for index in each.misread.tolist():
            guess = int(each.probabilities[index].argmax())
            guesses.setdefault(index, []).append((guess, float(each.probabilities[index, guess])))
    found = []
    for index, wrong in guesses.items():
        counts = np.bincount([guess for guess, _ in wrong])
        predicted = int(counts.argmax())
        confidence = finite(float(np.mean([probability for guess, probability in wrong if guess == predicted])))
        true = int(members[0].labels[index])
        image = results.misread_images.get(index)
        why = "" if image is None else contested.label(image)
        found.append(Misread(index, true, predicted, len(wrong), int(counts[predicted]), confidence, why))
    return sorted(found, key=lambda each: (-each.seeds, -(each.confidence or 0), each.number))


def cards(results: StudyResults, space: SpaceResults) -> list[Card]:
    """The images that the space's winner misclassified."""
    if not results.finals_of_winner(space.name):
        title = f"{space.name}: which images are misclassified?"
        return [Card(title, "They will be shown once the finals are done.")]
    return _cards(results, space.name)


def _cards(results: StudyResults, space: str) -> list[Card]:
    title = f"{space} {results.winner_of(space)}: which images are misclassified?"
    finals = results.finals_of_winner(space)
    found, images = info(results, space), results.misread_images
    if not results.predictions_of(finals) or not images.keys() >= {each.number for each in found}:
        why = next((f" ({final.missing[PREDICTED]})" for final in finals if PREDICTED in final.missing), "")
        missing = f"the predictions of its finals are missing from the study's folder{why}"
        return [Card(title, f"Nothing can be shown: {missing}.")]
    if not found:
        return [Card(title, "No test image was misclassified.")]
    noisy = sum(bool(each.contested) for each in found)
    caption = f"{len(found):,} test images were misclassified by at least one of {len(finals)} seeds"
    caption += f"; the label of {noisy} of them is contested ({contested.SOURCE})" if noisy else ""
    most = found[:MOST]
    caption += f". Shown are the {len(most)} that most seeds misclassified." if len(most) < len(found) else "."
    pictures = [_picture(results, each, images[each.number], len(finals)) for each in most]
    shown = [Card(title, caption, images=pictures[:OPEN])]
    if len(pictures) > OPEN:
        shown.append(Card(f"{title} The next {len(pictures) - OPEN}", images=pictures[OPEN:], folded=True))
    return shown


def _picture(results: StudyResults, each: Misread, image: Shown, seeds: int) -> Picture:
    true, predicted = results.class_name(each.true), results.class_name(each.predicted)
    caption = f"{true} mistaken for {predicted} by {each.agreeing} of {seeds} seeds"
    caption += "" if each.agreeing == each.seeds else f", for others by {each.seeds - each.agreeing}"
    caption += "" if each.confidence is None else f", {100 * each.confidence:.0f} % sure of it"
    return Picture(png(image), f"{caption} (test image {each.number})", each.contested)


def png(image: Shown) -> str:
    """An image (height, width, channels), as it is shown, as a data URI."""
    stream, pixels = io.BytesIO(), shown(image)
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
