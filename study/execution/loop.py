"""The one loop: claim, do, tell, hand back. Trials of a search, finals, and trials of dead workers all end here."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from study.errors import Interrupted, Overdue, SpaceChanged, StudyError, StudyFailure
from study.execution.pause import Pause
from study.execution.session import Recycled, Session
from study.storage.claims import OwnershipLost
from study.storage.failures import FAILURES
from study.storage.store import StoredStudy
from study.training.checkpoints import CheckpointFile


class TrialReleased(Exception):
    """The trial under way is left to the next process that claims it: the study's time is used up, or nobody trains a
    trial that it waits for."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial or a final."""

    state: TrialState
    value: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """User attributes to be stored with it."""
    line: str = ""
    """What is shown of it."""
    fatal: StudyError | Recycled | None = None
    """Ends the study, or this worker, after the outcome is stored."""


Target = TypeVar("Target")


@dataclass(frozen=True)
class Job(Generic[Target]):
    """A trial or final that this process has claimed, as it was then, and what is to be trained where the trial alone
    does not say it."""

    trial_id: int
    """The storage's identifier of the trial."""
    trial: FrozenTrial
    target: Target

    @property
    def number(self) -> int:
        return self.trial.number


class Attempt(ABC):
    """A claimed trial or final while it is trained."""

    seed: int
    """Initial weights, order of images, dropout and augmentation follow from it."""

    @abstractmethod
    def run(self, checkpoint: CheckpointFile) -> Outcome:
        """Train it.

        Raises:
            TrialReleased: it is left to others.
            Overdue: it has taken longer than it may.
            Exception: whatever a user's model raises.
        """

    @abstractmethod
    def failed(self, error: Exception | Overdue) -> Outcome:
        """What an exception of `run` comes to."""

    @abstractmethod
    def show(self, outcome: Outcome) -> None:
        """Show what came of it."""


class Work(ABC, Generic[Target]):
    """What is trained for one of the study's Optuna studies: the trials of a space, or the finals (`part`)."""

    study: optuna.Study

    def __init__(self, session: Session, part: str) -> None:
        self.session = session
        self.part = part
        self.claims = session.claims(part)

    @abstractmethod
    def claim(self) -> tuple[int, Target] | None:
        """Choose the next trial and mark it as this process's own: its identifier and what is to be trained. None
        where there is none. Called under the lock."""

    @abstractmethod
    def is_under_way(self) -> bool:
        """Whether another process trains a trial of it, or one is left to train and there is time for it."""

    @abstractmethod
    def attempt(self, job: Job[Target]) -> Attempt:
        """A claimed trial, to be trained."""

    def run(self) -> int:
        """Claim and train until there is nothing to claim; the number of trials.

        Raises:
            Interrupted: by a signal; the trial under way was handed back.
            Recycled: this worker has grown too large.
            StudyError: what ends the study.
        """
        trained = 0
        while True:
            self.session.before_trial()
            self.refuse_to_continue()
            claimed = self.session.exclusively(self.claim)
            if claimed is None:
                return trained
            self.session.announce_claim()
            trial_id, target = claimed
            self._do(Job(trial_id, self.session.study.store.storage.get_trial(trial_id), target))
            self.session.growth.count_trial()
            trained += 1

    def refuse_to_continue(self) -> None:
        """Called before each claim; raises what ends the study."""

    def forget_trials(self) -> None:
        """Called when a trial ended without being told: what Optuna remembers of the others for one trial is old."""

    def _do(self, job: Job[Target]) -> None:
        """Train a claimed trial and tell the study, or hand the trial back."""
        attempt = self.attempt(job)
        checkpoint = self.session.checkpoint(self.part, job.trial, attempt.seed, self.claims)
        try:
            outcome = self._outcome(attempt, checkpoint)
            self._tell(job, outcome)
        except TrialReleased:
            self.claims.hand_back()
            self.forget_trials()
            return
        except (Interrupted, SpaceChanged):
            with suppress(OwnershipLost):
                self.claims.hand_back()
            raise
        except OwnershipLost:
            self.session.display.say(f"{self.part}  trial {job.number} was taken up by another worker")
            self.forget_trials()
            return
        checkpoint.remove()
        attempt.show(outcome)
        if outcome.fatal is not None:
            raise outcome.fatal

    def _outcome(self, attempt: Attempt, checkpoint: CheckpointFile) -> Outcome:
        """An exception of the user's model is an outcome; what concerns the study is not."""
        try:
            return attempt.run(checkpoint)
        except (*FAILURES, StudyFailure, OwnershipLost, TrialReleased, SpaceChanged):
            raise
        except Overdue as error:
            outcome = attempt.failed(error)
            # What it has begun, in threads for example, may go on: the next trial has a fresh process.
            return outcome if self.session.role.supervisor is None else replace(outcome, fatal=Recycled())
        except Exception as error:
            return attempt.failed(error)

    def _tell(self, job: Job[Target], outcome: Outcome) -> None:
        self.claims.renew()

        def tell() -> None:
            if self.claims.confirm_ownership():
                end(self.session.study, self.study, job.trial_id, job.number, outcome)

        self.session.exclusively(tell, self.claims.renew_if_due)


def run_all(session: Session, works: Sequence[Work[Any]]) -> None:
    """Train until nothing of some works is left, for other processes neither: a trial whose owner dies is taken up.

    Raises:
        StudyError, Interrupted, Recycled: as `Work.run`.
    """
    pause = Pause()
    while True:
        if sum(work.run() for work in works):
            pause = Pause()
        if not any(work.is_under_way() for work in works):
            return
        session.wait(pause)


def end(stored: StoredStudy, study: optuna.Study, trial_id: int, number: int, outcome: Outcome) -> None:
    """End a running trial of an Optuna study of `stored`. Called under the study's lock."""
    for key, value in outcome.attributes.items():
        stored.store.storage.set_trial_user_attr(trial_id, key, value)
    study.tell(number, outcome.value, state=outcome.state)
