"""What is stored beside an Optuna trial: typed, JSON both ways, readable without Keras."""

import base64
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Value = int | float | str | bool
History = dict[str, list[float | None]]

CONFIG, FINGERPRINT, ENVIRONMENT = "config", "fingerprint", "environment"
"""User attributes of a study's Optuna studies."""
RECORD = "record"
"""The user attribute of a trial that holds its record."""
OWNER = "owner"
"""The user attribute of a trial that names who trains it and how its earlier owners died."""
DECLARED = "declared"
"""User attribute of a trial: its hyperparameters as KerasTuner declares them, where the sampler is KerasTuner's."""
CLASSES = "classes"
"""User attribute of a study's finals: the names of the classes; empty where they have none but their numbers."""
REFLECTED, INDEX = "~reflected", "~index"
"""Ends of Optuna's names for hyperparameters that are drawn on another scale (`hyperparameters.question`)."""
EVALUATION = "evaluation"
"""The user attribute of a final of a tuner's that holds its record."""
CONDITIONS = "conditions"
"""User attribute of a tuner's finals: on what they are tested, and how (`Conditions`)."""
TARGET, ERROR = "target", "error"
"""User attributes of a confirmation run or a final: what is trained with which seed, from before it is trained; why it
failed."""
BASELINE, TUNED = "baseline", "tuned"
"""The roles of a finalist."""
MODEL, PREDICTED, ARTIFACT, WEIGHTS = "model", "predictions", "artifacts", "weights"
"""What is kept beside a record, if it can be."""
BASELINE_NUMBER = 0
"""The number of the trial that has its space's defaults."""


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What is stored as JSON."""

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record that `to_json` wrote."""
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class TrialRecord(_Record):
    """One configuration, trained: the `record` attribute of a trial of a space's search."""

    values: dict[str, Value]
    """The hyperparameters as the model saw them; Optuna's own parameters may be encoded."""
    epochs: int
    """Epochs trained."""
    best_epoch: int | None
    """The epoch, from 1, whose objective is the trial's value; None when no epoch was finished."""
    returned: bool = False
    """Whether `fit` returned the objective itself: then no single epoch stands for the trial's value."""
    trained: bool = True
    """Whether `fit` trained the model that `build` returned; one that cross-validates may train others."""
    parameters: int | None
    """Weights and biases of the model, trainable or not."""
    multiply_adds: int | None = None
    """What it computes for one image (`training.size`); None where that is not known."""
    exceeds: str = ""
    """How its model exceeds what the study allows, in words: it was excluded."""
    built: str = ""
    """The model that `build` returned, in short: the version of Keras and a hash of each part (`description`); empty
    where it was not built, and in studies of earlier versions."""
    seconds: float
    """Wall time: build, fit and everything between."""
    history: History
    """Logs of each epoch by name; None where a log was not finite."""
    seed: int
    """Of the initial weights, the order of images, dropout and augmentation."""
    worker: str
    """Host and process that trained it."""
    device: str = ""
    """The GPU that trained it, or CPU."""
    error: str | None = None
    """Why the trial failed, in a line."""
    traceback: str | None = None
    """The end of the traceback, where a configuration raised."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why its weights could not be kept, under `WEIGHTS`, where they are asked for."""


@dataclass(frozen=True, kw_only=True)
class ConfirmationRecord(_Record):
    """A candidate to be its space's winner, trained once more on the training images with a seed of its own."""

    space: str
    trial: int
    """The number of the candidate's trial."""
    values: dict[str, Value]
    seed_index: int
    """0 to `CONFIRMATION_SEEDS` - 1; runs with the same index share their seed."""
    seed: int
    epochs: int
    """Epochs trained."""
    curve: list[float | None]
    """The objective on the validation set after each epoch that may be the last one of a final: all of them, those of
    the last stage of a `fit` in stages, or one where the number of epochs is given. Its last entry is of the last epoch
    trained. Where `fit` returned the objective itself, it is all there is."""
    returned: bool
    """Whether it did."""
    parameters: int
    seconds: float
    history: History
    worker: str
    """Host and process that trained it."""
    device: str = ""
    """The GPU that did, or CPU."""


@dataclass(frozen=True, kw_only=True)
class _Tested(_Record):
    """One finalist with one seed, trained again and tested once."""

    space: str
    role: str
    """`BASELINE` or `TUNED`."""
    trial: int
    """The number of the finalist's trial in its space's search."""
    values: dict[str, Value]
    seed_index: int
    """0 to K-1; finals with the same index share their seed."""
    seed: int
    epochs: int
    """Epochs trained."""
    parameters: int
    seconds: float
    """Wall time: build, fit and test."""
    history: History
    worker: str
    """Host and process that trained and tested it."""
    device: str = ""
    """The GPU that did, or CPU."""
    missing: dict[str, str] = field(default_factory=dict)
    """What could not be kept of it, with the reason: `MODEL`, `PREDICTED`, `ARTIFACT`."""

    @property
    def finalist(self) -> tuple[str, str, int]:
        """What is the same for all seeds of a finalist."""
        return self.space, self.role, self.trial


@dataclass(frozen=True, kw_only=True)
class FinalRecord(_Tested):
    """A final of a study of images, retrained on train + validation."""

    validation: float | None
    """Validation accuracy of the finalist's trial, at its best epoch."""
    fit_epochs: int
    """Epochs that `fit` was asked for."""
    test_images: int
    errors: int
    """Test images whose most probable class is wrong."""
    loss: float
    """Mean negative log probability of the true class, nats."""
    calibration_error: float
    """Expected calibration error (Guo et al. 2017, equation 3), 0 to 1: the mean distance between the probability that
    the model gives its answers and the share of them that is right, over 15 bins of equal width."""
    correct: str
    """Which test images are classified correctly, in their order: bits, packed and in base64 (`packed`)."""
    confusion: list[list[int]]
    """Test images by true class (row) and predicted class (column)."""
    predictions: str
    """File of the class probabilities, relative to the study's folder."""

    @property
    def accuracy(self) -> float:
        """Share of test images classified correctly, 0 to 1."""
        return 1 - self.errors / self.test_images


@dataclass(frozen=True, kw_only=True)
class Conditions(_Record):
    """On what a tuner's finals are tested, and how."""

    data: dict[str, str]
    """Shape, type and SHA-256 of the test data; of a generator or tf.data the type alone."""
    options: dict[str, str]
    """What `evaluate` was given besides."""
    metric: str
    """The objective's, as `evaluate` names it."""
    margin: float | None
    """In the metric's units, as it was given."""
    examples: int | None
    """Where the test data are arrays."""
    seeds: int
    """Finals per finalist, as they were asked for."""
    joined: bool
    """Whether finals train on the validation data too."""
    seen: bool
    """Whether the test data are those that the search trained or validated on."""


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord(_Tested):
    """A final of a tuner's, evaluated on the test data."""

    validation: float | None
    """The objective of the finalist's trial."""
    metrics: dict[str, float | None]
    """What `evaluate` returned; None where it was not finite."""
    value: float
    """That of `Conditions.metric`."""
    confusion: list[list[int]] | None
    """Test examples by true class (row) and predicted class (column); None unless it classifies arrays."""
    predictions: str | None
    """File of targets and predictions, relative to the study's folder; None unless it predicts numbers from arrays."""


def is_excluded(attributes: Mapping[str, Any]) -> bool:
    """Whether the trial with these user attributes was excluded, because its model is larger than the study allows."""
    return bool(attributes.get(RECORD, {}).get("exceeds"))


def packed(bits: NDArray[np.bool_]) -> str:
    """Bits (n,) as text, eight per byte, in base64."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def unpacked(text: str, n: int) -> NDArray[np.bool_]:
    """The n bits that were `packed`."""
    stored = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.unpackbits(stored, count=n).astype(bool)


def plain(value: Any) -> Value:
    """A hyperparameter's value as JSON knows it: a space may declare a default of NumPy's types."""
    return value.item() if hasattr(value, "item") else value  # type: ignore[no-any-return]


def finite(value: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None
