"""KerasTuner's search algorithms as Optuna samplers.

KerasTuner's oracles keep their state in files of their own. Here an oracle is rebuilt for each trial from what the
visible trials store: their values, scores and declarations. After a restart it therefore continues as if there had
been none, and it shares budget, storage, pruning and report with every other sampler.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import keras_tuner
import optuna
from keras_tuner.engine import hyperparameters as kinds
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sklearn.exceptions import ConvergenceWarning

from study.config import GRID
from study.records import BASELINE_NUMBER, DECLARED, RECORD, TrialRecord, Value
from study.search import exhaustion, keras_tuner_private
from study.search.grid import combinations, untried
from study.search.hyperparameters import Question, question, stored
from study.search.visibility import visible_from

KINDS = {
    "kt-random": keras_tuner.oracles.RandomSearchOracle,
    "kt-bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    "kt-grid": keras_tuner.oracles.GridSearchOracle,
}


class AnsweringSampler(BaseSampler):
    """A sampler that has looked up its values by the time that Optuna knows the parameters."""

    def __init__(self) -> None:
        self._answers: dict[str, Any] = {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of these parameters."""
        return {name: self._answers[name] for name in search_space}


class OracleSampler(AnsweringSampler):
    """One of KerasTuner's oracles as an Optuna sampler.

    `kt-random` does not repeat a configuration. `kt-bayesian` first draws three trials per hyperparameter at random; a
    pruned trial counts with its last value. `kt-grid` takes each combination once, in KerasTuner's order, the defaults
    first; with several workers, a hyperparameter that appears later starts a new round. Where an oracle has no value (a
    hyperparameter that no visible trial has declared), it is drawn at random.

    Args:
        name: One of `KINDS`.
        seed: Of this draw.
        lag: See `visibility.lag_for`.
        declared: What the space declares with its defaults, as KerasTuner's configuration; empty if not known.
        settings: What the oracle is made with, besides: of `config.SETTINGS`.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        lag: int,
        declared: list[dict[str, Any]],
        settings: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._seed = seed
        self._lag = lag
        self._declared = declared
        self._settings = settings
        super().__init__()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The Optuna parameters that the oracle has values for."""
        distributions = {}
        for asked, value in self._proposed(study, trial.number):
            if asked.holds(value):
                distributions[asked.name] = asked.distribution
                self._answers[asked.name] = asked.encode(value)
        return distributions

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random draw."""
        random = RandomSampler(seed=self._seed)
        return random.sample_independent(study, trial, param_name, param_distribution)

    def is_exhausted(self, study: optuna.Study, number: int) -> bool:
        """Whether a trial would have to repeat a configuration: a grid is at its end, or every value was tried."""
        if self._name == GRID:
            return number > BASELINE_NUMBER and self._combination(self._past(study), number) is None
        return exhaustion.is_exhausted(study.get_trials(deepcopy=False))

    def _proposed(self, study: optuna.Study, number: int) -> Iterator[tuple[Question, Any]]:
        """What the oracle has for a trial."""
        past = self._past(study)
        if self._name == GRID:
            values = self._combination(past, number)
        else:
            with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
                values = past.oracle.populate_space(str(number))["values"]
            # It draws again where it drew what was tried, but only so often.
            values = values or past.untried()
        hp = past.oracle.get_space()
        hp.values = values or {}
        return answers(hp)

    def _combination(self, past: "_Past", number: int) -> dict[str, Any] | None:
        """What a trial takes of the grid; None at its end."""
        if self._lag > 1:  # what the trials under way take is not known, but how many there are
            return next(islice(combinations(past.oracle.get_space()), number - past.since + 1, None), None)
        return past.untried()

    def _past(self, study: optuna.Study) -> "_Past":
        direction = "max" if study.direction == StudyDirection.MAXIMIZE else "min"
        oracle = KINDS[self._name](
            objective=keras_tuner.Objective("objective", direction),
            max_trials=None,
            seed=max(1, self._seed),  # 0 means no seed
            hyperparameters=_hyperparameters(self._declared, {}),
            **self._settings,
        )
        since, tried = 1, []
        trials = study.get_trials(deepcopy=False)
        for trial in sorted(trials, key=lambda each: visible_from(each.number, self._lag)):
            if DECLARED not in trial.user_attrs or RECORD not in trial.user_attrs:
                continue
            values = TrialRecord.from_json(trial.user_attrs[RECORD]).values
            hp = _hyperparameters(trial.user_attrs[DECLARED], values)
            tried.append(dict(hp.values))
            size = len(oracle.hyperparameters.space)
            oracle.update_space(hp)
            if len(oracle.hyperparameters.space) > size:
                since = max(since, visible_from(trial.number, self._lag))
            score = _score(trial)
            status = TrialStatus.FAILED if score is None else TrialStatus.COMPLETED
            past = Trial(hyperparameters=hp, trial_id=str(trial.number), status=status)
            past.score = score
            keras_tuner_private.record(oracle, past)
        return _Past(oracle, since, tried)


class _Past(NamedTuple):
    """What an oracle knows of the visible trials."""

    oracle: Any
    since: int
    """The first trial that sees the space as it is now."""
    tried: list[dict[str, Any]]
    """The values of each."""

    def untried(self) -> dict[str, Any] | None:
        """The first combination that none of them has tried."""
        hp = self.oracle.get_space()
        return untried(hp, self.tried, _is_usable(hp))


def answers(hp: keras_tuner.HyperParameters) -> Iterator[tuple[Question, Any]]:
    """Each active hyperparameter that has a value, and the value."""
    for each in hp.space:
        if each.name in hp.values and hp.is_active(each) and not isinstance(each, kinds.Fixed):
            yield question(each), hp.values[each.name]


def _is_usable(hp: keras_tuner.HyperParameters) -> Callable[[dict[str, Any]], bool]:
    """Whether Optuna can store a combination: a default may lie outside its own domain."""
    questions = [(each, question(each)) for each in hp.space if not isinstance(each, kinds.Fixed)]

    def holds(values: dict[str, Any]) -> bool:
        hp.values = values
        return all(
            asked.holds(values[each.name]) for each, asked in questions if each.name in values and hp.is_active(each)
        )

    return holds


def _hyperparameters(declared: list[dict[str, Any]], values: dict[str, Value]) -> keras_tuner.HyperParameters:
    """KerasTuner's own. The values of stepped Floats are written as KerasTuner writes them, so it recognises them."""
    hp = stored(declared, values)
    for each in hp.space:
        if isinstance(each, kinds.Float) and each.step is not None and each.name in hp.values and hp.is_active(each):
            hp.values[each.name] = each.prob_to_value(each.value_to_prob(hp.values[each.name]))
    return hp


def _score(trial: FrozenTrial) -> float | None:
    """A trial's value, a pruned one's last; None for one that failed or reported nothing."""
    if trial.state == TrialState.PRUNED and trial.last_step is not None:
        return trial.intermediate_values[trial.last_step]
    return trial.value if trial.state == TrialState.COMPLETE else None
