"""An oracle of the user's own class as an Optuna sampler.

KerasTuner's own oracles are rebuilt for each trial (`oracles.py`). What a user's oracle remembers is not known: it is
asked and told as KerasTuner does it, and saves and reloads its state itself.
"""

from collections.abc import Mapping
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from study.errors import StudyError
from study.search.hyperparameters import Question
from study.search.oracles import AnsweringSampler, answers


class OwnOracle:
    """A user's oracle, with the trials that it gave by the numbers that they have in the study.

    Args:
        oracle: The oracle, which has its folder.
        tuner_id: Who asks it.
    """

    def __init__(self, oracle: keras_tuner.Oracle, tuner_id: str) -> None:
        self.oracle = oracle
        self._tuner_id = tuner_id
        self._given: dict[int, Trial] = {}
        self.status: str = TrialStatus.RUNNING
        """What the oracle answered last."""

    def ask(self, number: int) -> Trial | None:
        """What it gives for a trial of the study; None where it gives nothing, or nothing yet."""
        if number not in self._given:
            trial = self.oracle.create_trial(self._tuner_id)
            self.status = trial.status
            if trial.status == TrialStatus.RUNNING:
                self._given[number] = trial
        return self._given.get(number)

    def tell(self, number: int, ended: Trial) -> None:
        """What came of a trial that it gave."""
        given = self.ask(number)  # one that another process began, and whose values were known, was not asked for here
        if given is None:
            return
        del self._given[number]
        given.hyperparameters, given.status, given.message = ended.hyperparameters, ended.status, ended.message
        if ended.score is not None:
            metrics = {name: ended.metrics.get_best_value(name) for name in ended.metrics.metrics}
            self.oracle.update_trial(given.trial_id, metrics, step=ended.best_step)
        self.oracle.end_trial(given)


class OwnOracleSampler(AnsweringSampler):
    """Gives each trial what the oracle has for it. What the oracle does not know has its default.

    Args:
        own: The oracle.
        defaults: Those of the parameters, filled while a trial asks for them.
    """

    takes_defaults, begins_with_defaults = True, False
    ending = "the oracle has stopped"

    def __init__(self, own: OwnOracle, defaults: Mapping[str, Any]) -> None:
        self._own = own
        self._defaults = defaults
        super().__init__()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The Optuna parameters that the oracle has values for.

        Raises:
            StudyError: one that its declaration does not allow.
        """
        given, distributions = self._own.ask(trial.number), {}
        for asked, value in answers(given.hyperparameters) if given is not None else ():
            self._answers[asked.name] = self._encoded(asked, value)
            distributions[asked.name] = asked.distribution
        return distributions

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The oracle's value where it has one for a hyperparameter that it does not know yet; else the default, or a
        random draw where that is no value that Optuna can store.

        Raises:
            StudyError: a value that the declaration does not allow.
        """
        given = self._own.ask(trial.number)
        if given is not None and param_name in given.hyperparameters.values:
            asked = Question(param_name, param_distribution, lambda value: value, lambda value: value)
            return self._encoded(asked, given.hyperparameters.values[param_name])
        if param_name in self._defaults:
            return self._defaults[param_name]
        return RandomSampler(seed=trial.number).sample_independent(study, trial, param_name, param_distribution)

    def _encoded(self, asked: Question, value: Any) -> Any:
        if not asked.holds(value):
            kind = type(self._own.oracle).__name__
            raise StudyError(f"{kind} gave {asked.name}={value!r}, which is no value of {asked.distribution}")
        return asked.encode(value)

    def is_idle(self, number: int) -> bool:
        """Whether the oracle wants to be asked again."""
        self._own.ask(number)
        return bool(self._own.status == TrialStatus.IDLE)

    def is_exhausted(self, study: optuna.Study, number: int) -> bool:
        """Whether the oracle has stopped."""
        return bool(self._own.status == TrialStatus.STOPPED)
