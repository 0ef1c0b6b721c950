"""One process at work on a study: what its search and its finals share."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial

from study.config import Definition
from study.errors import StudyFailure, one_line
from study.execution import limits
from study.execution.growth import Growth
from study.execution.messages import Claimed, Limited, Message
from study.execution.pause import Pause
from study.execution.task import Role, Task
from study.paths import checkpoint_file, file_name, weights_file
from study.storage import queries
from study.storage.claims import Claims, OwnershipLost
from study.storage.database import Result
from study.storage.failures import FAILURES
from study.storage.holders import Holders
from study.storage.postgresql import SAID_EVERY
from study.storage.store import StoredStudy
from study.system.processes import Process, worker
from study.system.progress import Display
from study.system.signals import Interruption, contained
from study.system.time_limit import TimeLimit
from study.training.checkpoints import CheckpointFile

if TYPE_CHECKING:
    from study.data.datasets import Dataset
    from study.training.examples import Examples


class Recycled(Exception):
    """This worker has grown too large; another one takes its place."""


@dataclass(frozen=True)
class Session:
    """One process at work on a study."""

    task: Task
    role: Role
    study: StoredStudy
    dataset: "Dataset | None"
    """None where the data were given as arrays."""
    examples: "Examples"
    """What the search trains and validates on."""
    hypermodels: dict[str, Any]
    """A KerasTuner HyperModel for each space of the study."""
    declared: dict[str, Any]
    """KerasTuner's HyperParameters as the defaults of each space declare them."""
    display: Display
    interruption: Interruption
    began: float
    """When the session began to search, seconds since 1970."""
    growth: Growth
    tell: Callable[[Message], None] = lambda message: None
    """Tells the supervisor, where there is one."""

    @property
    def definition(self) -> Definition:
        """What the study is."""
        return self.task.definition

    @property
    def worker(self) -> str:
        """Host and process."""
        return worker()

    @cached_property
    def _holders(self) -> Holders:
        supervisor = self.role.supervisor or Process.current()
        return Holders(self.study, supervisor, self.role.place, self.task.resources.lease)

    def claims(self, part: str) -> Claims:
        """The running trials of one of the study's Optuna studies."""
        return Claims(
            self.study.store,
            self.definition.study_name(part),
            self.role.supervisor or Process.current(),
            self.task.resources.lease,
            self.role.place,
        )

    def exclusively(self, action: Callable[[], Result], meanwhile: Callable[[], None] = lambda: None) -> Result:
        """Choose and mark a trial as this process's own, or end it, while no other process does. While it waits for
        the lock, `meanwhile` is called again and again."""
        said = 0.0

        def waiting(seconds: float) -> None:
            nonlocal said
            self.interruption.check()
            meanwhile()
            if seconds < said:  # the server was away: the wait started again
                said = 0.0
            if seconds - said >= SAID_EVERY:
                said = seconds
                self.display.warn(
                    f"waiting for the study's lock for {round(seconds)} s now; other processes hold it in turn"
                )

        return self.study.exclusively(action, waiting)

    def checkpoint(self, part: str, trial: FrozenTrial, seed: int, claims: Claims) -> CheckpointFile:
        """The checkpoint of a trial that this process has claimed."""
        name = self.definition.study_name(part)
        times = queries.times(self.study.store, name, trial.number).get(trial.number)
        key = f"{name} {trial.number} {times and times.began} {seed}"
        file = self.study.folder / checkpoint_file(part, trial.number)
        return CheckpointFile(file, key, self.display.warn, claims.renew_if_due)

    def weights(self, space: str, number: int) -> Path:
        """Where the weights of a trial's best epoch are kept."""
        return self.study.folder / weights_file(space, number)

    def callbacks(self, space: str, number: int, values: Mapping[str, Any]) -> list[Any]:
        """Keras callbacks for a trial's fit, besides those that the study itself needs; `values` are its
        hyperparameters."""
        options = self.task.options
        callbacks = copy.deepcopy(list(self.task.objects.callbacks))
        if options.tensorboard is not None:
            folder = options.tensorboard / self.study.name / file_name(space) / f"trial-{number}"
            spare = partial(self.spare, "tensorboard", f"the TensorBoard log {folder}")

            def log() -> None:
                from study.integrations.tensorboard import TensorBoardLog

                callbacks.append(TensorBoardLog(folder, values, spare))

            spare(log)
        return callbacks

    def out_of_time(self, space: str) -> bool:
        """Whether this space's part of the timeout, and those of the spaces before it, are used up."""
        timeout, spaces = self.task.resources.timeout, self.definition.spaces
        if timeout is None:
            return False
        share = (spaces.index(space) + 1) / len(spaces)
        return time.time() - self.began >= timeout * share

    def announce_claim(self) -> None:
        """Called when a trial or a final has been claimed."""
        self.tell(Claimed())

    def time_limit(self, part: str) -> TimeLimit:
        """How long a trial of one of the study's Optuna studies may take, which begins now."""
        resources = self.task.resources
        if part in self.definition.spaces:
            return limits.of_search(resources, self.began, self._tell_limit)
        return limits.of_training(resources, self._tell_limit)

    def _tell_limit(self, left: float | None, why: str) -> None:
        self.tell(Limited(left, why))

    def before_trial(self) -> None:
        """Called before each trial and final.

        Raises:
            Interrupted: by a signal.
            Recycled: this is a worker process and has grown too large.
        """
        self.interruption.check()
        if self.growth.is_too_large() and self.role.supervisor is not None:
            raise Recycled

    def wait(self, pause: Pause) -> None:
        """Wait a moment for other processes; say at once who they are, where other commands started them.

        Raises:
            Interrupted: by a signal.
        """
        self.interruption.check()
        if self.role.first and (news := self._holders.news()) is not None:
            self.display.warn(news)
        time.sleep(pause.seconds())

    def spare(self, kind: str, what: str, action: Callable[[], object]) -> str:
        """Do what a result can do without, such as to write a file beside it. Where that fails, it is said once for
        each kind, and the reason is returned. What the storage raises is no such failure."""
        try:
            with contained():
                action()
        except (*FAILURES, OwnershipLost, StudyFailure):
            raise
        except Exception as error:  # whatever a user's model, a disk or a library raises
            why = (isinstance(error, OSError) and error.strerror) or one_line(error, 200)
            self.display.remark(kind, f"{what} cannot be kept ({why}); the result itself is stored; this is said once")
            return why
        return ""
