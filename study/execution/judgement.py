"""When a trial under way is reported and judged: after each epoch."""

import time
from typing import TYPE_CHECKING

import optuna

from study.execution.loop import Job, TrialReleased
from study.execution.pause import Pause
from study.training.epochs import EpochLog

if TYPE_CHECKING:
    from study.execution.search import SpaceSearch

JUDGE_SECONDS = 0.05
"""The least pause before looking again whether the trials that one is compared with have got as far."""
PATIENCE_SECONDS = 30.0
"""How long a worker waits for somebody to take up a trial that nobody trains, before it leaves its own trial for it."""


class Judgement:
    """Reports a trial's epochs to the study, prunes the trial, or releases it."""

    def __init__(self, search: "SpaceSearch", job: Job[bool], trial: optuna.Trial, log: EpochLog) -> None:
        self._search = search
        self._session = search.session
        self._trial = trial
        self._log = log
        self._reported = max(job.trial.intermediate_values, default=0)

    def epoch(self, epoch: int, value: float | None) -> None:
        """Called after each epoch, from 1, with its objective, if it logged that.

        Raises:
            optuna.TrialPruned: the trial ends here.
            TrialReleased: it is left to others.
            Interrupted: by a signal.
        """
        # A trial that was taken up again is judged again at its last reported epoch: its worker may have died between
        # the report and the verdict.
        judged = value is not None and epoch >= self._reported
        if value is not None:
            self._report(epoch, value)
        if epoch == self._session.definition.epochs:
            return  # nothing is left to save or to lose, unless `fit` trains for longer by itself
        if judged:
            self._judge(epoch)
        self._session.interruption.check()
        if self._session.out_of_time(self._search.part) and self._log.saved == epoch:
            raise TrialReleased

    def _report(self, epoch: int, value: float) -> None:
        history = self._log.history[self._session.definition.objective.name]
        for unreported in range(self._reported + 1, epoch):  # a power cut may cost commits, not checkpoints
            if (earlier := history[unreported - 1]) is not None:
                self._trial.report(earlier, unreported)
        if epoch > self._reported:
            self._trial.report(value, epoch)
            self._reported = epoch

    def _judge(self, step: int) -> None:
        """Prune the trial, or let it continue; before that, wait for the trials that it is compared with."""
        began = time.monotonic()
        self._await_rivals(step)
        self._search.claims.waited()
        self._log.seconds -= time.monotonic() - began  # the training took no longer
        if self._trial.should_prune():
            raise optuna.TrialPruned

    def _await_rivals(self, step: int) -> None:
        search, session = self._search, self._session
        patient_until = time.monotonic() + PATIENCE_SECONDS
        pause = Pause(JUDGE_SECONDS)
        while awaited := search.pruner.awaited(search.study, self._trial.number, step):
            numbers = {trial.number for trial in awaited}
            running = search.claims.under_way().running
            free = bool(search.claims.free_of([trial for trial in running if trial.number in numbers]))
            if not free:
                patient_until = time.monotonic() + PATIENCE_SECONDS
            if session.out_of_time(search.part) and (free or self._log.saved == step):
                raise TrialReleased
            if time.monotonic() > patient_until:
                raise TrialReleased
            session.wait(pause)
            search.claims.renew_if_due()
