"""A study's model on images of one's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import keras
import numpy as np

from study.data import unlabelled
from study.images import Images
from study.records import CLASSES
from study.storage import results
from study.storage.store import StoredStudy
from study.training.prediction import probabilities

if TYPE_CHECKING:
    import pandas


def predict(study: StoredStudy, model: keras.Model, sources: Iterable[Path | IO[bytes]]) -> "pandas.DataFrame":
    """A row for each image: `image`, `class`, `probability`, and `p.CLASS` for each class.

    Args:
        study: Whose model it is.
        model: Takes images in the form of the study's.
        sources: Image files, folders of them, arrays.

    Raises:
        StudyError: Something is missing, holds no images, or others than the model takes.
    """
    import pandas

    height, width, channels = results.shapes(study.fingerprint)["x_train"][1:]
    names, predicted = [], []
    are_bytes = results.are_bytes(study.fingerprint)
    for called, pixels in unlabelled.batches(sources, (height, width, channels), are_bytes):
        names += called
        images = Images(pixels, np.zeros(len(pixels), np.int64), pixels=study.definition.pixels)
        predicted.append(probabilities(model, images))
    found = np.concatenate(predicted)
    known = study.attributes.get(CLASSES, [])
    classes = [known[label] if label < len(known) else str(label) for label in range(found.shape[1])]
    answers = {"image": names, "class": [classes[label] for label in found.argmax(axis=1)],
               "probability": found.max(axis=1)}  # fmt: skip
    return pandas.DataFrame(answers | {f"p.{name}": found[:, label] for label, name in enumerate(classes)})
