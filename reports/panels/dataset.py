"""What the study was trained and tested on."""

from typing import NamedTuple

from reports.collect import StudyResults
from reports.panels import Card, Picture, gallery, listed
from study.storage import results as stored


class Data(NamedTuple):
    """What the study was given, as far as it is known."""

    train: int | None
    """Training images."""
    validation: int | None
    """Validation images, which are cut from the original training images."""
    test: int | None
    shape: list[int]
    """Height, width and channels; empty where unknown."""
    classes: int | None
    are_bytes: bool
    """Whether pixels are 0 to 255; standardised ones are not."""
    per_class: list[int]
    """Training and validation images of each class; empty where unknown."""


def info(results: StudyResults) -> Data:
    """The sizes of the parts come from the study's fingerprint, the classes from what it keeps of them."""
    shapes = stored.shapes(results.fingerprint)
    images, validation = shapes.get("x_train", []), shapes.get("validation", [None])[0]
    train = images[0] if images else None
    examples, final = results.examples, next(iter(results.finals), None)
    counts = [] if examples is None else examples.counts
    classes = len(counts) or len(results.classes) or (len(final.confusion) if final is not None else 0)
    return Data(
        train=train if train is None or validation is None else train - validation,
        validation=validation,
        test=next(iter(shapes.get("x_test", [])), None),
        shape=images[1:],
        classes=classes or None,
        are_bytes=stored.are_bytes(results.fingerprint),
        per_class=counts,
    )


def cards(results: StudyResults) -> list[Card]:
    """The data in a line, and an image of each class."""
    found, examples = info(results), results.examples
    sizes = {"training": found.train, "validation": found.validation, "test": found.test}
    known = {name: size for name, size in sizes.items() if size is not None}
    text = results.definition.dataset_name
    if known:
        parts = [f"{size:,} {name}" for name, size in known.items()]
        text += f": {sum(known.values()):,} images, {listed(parts)}"
    if len(found.shape) == 3:
        height, width, channels = found.shape
        kind = {1: ", grey", 3: ", colour"}.get(channels, f" in {channels:,} channels")
        text += f"; {height} × {width} pixels{kind}"
        text += "" if found.are_bytes else ", standardised"
    if found.classes is not None:
        text += f"; {found.classes:,} classes"
    if found.per_class:
        least, most = min(found.per_class), max(found.per_class)
        text += f", each with {least:,}{f' to {most:,}' if least < most else ''} images for training and validation"
    pictures = enumerate([] if examples is None else examples.images)
    images = [Picture(gallery.png(image), results.class_name(label)) for label, image in pictures]
    return [Card("What was it trained on?", f"{text}.", images=images, small=True)]
