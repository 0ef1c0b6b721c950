"""The loop: ask, train, tell; the budget, trials that nobody runs any more, signals."""

import os
import platform
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from study import storage as storage_room
from study import training
from study.config import StudyConfig
from study.datasets import Dataset
from study.errors import Interrupted, StudyError, StudyFailure, one_line
from study.hyperparameters import TrialHyperParameters
from study.progress import Display
from study.records import RECORD, TrialRecord, plain
from study.results import FINISHED
from study.samplers import BASELINE_NUMBER, PRUNERS, SAMPLERS, KeyedSampler, judge_again

FAILURES_IN_A_ROW = 10


class Interruption:
    """Ctrl-C and SIGTERM: the first asks for the end of the epoch, the second ends at once."""

    def __init__(self, display: Display) -> None:
        self.requested = False
        self._display = display

    def check(self) -> None:
        """Raises `Interrupted` once it was asked for."""
        if self.requested:
            raise Interrupted

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while the block runs."""
        previous = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise Interrupted
        self.requested = True
        self._display.warn("interrupted: ending this epoch (once more ends at once)")


@dataclass(frozen=True)
class Session:
    """One process at work on a study: what the search and the finals share."""

    config: StudyConfig
    storage: BaseStorage
    home: Path
    dataset: Dataset
    hypermodels: dict[str, Any]
    """A KerasTuner HyperModel for each space of the study."""
    display: Display
    interruption: Interruption
    worker: str = field(default_factory=lambda: f"{platform.node()}:{os.getpid()}")

    @property
    def folder(self) -> Path:
        """Where the study keeps its files."""
        return self.home / self.config.name

    def out_of_time(self, space: str, began: float) -> bool:
        """Whether the part of the timeout for this space and those before it is used up."""
        if self.config.timeout is None:
            return False
        share = (self.config.spaces.index(space) + 1) / len(self.config.spaces)
        return time.monotonic() - began >= self.config.timeout * share


def search(session: Session) -> None:
    """Tune each space until it has as many finished trials as the study asks for.

    Raises:
        Interrupted: by a signal; the trial under way is left to be taken up by a resume.
        StudyFailure: ten trials in a row failed.
        StudyError: a space whose models do not report the objective.
    """
    began = time.monotonic()
    for space in session.config.spaces:
        _Search(session, space).run(began)


class _Search:
    """The search of one space."""

    def __init__(self, session: Session, space: str) -> None:
        config = session.config
        self.session = session
        self.space = space
        self.hypermodel = session.hypermodels[space]
        self.baseline: dict[str, Any] = {}
        sampler = KeyedSampler(
            SAMPLERS[config.sampler], lambda *key: config.seed_for(space, "sampler", *key), self.baseline
        )
        self.study = storage_room.load(
            session.storage, config.study_name(space), sampler=sampler, pruner=PRUNERS[config.pruner]()
        )

    def run(self, began: float) -> None:
        session, failures = self.session, 0
        session.display.phase(self.space, self._finished(), session.config.trials)
        while self._finished() < session.config.trials:
            session.interruption.check()
            if session.out_of_time(self.space, began):
                session.display.say(
                    f"{self.space}: the timeout is used up with {self._finished()} of {session.config.trials} trials"
                )
                return
            state = self._train(self._next_trial())
            failures = failures + 1 if state == TrialState.FAIL else 0
            if failures == FAILURES_IN_A_ROW:
                raise StudyFailure(
                    f"{failures} trials of {self.space} failed in a row; 'study status {session.config.name}' says "
                    "why, 'study resume' goes on once the cause is mended"
                )

    def _finished(self) -> int:
        return len(self._trials(*FINISHED))

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _next_trial(self) -> optuna.Trial:
        """The trial that a dead process left under its own number, or a new one."""
        left = self._trials(TrialState.RUNNING)
        if left:
            # The driver's lock is ours, so nobody runs it. Its stored parameters are returned when it asks again.
            return optuna.Trial(self.study, left[0]._trial_id)
        return self.study.ask()

    def _train(self, trial: optuna.Trial) -> TrialState:
        """Train a trial and tell the study. An exception of the configuration's own is its result, not ours."""
        session, config = self.session, self.session.config
        seed = config.seed_for(self.space, "trial", trial.number)
        hp = TrialHyperParameters(trial, self.baseline if trial.number == BASELINE_NUMBER else None)
        log, error, began = training.EpochLog(), None, time.monotonic()
        session.display.item(f"trial {trial.number}", config.epochs)
        fatal: StudyError | None = None
        state = TrialState.COMPLETE
        try:
            training.fit(
                self.hypermodel,
                hp,
                session.dataset.train,
                session.dataset.validation,
                epochs=config.epochs,
                seed=seed,
                log=log,
                on_epoch=_Reporter(session, trial),
            )
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except storage_room.FAILURES:
            raise
        except StudyError as caught:
            state, error = TrialState.FAIL, str(caught)
            # In the baseline it is the space's fault, elsewhere that configuration's.
            fatal = caught if trial.number == BASELINE_NUMBER else None
        except Exception as caught:  # whatever a configuration raises is its result
            state, error = TrialState.FAIL, one_line(caught)
        best = log.best(config.objective, config.direction)
        if state == TrialState.COMPLETE and best is None:
            state, error = TrialState.FAIL, str(_missing(config.objective, log.history))
        record = TrialRecord(
            values={name: plain(value) for name, value in hp.values.items()},
            epochs=log.epochs,
            best_epoch=best[0] if best else None,
            parameters=log.parameters,
            seconds=time.monotonic() - began,
            history=log.history,
            seed=seed,
            worker=session.worker,
            error=error,
        )
        trial.set_user_attr(RECORD, record.to_json())
        value = best[1] if best and state == TrialState.COMPLETE else None
        self.study.tell(trial, value, state=state)
        self._show(trial.number, state, record, best[1] if best else None)
        if fatal is not None:
            raise fatal
        return state

    def _show(self, number: int, state: TrialState, record: TrialRecord, value: float | None) -> None:
        config = self.session.config
        complete = [trial.value for trial in self._trials(TrialState.COMPLETE) if trial.value is not None]
        best = (max if config.direction == "maximize" else min)(complete, default=None)
        shown_best = f"best {best:.4f}" if best is not None else ""
        what = "failed" if state == TrialState.FAIL else state.name.lower()
        result = record.error or (f"{config.objective} {value:.4f}" if value is not None else "")
        self.session.display.finished(
            f"{self.space}  trial {number}  {what:8}  {result}  epochs {record.epochs}/{config.epochs}  "
            f"{record.seconds:.1f} s  {shown_best}".rstrip(),
            left=max(config.trials - self._finished(), 0),
            best=shown_best,
        )


class _Reporter:
    """Reports each epoch of a trial to the study, prunes it, and listens for the end."""

    def __init__(self, session: Session, trial: optuna.Trial) -> None:
        self._session = session
        self._trial = trial
        stored = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        self._reported = max(stored, default=0)

    def __call__(self, epoch: int, logs: dict[str, float]) -> None:
        objective = self._session.config.objective
        if objective not in logs:
            raise _missing(objective, logs)
        self._session.display.epoch(f"{objective} {logs[objective]:.4f}")
        if epoch > self._reported:
            self._trial.report(logs[objective], epoch)
        if epoch == self._session.config.epochs:
            return  # there is nothing left to save or to lose
        # A trial taken up again is judged anew at its last reported epoch: it may have been killed in between.
        if epoch == self._reported:
            prune = judge_again(self._trial.study, self._trial.number)
        else:
            prune = epoch > self._reported and self._trial.should_prune()
        if prune:
            raise optuna.TrialPruned
        self._session.interruption.check()


def _missing(objective: str, reported: Iterable[str]) -> StudyError:
    return StudyError(
        f"the models report no {objective} (they report {', '.join(reported) or 'nothing'}); compile them with "
        "metrics=['accuracy'], or give another --objective"
    )
