"""The test images that a winner misread."""

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reports import contested
from reports.collect import StudyResults
from reports.panels import Card, Picture
from study.records import TUNED

MOST = 60
"""Images a winner; those that most of its seeds misread."""
MOST_PIXELS = 96
"""A side; larger images are made smaller."""


class Misread(NamedTuple):
    """A test image and what became of it."""

    number: int
    """Its index in the test set as it was read."""
    true: int
    predicted: int
    """By most of the seeds, of equals the smallest."""
    seeds: int
    """How many misread it."""
    confidence: float
    """Mean probability that they gave to what they predicted."""
    contested: str
    """What is said of its label; empty where nothing is."""


def info(results: StudyResults, space: str) -> tuple[list[Misread], dict[int, NDArray[np.uint8]]]:
    """What the seeds of a space's winner misread, most often misread first, and the images by index."""
    members = results.predictions_of(results.finals_of(space, TUNED))
    images: dict[int, NDArray[np.uint8]] = {}
    guesses: dict[int, list[tuple[int, float]]] = {}
    for each in members:
        for index, image in zip(each.misread.tolist(), each.misread_images, strict=True):
            guess = int(each.probabilities[index].argmax())
            images[index] = image
            guesses.setdefault(index, []).append((guess, float(each.probabilities[index, guess])))
    found = []
    for index, made in guesses.items():
        predicted = int(np.bincount([guess for guess, _ in made]).argmax())
        confidence = float(np.mean([probability for guess, probability in made if guess == predicted]))
        true = int(members[0].labels[index])
        found.append(Misread(index, true, predicted, len(made), confidence, contested.label(images[index])))
    return sorted(found, key=lambda each: (-each.seeds, -each.confidence, each.number)), images


def cards(results: StudyResults) -> list[Card]:
    """A card for each winner that was tested."""
    tested = [space.name for space in results.spaces if results.finals_of(space.name, TUNED)]
    if not tested:
        return [Card("Which images are misread?", "They will be shown once the finals are done.")]
    return [_card(results, space) for space in tested]


def _card(results: StudyResults, space: str) -> Card:
    title, finals = f"{space} tuned: which images are misread?", results.finals_of(space, TUNED)
    if not results.predictions_of(finals):
        return Card(title, "The predictions of its finals are not beside the database: nothing can be shown.")
    found, images = info(results, space)
    if not found:
        return Card(title, "No test image was misread.")
    noisy = sum(bool(each.contested) for each in found)
    caption = f"{len(found):,} test images were misread by at least one of {len(finals)} seeds"
    caption += f"; the label of {noisy} of them is contested ({contested.SOURCE})" if noisy else ""
    shown = found[:MOST]
    caption += f". Shown are the {len(shown)} that most seeds misread." if len(shown) < len(found) else "."
    pictures = [_picture(results, each, images[each.number], len(finals)) for each in shown]
    return Card(title, caption, images=pictures)


def _picture(results: StudyResults, each: Misread, image: NDArray[np.uint8], seeds: int) -> Picture:
    true, predicted = results.class_name(each.true), results.class_name(each.predicted)
    caption = f"{true} read as {predicted}, {100 * each.confidence:.0f} % sure, {each.seeds} of {seeds} seeds"
    return Picture(png(image), f"{caption} (no. {each.number})", each.contested)


def png(image: NDArray[np.uint8]) -> str:
    """An image (height, width, channels) as a data URI: grey, colour, or the first channel of another kind."""
    stream = io.BytesIO()
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
    picture.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
