"""What a configuration is trained and validated on."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from study.images import Images


@dataclass(frozen=True)
class Examples:
    """The images of a fit, and how they are handed to `HyperModel.fit`."""

    train: Images | None
    """Images that the pipeline feeds from memory; None where Keras itself feeds what `arguments` returns."""
    validation: Images | None
    """What the model is validated on after each epoch; None trains without validation."""

    def arguments(self, model: keras.Model, epochs: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and the keyword arguments of `HyperModel.fit`, callbacks excepted."""
        assert self.train is not None
        classes = int(self.train.y.max()) + 1
        options: dict[str, Any] = {"epochs": epochs}
        if self.validation is not None:
            options["validation_data"] = self.validation.scaled, targets(model, self.validation.y, classes)
        return (self.train.scaled, targets(model, self.train.y, classes)), options


@dataclass(frozen=True)
class SearchData:
    """What a search trains on, and how it is recognised when the search is resumed."""

    parts: dict[str, str]
    """Shape, type and SHA-256 of every array, by its name."""
    examples: Examples


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
