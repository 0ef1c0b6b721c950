"""Which configurations go to the test set."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from study.execution.session import Session
from study.records import BASELINE, RECORD, TUNED, TrialRecord
from study.search.visibility import BASELINE_NUMBER
from study.storage import results


@dataclass(frozen=True)
class Finalist:
    """A configuration that goes to the test set."""

    space: str
    role: str
    """`BASELINE` or `TUNED`."""
    trial: int
    """The number of its trial."""
    epochs: int
    """How many its finals train."""
    validation: float | None
    """Validation accuracy of its trial, at its best epoch."""
    values: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, int]:
        """As `FinalRecord.finalist`."""
        return self.space, self.role, self.trial

    def __str__(self) -> str:
        return f"{self.space} {self.role}"


def finalists(session: Session) -> list[Finalist]:
    """Baseline and tuned winner of each space, as the searches stand. A space without a complete trial has no winner,
    one whose baseline failed has no baseline."""
    definition = session.definition
    chosen: list[Finalist] = []
    for space in definition.spaces:
        searched = results.trials(session.study, space)
        baseline = searched[BASELINE_NUMBER] if searched else None
        if baseline is not None and baseline.state in (TrialState.COMPLETE, TrialState.PRUNED):
            published = getattr(session.hypermodels[space], "baseline_epochs", definition.epochs)
            chosen.append(_finalist(space, BASELINE, baseline, published))
        winner = results.best_trial(searched, definition.objective)
        if winner is not None:
            chosen.append(_finalist(space, TUNED, winner, None))
    return chosen


def _finalist(space: str, role: str, trial: FrozenTrial, epochs: int | None) -> Finalist:
    record = TrialRecord.from_json(trial.user_attrs[RECORD])
    best_epoch = record.best_epoch or 1
    accuracies = record.history.get("val_accuracy", [])
    validation = accuracies[best_epoch - 1] if len(accuracies) >= best_epoch else None
    return Finalist(space, role, trial.number, epochs or best_epoch, validation, record.values)
