"""Trainings that are planned beforehand: the confirmation runs and the finals. Each has a key, by which
any process finds it again."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import optuna
from optuna.trial import FrozenTrial, TrialState

from study.errors import Overdue, one_line
from study.execution.finalists import Configuration
from study.execution.giving_up import take_up
from study.execution.loop import Attempt, Job, Outcome, Work, end
from study.execution.session import Session
from study.execution.unchanged import Before, OnBuilt
from study.records import ERROR, TARGET
from study.search.hyperparameters import TrialHyperParameters
from study.search.pruners import descents
from study.storage import results
from study.storage.queries import Running
from study.system.progress import EpochEnded, TrialEnded, TrialStarted
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit
from study.training.inherited import Dependent


class Target(NamedTuple):
    """A configuration with one seed."""

    configuration: Configuration
    seed_index: int

    @property
    def key(self) -> tuple[Any, ...]:
        """What the configuration is trained as, its trial, and the seed index: the user attribute `TARGET`."""
        return *self.configuration.key, self.seed_index

    def __str__(self) -> str:
        return f"{self.configuration}, seed {self.seed_index}"


class Planned(Work[Target]):
    """The planned trainings of one of the study's Optuna studies."""

    def __init__(self, session: Session, part: str) -> None:
        super().__init__(session, part)
        self.study = session.study.part(part)

    @abstractmethod
    def plan(self) -> list[Target]:
        """Every training, in the order in which they are made."""

    def counts(self) -> tuple[int, int, float | None]:
        """Trainings that are done, all, and the share of the expected time that the former are, if it is known."""
        plan = {target.key: target.configuration.seconds for target in self.plan()}
        done = {_key(trial) for trial in self._trials().values() if trial.state == TrialState.COMPLETE} & plan.keys()
        whole = sum(plan.values())
        return len(done), len(plan), sum(plan[key] for key in done) / whole if whole else None

    def claim(self) -> tuple[int, Target] | None:
        """One that a dead process left, or the next one that nobody makes."""
        storage = self.session.study.store.storage
        running = self.claims.under_way().running
        trials = self._trials()
        free = self.claims.free_of(running)
        todo = self._todo(trials, running, free)
        for left in free:
            key = _key(trials[left.number])
            if key in todo:
                if take_up(self, left):
                    return left.trial_id, todo[key]
                del todo[key]
                continue
            # It is planned no more: the search has gone on, and others are the best now.
            end(self.session.study, self.study, left.trial_id, left.number, Outcome(TrialState.FAIL))
        if not todo:
            return None
        target = next(iter(todo.values()))
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={TARGET: list(target.key)})
        trial_id = storage.create_new_trial(storage.get_study_id_from_name(self.study.study_name), template)
        self.claims.mark(trial_id)
        return trial_id, target

    def is_under_way(self) -> bool:
        return bool(self.claims.held())

    def _trials(self) -> dict[int, FrozenTrial]:
        return {trial.number: trial for trial in results.trials(self.session.study, self.part)}

    def _todo(
        self, trials: dict[int, FrozenTrial], running: Sequence[Running], free: Sequence[Running]
    ) -> dict[tuple[Any, ...], Target]:
        """Those by key that are neither done, nor under way, nor failed in this session."""
        held = {trial.number for trial in running} - {trial.number for trial in free}
        done = {number for number, trial in trials.items() if trial.state == TrialState.COMPLETE}
        failed = {trial.number for trial in results.failed(trials.values(), self.session.began)}
        taken = {_key(trials[number]) for number in held | done | failed}
        return {target.key: target for target in self.plan() if target.key not in taken}


class PlannedAttempt(Attempt):
    """A claimed training while it is made."""

    def __init__(self, work: Planned, job: Job[Target]) -> None:
        self._work = work
        self._session = work.session
        self._job = job
        self._target = job.target
        self._log = EpochLog()
        self._began = time.monotonic()
        self._limit = work.session.time_limit(work.part)
        # The same seeds for every configuration: their differences are paired.
        self.seed = work.session.definition.seed_for(work.part, job.target.seed_index)

    def failed(self, error: Exception | Overdue) -> Outcome:
        line = f"{self._target}: {one_line(error)}"
        fatal = error if isinstance(error, Dependent) else None
        return Outcome(TrialState.FAIL, attributes={ERROR: line}, line=line, fatal=fatal)

    def show(self, outcome: Outcome) -> None:
        done, total, share = self._work.counts()
        part = self._work.part
        line = f"{part.removesuffix('s')}  {outcome.line}"
        self._session.display.show(TrialEnded(part, line, done=done, total=total, share=share))

    def _train(self, examples: Examples, checkpoint: CheckpointFile) -> keras.Model:
        """Train the configuration on these images, as its trial trained it; `SpaceChanged` if that is no more built."""
        display, configuration = self._session.display, self._target.configuration
        display.show(TrialStarted(str(self._target), configuration.epochs, self._work.part))
        training = Training(
            self._session.hypermodels[configuration.space],
            TrialHyperParameters.with_values(configuration.record.values),
            examples,
            configuration.fit_epochs,
            self.seed,
            self._session.definition.objective,
            stop_after=configuration.stop_after,
            descents=descents(self._session.definition, self._session.examples.train),
        )
        before = Before(configuration.space, configuration.trial, training.hypermodel, configuration.record)

        def train(on_built: OnBuilt) -> keras.Model:
            hooks = Hooks(on_built=on_built, on_epoch=self._epoch_ended, limit=self._limit)
            return fit(training, self._log, hooks, checkpoint)

        model = before.train(train)
        if self._log.epochs > configuration.epochs and configuration.stop_after is not None:
            display.warn(
                f"{self._target} trained {self._log.epochs} epochs, its trial was best after {configuration.epochs}: "
                "fit(hp, model, ...) does not use its callbacks, so it cannot be stopped there"
            )
        return model

    def _seconds(self) -> float:
        """Wall time of build, fit and what followed, earlier processes included."""
        return self._log.seconds + time.monotonic() - self._began

    def _epoch_ended(self, epoch: int, logs: dict[str, float]) -> None:
        self._session.display.show(EpochEnded(epoch, ""))
        self._work.claims.renew()
        if epoch < self._target.configuration.epochs:
            self._session.interruption.check()


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    return tuple(trial.user_attrs.get(TARGET, ()))
