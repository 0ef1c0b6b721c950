"""The loop: claim, train, tell; the budget, and trials that their owners left behind."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras_tuner
import optuna
from optuna.trial import TrialState

from study import environment, queries, training
from study import storage as storage_room
from study.claims import Lost
from study.epochs import EpochLog
from study.errors import Interrupted, StudyError, StudyFailure, one_line, traceback_end
from study.hyperparameters import TrialHyperParameters
from study.pruners import LOOK_STEP, PRUNERS
from study.records import DECLARED, LOOK, RECORD, TrialRecord, plain
from study.samplers import BASELINE_NUMBER, ORACLES, SAMPLERS, KeyedSampler, first_to_know, known_from
from study.session import Pause, Session

FAILURES_IN_A_ROW = 10
JUDGE_SECONDS = 0.05
"""At least, between two looks whether the trials that one is judged by have got as far."""
PATIENCE_SECONDS = 30.0
"""How long a worker waits for somebody else to take up a trial that nobody trains, before it leaves its own for it."""


def search(session: Session) -> None:
    """Tune each space until it has as many finished trials as the study asks for.

    Returns when no other process trains one of them either: a trial whose owner dies is taken up.

    Raises:
        Interrupted: by a signal; the trial under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another goes on.
        StudyFailure: ten trials in a row failed.
        StudyError: a space whose models do not report the objective.
    """
    searches = [_Search(session, space) for space in session.config.spaces]
    pause = Pause()
    while True:
        if sum(each.run() for each in searches):
            pause = Pause()
        if not any(each.is_under_way() for each in searches):
            return
        session.wait(pause)


class _Left(Exception):
    """The trial under way is left for whoever claims it next: the study's time is used up, or a trial that it waits
    for is nobody's."""


class _Search:
    """The search of one space."""

    def __init__(self, session: Session, space: str) -> None:
        config = session.config
        self.session = session
        self.space = space
        self.hypermodel = session.hypermodels[space]
        self.scores_itself = type(self.hypermodel).fit is not keras_tuner.HyperModel.fit
        """Whether its `fit` may return an objective that no epoch logs."""
        self.baseline: dict[str, Any] = {}
        self.back = known_from(config.workers + config.join)
        sampler = KeyedSampler(
            SAMPLERS[config.sampler], lambda *key: config.seed_for(space, "sampler", *key), self.baseline, self.back,
            session.declared[space],
        )  # fmt: skip
        self.pruner = PRUNERS[config.pruner](self.back)
        self.study = storage_room.load(session.storage, config.study_name(space), sampler=sampler, pruner=self.pruner)
        self.claims = session.claims(self.study)
        self._said = False
        self._best: float | None = None
        self._best_below = self._ended_below = 0

    def run(self) -> int:
        """Train trials as long as there are some to claim, and return how many those were."""
        session, trained = self.session, 0
        while True:
            session.between_trials()
            self._refuse_failures()
            claimed = session.exclusively(self._claim)
            if claimed is None:
                break
            trial = self._trial(*claimed)
            try:
                self._train(trial)
            except Lost:
                session.display.say(f"{self.space}  trial {trial.number} was taken up by another worker")
            session.trained()
            trained += 1
        if session.out_of_time(self.space) and self._finished() < session.config.trials and not self._said:
            self._said = True
            if session.task.first:
                session.display.say(
                    f"{self.space}: the timeout is used up with {self._finished()} of {session.config.trials} trials"
                )
        return trained

    def is_under_way(self) -> bool:
        """Whether another process trains a trial of the space, or there is one to train and time for it."""
        known = self.claims.under_way()
        free = len(self.claims.free_of(known.running))
        left = free > 0 or known.begun < self.session.config.trials
        return len(known.running) > free or (left and not self.session.out_of_time(self.space))

    def _claim(self) -> tuple[int, bool] | None:
        """A trial by the storage's number for it, and whether it is new: the one that a dead process left, an enqueued
        one or a new one. None where there is none to have, or none before others have ended."""
        session, storage = self.session, self.session.storage
        if session.out_of_time(self.space):
            return None
        # One look at the trials: one that ends between two looks would be counted by neither.
        known = self.claims.under_way()
        self._ended_below = known.ended_below
        for left in self.claims.free_of(known.running):
            # Its stored parameters are returned when it asks again.
            self.claims.mark(left.trial_id, left.owner)
            return left.trial_id, False
        too_early = any(first_to_know(each.number, self.back) <= known.begun for each in known.running)
        if known.begun >= session.config.trials or too_early:
            return None
        # As `Study.ask` does, without reading every trial.
        enqueued = next(
            (each for each in known.waiting if storage.set_trial_state_values(each, TrialState.RUNNING)), None
        )
        trial_id = storage.create_new_trial(self.study._study_id) if enqueued is None else enqueued
        self.claims.mark(trial_id)
        return trial_id, enqueued is None

    def _trial(self, trial_id: int, new: bool) -> optuna.Trial:
        self.study._thread_local.cached_all_trials = None  # what Optuna keeps of the others, for one trial
        if not new:
            storage_room.remember(self.study, trial_id)
        return optuna.Trial(self.study, trial_id)

    def _finished(self) -> int:
        return self.claims.under_way().finished

    def _refuse_failures(self) -> None:
        """Stop where nothing but failures has come out of this session's last trials."""
        last = queries.last_ended(self.session.storage, self.study.study_name, FAILURES_IN_A_ROW)
        if len(last) == FAILURES_IN_A_ROW and all(
            state == TrialState.FAIL.name and ended >= self.session.began for state, ended in last
        ):
            name = self.session.config.name
            raise StudyFailure(
                f"{FAILURES_IN_A_ROW} trials of {self.space} failed in a row; 'study status {name}' says why, "
                f"'study resume {name}' goes on once the cause is mended"
            )

    def _train(self, trial: optuna.Trial) -> None:
        """Train a trial and tell the study. An exception of the configuration's own is its result, not ours."""
        session, config = self.session, self.session.config
        seed = config.seed_for(self.space, "trial", trial.number)
        hp = TrialHyperParameters(trial, self.baseline if trial.number == BASELINE_NUMBER else None)
        log, began = EpochLog(), time.monotonic()
        reporter = _Reporter(self, trial, log)
        checkpoint = session.checkpoint(self.space, trial, seed, self.claims)
        error = traceback = None
        session.display.item(f"{self.space} trial {trial.number}", config.epochs)
        fatal: StudyError | None = None
        state = TrialState.COMPLETE

        def record() -> TrialRecord:
            best = log.best(config.objective, config.direction)
            return TrialRecord(
                values={name: plain(value) for name, value in hp.values.items()},
                epochs=log.epochs,
                best_epoch=best[0] if best else None,
                parameters=log.parameters,
                seconds=log.seconds + time.monotonic() - began,
                history=log.history,
                seed=seed,
                worker=session.worker,
                device=environment.device(),
                error=error,
                traceback=traceback,
            )

        def on_built(parameters: int) -> None:
            log.parameters = parameters
            trial.set_user_attr(RECORD, record().to_json())

        try:
            training.fit(
                self.hypermodel,
                hp,
                session.examples,
                epochs=config.epochs,
                seed=seed,
                log=log,
                objective=config.objective,
                direction=config.direction,
                callbacks=lambda: session.callbacks(self.space, trial.number, hp.values),
                on_epoch=reporter,
                on_look=reporter.look if self.pruner.looks else None,
                on_built=on_built,
                checkpoint=checkpoint,
            )
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except _Left:
            if session.out_of_time(self.space):
                session.display.say(f"{self.space}  trial {trial.number} is left at epoch {log.saved} for a resume")
            self.claims.hand_back()
            return
        except Interrupted:
            with suppress(Lost):
                self.claims.hand_back()
            raise
        except (*storage_room.FAILURES, StudyFailure, Lost):
            raise
        except StudyError as caught:
            state, error = TrialState.FAIL, str(caught)
            # In the baseline it is the space's fault, elsewhere that configuration's.
            fatal = caught if trial.number == BASELINE_NUMBER else None
        except Exception as caught:  # whatever a configuration raises is its result
            state, error, traceback = TrialState.FAIL, one_line(caught), traceback_end(caught)
        best = log.best(config.objective, config.direction)
        if state == TrialState.COMPLETE and best is None:
            state, error = TrialState.FAIL, f"{config.objective} is not a number in any epoch"
            if config.objective not in log.history:
                missing = _missing(config.objective, log.history)
                error, fatal = str(missing), missing if trial.number == BASELINE_NUMBER else None
        ended = record()
        value = best[1] if best and state == TrialState.COMPLETE else None

        self.claims.renew()
        with _lost_if_ended():
            trial.set_user_attr(RECORD, ended.to_json())
            if config.sampler in ORACLES or session.task.keep_weights:
                trial.set_user_attr(DECLARED, hp.declared())

        def tell() -> None:
            if self.claims.ends():
                self.study.tell(trial, value, state=state)

        session.exclusively(tell, self.claims.keep)
        if session.task.keep_weights and state != TrialState.COMPLETE:
            for suffix in (".h5", ".json"):
                session.weights(self.space, trial.number).with_suffix(suffix).unlink(missing_ok=True)
        checkpoint.remove()
        self._show(trial.number, state, ended, best[1] if best else None)
        if fatal is not None:
            raise fatal

    def _show(self, number: int, state: TrialState, record: TrialRecord, value: float | None) -> None:
        config = self.session.config
        best = self._best_so_far()
        shown_best = f"best {best:.4f}" if best is not None else ""
        what = "failed" if state == TrialState.FAIL else state.name.lower()
        result = record.error or (f"{config.objective} {value:.4f}" if value is not None else "")
        self.session.display.finished(
            self.space,
            f"{self.space}  trial {number}  {what:8}  {result}  epochs {record.epochs}/{config.epochs}  "
            f"{record.seconds:.1f} s  {shown_best}".rstrip(),
            done=self._finished(),
            total=config.trials,
            best=shown_best,
        )

    def _best_so_far(self) -> float | None:
        """The best value of all workers. What had ended at the claim before the last one is not read again."""
        config = self.session.config
        found = queries.best(self.session.storage, self.study.study_name, config.direction, self._best_below)
        self._best_below = self._ended_below
        known = [each for each in (self._best, found and found[1]) if each is not None]
        self._best = (max if config.direction == "maximize" else min)(known, default=None)
        return self._best


class _Reporter:
    """Reports each epoch of a trial to the study, has it judged, and listens for the end."""

    def __init__(self, search: _Search, trial: optuna.Trial, log: EpochLog) -> None:
        self._search = search
        self._session = search.session
        self._trial = trial
        self._log = log
        self._reported = max(trial.storage.get_trial(trial._trial_id).intermediate_values, default=0)

    def look(self, logs: dict[str, float]) -> None:
        """Called once within the first epoch with the training metrics so far: the objective's is judged."""
        value = logs.get(self._session.config.objective.removeprefix("val_"))
        if value is None or self._reported:
            return
        self._search.claims.keep()
        if LOOK not in self._trial.user_attrs:
            self._trial.set_user_attr(LOOK, value)
        self._judge(LOOK_STEP)

    def __call__(self, epoch: int, logs: dict[str, float]) -> None:
        self._search.claims.renew()
        objective = self._session.config.objective
        if objective not in logs:
            if not self._search.scores_itself:
                raise _missing(objective, logs)
            self._session.display.epoch(epoch, "")
            self._go_on(epoch)
            return
        self._session.display.epoch(epoch, f"{objective} {logs[objective]:.4f}")
        for unreported in range(self._reported + 1, epoch):  # a power cut may cost commits, not checkpoints
            value = self._log.history[objective][unreported - 1]
            if value is not None:
                self._trial.report(value, unreported)
        # A trial taken up again is judged anew at its last reported epoch: it may have been killed in between.
        judged = epoch >= self._reported
        if epoch > self._reported:
            self._trial.report(logs[objective], epoch)
            self._reported = epoch
        self._go_on(epoch, judged)

    def _go_on(self, epoch: int, judged: bool = False) -> None:
        """To the next epoch, unless this was the last, or something ends the trial here."""
        if epoch == self._session.config.epochs:
            return  # there is nothing left to save or to lose, unless `fit` trains for longer by itself
        if judged:
            self._judge(epoch)
        self._session.interruption.check()
        if self._session.out_of_time(self._search.space) and self._log.saved == epoch:
            raise _Left

    def _judge(self, step: int) -> None:
        """Prune the trial, or let it go on; before that, wait for those that it is judged by."""
        search, session = self._search, self._session
        began = time.monotonic()
        patient_until = began + PATIENCE_SECONDS
        pause = Pause(JUDGE_SECONDS)
        while awaited := search.pruner.awaited(search.study, self._trial.number, step):
            free = bool(search.claims.free_of(awaited))
            if not free:
                patient_until = time.monotonic() + PATIENCE_SECONDS
            if session.out_of_time(search.space) and (free or self._log.saved == step):
                raise _Left
            if time.monotonic() > patient_until:
                raise _Left
            session.wait(pause)
            search.claims.keep()
        search.claims.waited()
        self._log.seconds -= time.monotonic() - began  # training it took no longer
        if self._trial.should_prune():
            raise optuna.TrialPruned


@contextmanager
def _lost_if_ended() -> Iterator[None]:
    """What is stored for a trial that another has taken up and ended is nothing to it any more."""
    try:
        yield
    except optuna.exceptions.UpdateFinishedTrialError:
        raise Lost from None


def _missing(objective: str, reported: Iterable[str]) -> StudyError:
    return StudyError(
        f"the models report no {objective} (they report {', '.join(reported) or 'nothing'}); compile them with "
        "metrics=['accuracy'], or give another --objective"
    )
