"""What each final predicted on the test set, as it is kept beside the database."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.records import FinalRecord


@dataclass(frozen=True)
class Predictions:
    """Of one final on the n test images."""

    probabilities: NDArray[np.float32]
    """(n, classes)."""
    labels: NDArray[np.int64]
    """(n,) true classes."""
    misread: NDArray[np.int64]
    """(errors,) indices of images whose most probable class is wrong."""
    misread_images: NDArray[np.uint8]
    """(errors, height, width, channels)."""

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the most probable class is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)


def read(folder: Path | None, final: FinalRecord) -> Predictions | None:
    """The predictions of a final from the study's folder; None where they are not there or cannot be read."""
    if folder is None:
        return None
    try:
        with (folder / final.predictions).open("rb") as file, np.load(file) as arrays:
            return Predictions(*(arrays[name] for name in ("probabilities", "labels", "misread", "misread_images")))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


@dataclass(frozen=True)
class Ensemble:
    """The models of a finalist's seeds as one: their probabilities averaged (Lakshminarayanan et al. 2017, section
    2.4)."""

    models: int
    errors: int
    test_images: int

    @property
    def accuracy(self) -> float:
        """Share of test images classified correctly."""
        return 1 - self.errors / self.test_images


def ensemble(members: Sequence[Predictions]) -> Ensemble | None:
    """None below two members, or where they predicted different images."""
    if len(members) < 2 or any(not np.array_equal(each.labels, members[0].labels) for each in members):
        return None
    mean = np.mean([each.probabilities for each in members], axis=0, dtype=np.float64)
    errors = int((mean.argmax(axis=1) != members[0].labels).sum())
    return Ensemble(len(members), errors, len(members[0].labels))
