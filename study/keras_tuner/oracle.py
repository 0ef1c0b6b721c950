"""A tuner's `oracle`: KerasTuner's calls, answered from the storage."""

import math
from typing import TYPE_CHECKING, Any, NoReturn

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.trial import FrozenTrial, TrialState

from study.config import GRID, OWN_ORACLE
from study.errors import StudyError
from study.objective import Objective
from study.records import DECLARED, RECORD, TrialRecord
from study.search.hyperparameters import stored
from study.storage import results

if TYPE_CHECKING:
    from study.keras_tuner.tuner import Tuner

STATUS = {
    TrialState.COMPLETE: TrialStatus.COMPLETED,
    TrialState.PRUNED: TrialStatus.COMPLETED,
    TrialState.FAIL: TrialStatus.FAILED,
}


class StudyOracle(keras_tuner.Oracle):
    """The trials of a tuner's study. Everything is read when it is asked for."""

    def __init__(self, tuner: "Tuner", objective: Any) -> None:
        given = tuner.given
        self._tuner = tuner
        self.objective = objective
        self.max_trials = given.max_trials
        self.seed = given.seed
        self.tune_new_entries, self.allow_new_entries = given.tune_new_entries, given.allow_new_entries
        self.max_retries_per_trial = given.max_retries_per_trial
        self.max_consecutive_failed_trials = given.max_consecutive_failed_trials
        self.directory, self.project_name = str(tuner.directory), tuner.project_name
        self.tuner_ids = {tuner.tuner_id}
        self.__dict__.update(given.settings)

    verbose: Any = "auto"
    multi_worker, should_report = False, True

    def trial_id(self, number: int) -> str:
        """What KerasTuner calls the trial of that number."""
        return f"{number:0{len(str(self.max_trials))}d}"

    @property
    def trials(self) -> dict[str, Trial]:
        """Every trial that has begun, by its identifier."""
        return {self.trial_id(each.number): self._trial(each) for each in self._tuner.stored_trials()}

    @property
    def ongoing_trials(self) -> dict[str, Trial]:
        """The trial under way in this process, by the tuner's identifier."""
        trial = self._tuner.trial_under_way
        return {} if trial is None else {self._tuner.tuner_id: trial}

    @property
    def start_order(self) -> list[str]:
        """The trials' identifiers."""
        return list(self.trials)

    @property
    def end_order(self) -> list[str]:
        """The identifiers of the trials that have ended, as they ended."""
        ended = [each for each in self._tuner.stored_trials() if each.datetime_complete is not None]
        return [self.trial_id(each.number) for each in sorted(ended, key=lambda each: str(each.datetime_complete))]

    @property
    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """The space, with its defaults: the object that the tuner was given, if it was, as in KerasTuner."""
        given, space = self._tuner.given.hyperparameters, self.get_space()
        if given is None:
            return space
        given.merge(space.space, overwrite=False)
        return given

    def get_trial(self, trial_id: str) -> Trial:
        """The trial of that identifier.

        Raises:
            KeyError: there is none.
        """
        found = next((each for each in self._tuner.stored_trials() if each.number == int(trial_id)), None)
        if found is None:
            raise KeyError(trial_id)
        return self._trial(found)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """The best trials that have a value: the complete ones, then those that were pruned, by what they reached."""
        objective = self._tuner.definition.objective
        ranked = []
        for trial in self._tuner.stored_trials():
            value = reached(trial, objective)
            if value is not None and DECLARED in trial.user_attrs:
                ranked.append(((trial.state == TrialState.PRUNED, objective.rank(value), trial.number), trial))
        return [self._trial(trial) for _, trial in sorted(ranked, key=lambda pair: pair[0])[: int(num_trials)]]

    def get_space(self) -> keras_tuner.HyperParameters:
        """Every hyperparameter that the builds of all branches, or trials, have declared; without `tune_new_entries`
        every one that was given."""
        given = self._tuner.given.hyperparameters
        if given is not None and not self.tune_new_entries:
            return given.copy()
        hp = self._tuner.explored.copy()
        for trial in self._tuner.stored_trials():
            if DECLARED in trial.user_attrs:
                hp.merge(stored(trial.user_attrs[DECLARED], {}).space, overwrite=False)
        return hp

    def remaining_trials(self) -> int | None:
        """Trials that the search still has to finish; None where it ends with its space."""
        return self._tuner.remaining_trials

    def update_trial(self, trial_id: str, metrics: dict[str, Any], step: int = 0) -> Trial:
        """Report metrics of the trial under way from within `run_trial`, as of one more epoch.

        Raises:
            StudyError: another trial.
        """
        return self._tuner.running(trial_id).report(metrics)

    def end_trial(self, trial: Any, status: str = "COMPLETED") -> None:
        """Nothing is left to do: the search stores what came of a trial."""

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Nothing is left to do: each trial stores what it declares."""

    def save(self) -> None:
        """Nothing is left to do: everything is in the storage."""

    def reload(self) -> None:
        """There is nothing to reload: everything is read when it is asked for."""

    def get_state(self) -> dict[str, Any]:
        """Nothing: all of it is in the storage."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing is set: all of it is in the storage."""

    def create_trial(self, tuner_id: str) -> NoReturn:
        """Trials are created by `search` alone."""
        _refuse("create_trial")

    def populate_space(self, trial_id: str) -> NoReturn:
        """Values are drawn by the study's sampler."""
        _refuse("populate_space")

    def score_trial(self, trial: Trial) -> NoReturn:
        """Trials are scored by the study."""
        _refuse("score_trial")

    def _trial(self, trial: FrozenTrial) -> Trial:
        """A stored trial as KerasTuner's: one observation of each metric, at the epoch that scores it."""
        record = results.record(trial)
        declared = trial.user_attrs.get(DECLARED, [])
        found = Trial(
            hyperparameters=stored(declared, record.values if record else {}),
            trial_id=self.trial_id(trial.number),
            status=STATUS.get(trial.state, TrialStatus.RUNNING),
            message=(record.traceback or record.error) if record else None,
        )
        objective = self._tuner.definition.objective
        found.score = reached(trial, objective)
        if record is not None and found.score is not None:
            found.best_step = max((record.best_epoch or 1) - 1, 0)
            for name, value in _metrics(record, found.best_step).items() | {(objective.name, found.score)}:
                if not found.metrics.exists(name):
                    is_objective = name == objective.name
                    found.metrics.register(name, self.objective.direction if is_objective else None)
                    found.metrics.update(name, found.score if is_objective else value, step=found.best_step)
        return found


class RandomOracle(StudyOracle, oracles.RandomSearchOracle):
    """Of `RandomSearch`."""


class GridOracle(StudyOracle, oracles.GridSearchOracle):
    """Of `GridSearch`."""


class BayesianOracle(StudyOracle, oracles.BayesianOptimizationOracle):
    """Of `BayesianOptimization`."""


class HalvingOracle(StudyOracle, oracles.HyperbandOracle):
    """Of `Hyperband`."""

    def __init__(self, tuner: "Tuner", objective: Any) -> None:
        super().__init__(tuner, objective)
        self.min_epochs, self.max_epochs = 1, tuner.given.max_epochs
        self.hyperband_iterations = tuner.given.hyperband_iterations or math.inf


class UsersOracle(StudyOracle):
    """Of a tuner that was given an oracle of the user's own class, which has whatever else is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name == "_tuner":  # it is asked for before it is set
            raise AttributeError(name)
        return getattr(self._tuner.given.oracle, name)


OF_SAMPLER = {"kt-random": RandomOracle, GRID: GridOracle, "kt-bayesian": BayesianOracle, OWN_ORACLE: UsersOracle}


def oracle_of(tuner: "Tuner", objective: Any) -> StudyOracle:
    """A tuner's oracle, which is an instance of KerasTuner's for that tuner."""
    is_hyperband = tuner.given.max_epochs is not None
    kind = HalvingOracle if is_hyperband else OF_SAMPLER.get(tuner.given.sampler, StudyOracle)
    return kind(tuner, objective)


def reached(trial: FrozenTrial, objective: Objective) -> float | None:
    """What a trial is worth: its value, or the best of what it had reached when it was pruned."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    if trial.state != TrialState.PRUNED or RECORD not in trial.user_attrs:
        return None
    record = TrialRecord.from_json(trial.user_attrs[RECORD])
    logged = record.history.get(objective.name, [])
    return objective.best(value for value in logged if value is not None and math.isfinite(value))


def _metrics(record: TrialRecord, step: int) -> dict[str, float]:
    """What was logged at that epoch, from 0."""
    at = {name: values[step] for name, values in record.history.items() if step < len(values)}
    return {name: value for name, value in at.items() if value is not None}


def _refuse(name: str) -> NoReturn:
    raise StudyError(
        f"oracle.{name}() is not here: search() creates, draws and scores the trials; tuner.oracle.trials has them; an "
        "oracle of keras_tuner.oracles without a tuner takes every call"
    )
