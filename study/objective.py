"""What trials are ranked by."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from study.errors import StudyError

Direction = Literal["maximize", "minimize"]
DIRECTIONS: tuple[Direction, ...] = ("maximize", "minimize")
OF_KERAS_TUNER: dict[str, Direction] = {"max": "maximize", "min": "minimize"}
"""Optuna's words by KerasTuner's."""
BALANCED_ACCURACY, MACRO_F1 = "val_balanced_accuracy", "val_macro_f1"
"""Objectives that are computed for any model (`study.training.scores`)."""
KNOWN: dict[str, Direction] = {
    "val_accuracy": "maximize",
    "val_loss": "minimize",
    BALANCED_ACCURACY: "maximize",
    MACRO_F1: "maximize",
}
"""Objectives whose direction need not be given."""


@dataclass(frozen=True)
class Objective:
    """A metric of the validation set, and which way it is better."""

    name: str = "val_accuracy"
    direction: Direction = "maximize"

    @classmethod
    def of(cls, name: str, direction: str | None = None) -> Self:
        """The objective of that name; the direction of `KNOWN` ones need not be given.

        Raises:
            StudyError: an unknown direction, one that contradicts the name, or none for a metric of one's own.
        """
        known = KNOWN.get(name)
        if direction is None and known is None:
            raise StudyError(
                f"--objective is {', '.join(KNOWN)}, or a metric that the models report together with --direction "
                f"maximize or minimize; it was given {name!r} alone"
            )
        found = next((each for each in DIRECTIONS if each == (direction or known)), None)
        if found is None:
            raise StudyError(f"--direction must be one of {', '.join(DIRECTIONS)}; it was given {direction!r}")
        if known not in (None, found):
            raise StudyError(f"--direction of {name} is {known}; it was given {direction}")
        return cls(name, found)

    @property
    def maximize(self) -> bool:
        """Whether larger values are better."""
        return self.direction == "maximize"

    def rank(self, value: float) -> float:
        """A number to sort by: smaller is better."""
        return -value if self.maximize else value

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is strictly better than another."""
        return self.rank(value) < self.rank(than)

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some values; None where there are none."""
        return min(values, key=self.rank, default=None)
