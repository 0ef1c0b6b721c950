"""What each final predicted on the test set, as it is stored in the study's folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.images import Labels
from study.records import FinalRecord
from study.storage.predictions import read_arrays


@dataclass(frozen=True)
class Predictions:
    """Predictions of one final for the n test images."""

    probabilities: NDArray[np.float32]
    """(n, classes)."""
    labels: Labels
    """(n,) true classes."""
    misread: NDArray[np.int64]
    """(errors,) indices of the images whose most probable class is wrong."""

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the most probable class is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)


def read(folder: Path, final: FinalRecord) -> Predictions | None:
    """The predictions of a final from the study's folder; None where they are missing or cannot be read."""
    arrays = read_arrays(folder / final.predictions) or {}
    names = ("probabilities", "labels", "misread")
    return Predictions(*(arrays[name] for name in names)) if arrays.keys() >= {*names} else None


@dataclass(frozen=True)
class Ensemble:
    """The models of a finalist's seeds as one classifier: their probabilities are averaged (Lakshminarayanan et al.
    2017, section 2.4)."""

    models: int
    errors: int
    test_images: int

    @property
    def accuracy(self) -> float:
        """Share of test images classified correctly."""
        return 1 - self.errors / self.test_images


def ensemble(members: Sequence[Predictions]) -> Ensemble | None:
    """The ensemble of at least two models; None for fewer, or where they predicted different images."""
    if len(members) < 2 or any(not np.array_equal(each.labels, members[0].labels) for each in members):
        return None
    mean = np.mean([each.probabilities for each in members], axis=0, dtype=np.float64)
    errors = int((mean.argmax(axis=1) != members[0].labels).sum())
    return Ensemble(len(members), errors, len(members[0].labels))
