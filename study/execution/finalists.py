"""Which configurations are trained again: candidates on the training images, finalists on all but the test images."""

from dataclasses import dataclass, replace

from optuna.trial import TrialState

from study.errors import StudyError
from study.execution.session import Session
from study.records import BASELINE, TrialRecord
from study.storage import selection
from study.storage.selection import Candidate


@dataclass(frozen=True)
class Configuration:
    """A trial's configuration, to be trained again as the trial trained it."""

    space: str
    role: str
    """`BASELINE` or `TUNED`."""
    trial: int
    """The number of its trial."""
    fit_epochs: int
    """How many epochs `fit` is asked for."""
    stop_after: int | None
    """Epochs, over all stages of `fit`, after which it ends: its best. None lets `fit` end by itself."""
    is_published: bool
    """Whether it is a baseline that trains a published number of epochs, whatever is best."""
    record: TrialRecord
    """Of its trial."""

    @property
    def key(self) -> tuple[str, str, int]:
        """As `FinalRecord.finalist`."""
        return self.space, self.role, self.trial

    @property
    def epochs(self) -> int:
        """How many epochs it is expected to train."""
        return self.fit_epochs if self.stop_after is None else self.stop_after

    @property
    def seconds(self) -> float:
        """How long its training is expected to take, by its trial's."""
        return self.record.seconds / max(1, self.record.epochs) * self.epochs

    @property
    def validation(self) -> float | None:
        """Validation accuracy of its trial, at its best epoch."""
        epoch, accuracies = self.record.best_epoch or 1, self.record.history.get("val_accuracy", [])
        return accuracies[epoch - 1] if len(accuracies) >= epoch else None

    def __str__(self) -> str:
        return f"{self.space} {self.role}"


def candidates(session: Session) -> list[Configuration]:
    """The configurations among which the winners are chosen; none where there is no choice.

    Raises:
        StudyError: one of them cannot be trained as its trial was.
    """
    found = [each for of_space in selection.of(session.study).candidates.values() for each in of_space]
    if len(found) < 2 or not session.definition.confirm:
        return []
    return [replace(_as_trained(session, candidate), stop_after=None) for candidate in found]


def finalists(session: Session) -> list[Configuration]:
    """Baseline and winner of each space, once where they are the same. A space without a complete trial has no winner,
    one whose baseline failed has no baseline.

    Raises:
        StudyError: one of them cannot be trained as its trial was.
    """
    chosen = selection.of(session.study)
    found: list[Configuration] = []
    for space in session.definition.spaces:
        winner = chosen.winners.get(space)
        baseline = next((each for each in chosen.candidates[space] if each.role == BASELINE), None)
        for each in (baseline, winner):
            if each is not None and each.number not in [other.trial for other in found if other.space == space]:
                found.append(_as_trained(session, each))
    return found


def _as_trained(session: Session, candidate: Candidate) -> Configuration:
    if candidate.trial.state == TrialState.COMPLETE and not candidate.record.trained:
        raise StudyError(
            f"fit of {candidate.space} does not train the model that build(hp) returned, so there is nothing to test: "
            "let it train that model too, for example on all its images after the folds; the search is kept"
        )
    published: int = getattr(session.hypermodels[candidate.space], "baseline_epochs", None) or 0
    is_published = candidate.role == BASELINE and published > 0
    return Configuration(
        candidate.space,
        candidate.role,
        candidate.number,
        fit_epochs=published if is_published else session.definition.epochs,
        stop_after=None if is_published else candidate.best_epoch,
        is_published=is_published,
        record=candidate.record,
    )
