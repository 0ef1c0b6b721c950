"""The search: the trials of each space, within the budget."""

from typing import Any, Literal

import optuna
from optuna.trial import TrialState

from study.config import ARRAYS, DRAWN_AT_RANDOM, GRID, SETTINGS, UNLIMITED
from study.errors import StudyFailure
from study.execution.giving_up import take_up
from study.execution.loop import Job, Work, run_all
from study.execution.session import Session
from study.execution.trials import TrialAttempt
from study.records import BASELINE_NUMBER, is_excluded
from study.search.hyperparameters import TrialHyperParameters
from study.search.own_oracle import OwnOracleSampler
from study.search.pruners import PRUNERS
from study.search.samplers import SAMPLERS, KeyedSampler
from study.search.visibility import lag_for, visible_from
from study.storage import queries, results
from study.storage.reasons import nothing_succeeded, reasons, smallest
from study.system.optuna_private import storage_of

FEWEST_EXCLUDED = DRAWN_AT_RANDOM["tpe"]
"""A search ends where so many configurations were drawn, and each of them was too large."""


def search(session: Session) -> None:
    """Tune each space until it has as many finished trials as the study asks for.

    Returns when no other process trains one of them either: a trial whose owner dies is taken up.

    Raises:
        Interrupted: by a signal; the trial under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another one continues.
        StudyFailure: too many trials in a row failed, or one of them by a FatalError of KerasTuner's.
        StudyError: a space whose models do not report the objective.
    """
    run_all(session, [SpaceSearch(session, space) for space in session.definition.spaces])


class SpaceSearch(Work[bool]):
    """The search of one space. A claim's target is whether its trial is new."""

    def __init__(self, session: Session, space: str) -> None:
        super().__init__(session, space)
        self.lag = lag_for(session.task.resources.trainers)
        self.pruner = PRUNERS[session.definition.pruner](session.definition, self.lag)
        self._baseline: dict[str, Any] = {}
        self._is_exhausted = False
        self._fits = False
        """Whether one of the first configurations is known to be small enough."""
        self.study = self._load()
        self._said = False
        self._best: float | None = None
        self._best_below = self._ended_below = 0

    def is_under_way(self) -> bool:
        known = self.claims.under_way()
        free = len(self.claims.free_of(known.running))
        left = free > 0 or (known.begun < self.session.definition.trials and not self._is_exhausted)
        return len(known.running) > free or (left and not self.session.out_of_time(self.part))

    def run(self) -> int:
        trained = super().run()
        self._say_if_out_of_time()
        return trained

    def _say_if_out_of_time(self) -> None:
        """Say once that the timeout has ended the search before the budget was spent."""
        session = self.session
        if self._said or not session.out_of_time(self.part):
            return
        finished, trials = self.claims.under_way().finished, session.definition.trials
        if finished < trials:
            self._said = True
            if session.role.first:
                session.display.say(f"{self.part}: time limit reached after {finished} of {trials} trials")

    def claim(self) -> tuple[int, bool] | None:
        """The trial that a dead process left, an enqueued one, or a new one. None where there is none, or none before
        others have ended."""
        session, storage = self.session, storage_of(self.study)
        if session.out_of_time(self.part):
            return None
        # One look at the trials: one that ends between two looks would be counted by neither.
        known = self.claims.under_way()
        self._ended_below = known.ended_below
        for left in self.claims.free_of(known.running):
            if take_up(self, left):
                return left.trial_id, False  # its stored parameters are returned when it asks again
        too_early = any(visible_from(each.number, self.lag) <= known.begun for each in known.running)
        if known.begun >= session.definition.trials or too_early or self._sampler.is_idle(known.begun):
            return None
        if not known.waiting and self._sampler.is_exhausted(self.study, known.begun):
            self._say_ended(known.begun, self._sampler.ending)
            return None
        if (too_large := self._too_large(known.begun)) is not False:
            if too_large:
                self._say_ended(known.begun, too_large)
            return None
        # As `Study.ask` does, without sampling under the lock.
        enqueued = (each for each in known.waiting if storage.set_trial_state_values(each, TrialState.RUNNING))
        trial_id = next(enqueued, None)
        if is_new := trial_id is None:
            trial_id = storage.create_new_trial(storage.get_study_id_from_name(self.study.study_name))
        self.claims.mark(trial_id)
        return trial_id, is_new

    def _too_large(self, begun: int) -> str | Literal[False]:
        """Why the search goes no further: the first configurations were all excluded. Empty while that is not known of
        one of them, and False where one is small enough. A grid has its own order: small models may come late."""
        definition = self.session.definition
        if self._fits or not definition.bounds or begun < FEWEST_EXCLUDED or definition.sampler == GRID:
            return False
        first = results.trials(self.session.study, self.part)[:FEWEST_EXCLUDED]
        if all(is_excluded(trial.user_attrs) for trial in first):
            return f"the first {len(first)} configurations are all too large, the smallest with {smallest(first)}"
        running = [trial for trial in first if not trial.state.is_finished()]
        self._fits = not all(
            is_excluded(each.user_attrs) or (each in running and not each.constraints) for each in first
        )
        return False if self._fits else ""

    def _say_ended(self, begun: int, why: str) -> None:
        if not self._is_exhausted and self.session.role.first:
            trials = self.session.definition.trials
            asked = "" if trials == UNLIMITED else f" instead of {trials}"
            self.session.display.say(f"{self.part}: {why}; the search ends after {begun} trials{asked}")
        self._is_exhausted = True

    def attempt(self, job: Job[bool]) -> TrialAttempt:
        if not job.target:
            self.study.get_trials(deepcopy=False)  # Optuna must have read the trial before it can be asked
        trial = optuna.Trial(self.study, job.trial_id)
        hp = TrialHyperParameters(
            trial,
            self._baseline if job.number == BASELINE_NUMBER and self._sampler.begins_with_defaults else None,
            self._baseline if self._sampler.takes_defaults else None,
        )
        return TrialAttempt(self, job, trial, hp)

    def refuse_to_continue(self) -> None:
        """Stop where nothing but failures has come out of this session's last trials.

        Raises:
            StudyFailure: so it is.
        """
        session, study = self.session, self.session.study
        most = session.task.options.failures_in_a_row
        last = queries.last_ended(study.store, self.study.study_name, most)
        stays = len(last) < most or any(state != TrialState.FAIL.name or ended < session.began for state, ended in last)
        if stays or self.claims.under_way().begun >= session.definition.trials:  # there is nothing left to stop
            return
        ended = [trial for trial in results.trials(study, self.part) if trial.state in results.FINISHED]
        resume = "search(...)" if session.definition.dataset == ARRAYS else f"'study resume {study.name}'"
        every = (trial for space in session.definition.spaces for trial in results.trials(study, space))
        then = "start again" if nothing_succeeded(every) else f"{resume} continues"
        raise StudyFailure(
            f"{most} trials of {self.part} failed in a row, {reasons(ended[-most:])}; mend the cause, then {then}"
        )

    def forget_trials(self) -> None:
        self.study = self._load()

    def best_so_far(self) -> float | None:
        """The best value of all workers. What had ended at the claim before the last one is not read again."""
        objective, store = self.session.definition.objective, self.session.study.store
        found = queries.best(store, self.study.study_name, objective.direction, self._best_below)
        self._best_below = self._ended_below
        self._best = objective.best(each for each in (self._best, found and found[1]) if each is not None)
        return self._best

    def _load(self) -> optuna.Study:
        session = self.session
        own = session.task.objects.oracle
        self._sampler = self._keyed() if own is None else OwnOracleSampler(own, self._baseline)
        return session.study.load(self.part, sampler=self._sampler, pruner=self.pruner)

    def _keyed(self) -> KeyedSampler:
        session, definition = self.session, self.session.definition
        sampler = KeyedSampler(
            SAMPLERS[definition.sampler],
            lambda *key: definition.seed_for(self.part, "sampler", *key),
            self._baseline,
            self.lag,
            session.declared[self.part],
            {name: value for name, value in definition.settings.items() if SETTINGS[name] == definition.sampler},
        )
        sampler.takes_defaults = definition.sampler == GRID
        return sampler
