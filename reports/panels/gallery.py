"""The test images that a winner misclassified."""

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reports import contested
from reports.collect import StudyResults
from reports.panels import Card, Picture
from study.records import PREDICTED, finite

MOST = 60
"""Images per winner: those that most of its seeds misclassified."""
MOST_PIXELS = 96
"""The longest side; larger images are scaled down."""


class Misread(NamedTuple):
    """A test image and how it was misclassified."""

    number: int
    """Its index in the test set as loaded."""
    true: int
    predicted: int
    """By most of the seeds; the smallest label of equally frequent ones."""
    seeds: int
    """How many misclassified it."""
    confidence: float | None
    """The mean probability they gave to that prediction; None where it is not a number."""
    contested: str
    """Why its label is contested; empty where it is not."""


def info(results: StudyResults, space: str) -> tuple[list[Misread], dict[int, NDArray[np.uint8]]]:
    """What the seeds of a space's winner misclassified, the most frequent first, and the images by index."""
    members = results.predictions_of(results.finals_of_winner(space))
    images: dict[int, NDArray[np.uint8]] = {}
    guesses: dict[int, list[tuple[int, float]]] = {}
    for each in members:
        for index, image in zip(each.misread.tolist(), each.misread_images, strict=True):
            guess = int(each.probabilities[index].argmax())
            images[index] = image
            guesses.setdefault(index, []).append((guess, float(each.probabilities[index, guess])))
    found = []
    for index, wrong in guesses.items():
        predicted = int(np.bincount([guess for guess, _ in wrong]).argmax())
        confidence = finite(float(np.mean([probability for guess, probability in wrong if guess == predicted])))
        true = int(members[0].labels[index])
        found.append(Misread(index, true, predicted, len(wrong), confidence, contested.label(images[index])))
    return sorted(found, key=lambda each: (-each.seeds, -(each.confidence or 0), each.number)), images


def cards(results: StudyResults) -> list[Card]:
    """One card per winner that was tested."""
    tested = [space.name for space in results.spaces if results.finals_of_winner(space.name)]
    if not tested:
        return [Card("Which images are misclassified?", "They will be shown once the finals are done.")]
    return [_card(results, space) for space in tested]


def _card(results: StudyResults, space: str) -> Card:
    title = f"{space} {results.winner_of(space)}: which images are misclassified?"
    finals = results.finals_of_winner(space)
    if not results.predictions_of(finals):
        why = next((f" ({final.missing[PREDICTED]})" for final in finals if PREDICTED in final.missing), "")
        missing = f"the predictions of its finals are missing from the study's folder{why}"
        return Card(title, f"Nothing can be shown: {missing}.")
    found, images = info(results, space)
    if not found:
        return Card(title, "No test image was misclassified.")
    noisy = sum(bool(each.contested) for each in found)
    caption = f"{len(found):,} test images were misclassified by at least one of {len(finals)} seeds"
    caption += f"; the label of {noisy} of them is contested ({contested.SOURCE})" if noisy else ""
    shown = found[:MOST]
    caption += f". Shown are the {len(shown)} that most seeds misclassified." if len(shown) < len(found) else "."
    pictures = [_picture(results, each, images[each.number], len(finals)) for each in shown]
    return Card(title, caption, images=pictures)


def _picture(results: StudyResults, each: Misread, image: NDArray[np.uint8], seeds: int) -> Picture:
    true, predicted = results.class_name(each.true), results.class_name(each.predicted)
    caption = f"{true} mistaken for {predicted} by {each.seeds} of {seeds} seeds"
    caption += "" if each.confidence is None else f", {100 * each.confidence:.0f} % sure"
    return Picture(png(image), f"{caption} (no. {each.number})", each.contested)


def png(image: NDArray[np.uint8]) -> str:
    """An image (height, width, channels) as a data URI: in colour where it has 3 channels, else its first channel."""
    stream = io.BytesIO()
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    picture.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
