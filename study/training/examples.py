"""What a configuration is trained and validated on."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.config import CLASS_WEIGHTS
from study.images import Images


@dataclass(frozen=True)
class Examples:
    """The images of a fit, and how they are handed to `HyperModel.fit`."""

    train: Images | None
    """Images that the pipeline feeds from memory; None where Keras itself feeds what `arguments` returns."""
    validation: Images | None
    """What the model is validated on after each epoch; None trains without validation."""
    class_weights: str = field(default=CLASS_WEIGHTS[0], kw_only=True)
    """One of `CLASS_WEIGHTS`."""

    @property
    def scored(self) -> Images | None:
        """Validation images with their true classes, if those are known."""
        return self.validation

    def arguments(self, model: keras.Model, epochs: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and the keyword arguments of `HyperModel.fit`, callbacks excepted."""
        assert self.train is not None
        classes = int(self.train.y.max()) + 1
        options: dict[str, Any] = {"epochs": epochs}
        if self.validation is not None:
            options["validation_data"] = self.validation.scaled, targets(model, self.validation.y, classes)
        if self.class_weights != CLASS_WEIGHTS[0]:
            options["class_weight"] = balanced(self.train.y)
        return (self.train.scaled, targets(model, self.train.y, classes)), options


@dataclass(frozen=True)
class SearchData:
    """What a search trains on, and how it is recognised when the search is resumed."""

    parts: dict[str, str]
    """Shape, type and SHA-256 of every array, by its name."""
    examples: Examples


def balanced(labels: NDArray[np.int64]) -> dict[int, float]:
    """Keras's `class_weight` with which every class counts alike: images / (classes * images of the class)."""
    counts = np.bincount(labels)
    return {label: len(labels) / (np.count_nonzero(counts) * count) for label, count in enumerate(counts) if count}


def loss_of(model: keras.Model) -> Any:
    """The loss as the model was compiled with it; None where it was not."""
    loss = getattr(model, "loss", None)
    loss = list(loss.values()) if isinstance(loss, dict) else loss
    return loss[0] if isinstance(loss, (list, tuple)) and len(loss) == 1 else loss


def targets(model: keras.Model, labels: NDArray[np.int64], classes: int) -> NDArray[Any]:
    """Labels (n,) as the model's loss expects them: one-hot (n, classes) for Keras's categorical ones, else as is."""
    loss = loss_of(model)
    name = (loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)).lower()
    one_hot = "categorical" in name and "sparse" not in name
    return keras.utils.to_categorical(labels, classes) if one_hot else labels
