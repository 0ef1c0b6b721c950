"""KerasTuner's search algorithms as Optuna samplers.

KerasTuner's oracles keep their state in files of their own. Here an oracle is made anew for each trial, from what is
stored of the trials that it may know of: their values, scores and declarations. So it goes on after a restart as if
there had been none, and shares budget, storage, pruning and report with every other sampler.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine import hyperparameters as kinds
from keras_tuner.engine.trial import Trial, TrialStatus
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from sklearn.exceptions import ConvergenceWarning

from study.errors import StudyError
from study.hyperparameters import Question, question, stored
from study.records import DECLARED, RECORD, TrialRecord, Value
from study.samplers import Draw, first_to_know

KINDS = {
    "kt-random": keras_tuner.oracles.RandomSearchOracle,
    "kt-bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    "kt-grid": keras_tuner.oracles.GridSearchOracle,
}


class OracleSampler(BaseSampler):
    """An oracle of KerasTuner's that answers as an Optuna sampler.

    `kt-random` does not repeat a configuration. `kt-bayesian` draws three trials a hyperparameter at random first;
    a pruned trial counts with its last value. `kt-grid` takes the combinations in KerasTuner's order, the defaults
    first; a hyperparameter that shows up later begins a new round. Whatever an oracle has no answer to (a
    hyperparameter that no known trial has declared, a space that is exhausted) is drawn at random.

    Args:
        name: Of `KINDS`.
        draw: What the sampler is made from.
    """

    def __init__(self, name: str, draw: Draw) -> None:
        self._name = name
        self._draw = draw
        self._answers: dict[str, Any] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the oracle has an answer to, as Optuna's parameters."""
        questions = {}
        for asked, value in self._answered(study, trial.number):
            if asked.holds(value):
                questions[asked.name] = asked.distribution
                self._answers[asked.name] = asked.encode(value)
        return questions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Those answers."""
        return {name: self._answers[name] for name in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random draw."""
        random = RandomSampler(seed=self._draw.seed)
        return random.sample_independent(study, trial, param_name, param_distribution)

    def _answered(self, study: optuna.Study, number: int) -> Iterator[tuple[Question, Any]]:
        """Each active hyperparameter and the value that the oracle has for it."""
        oracle, since = self._oracle(study)
        if isinstance(oracle, keras_tuner.oracles.GridSearchOracle):
            values = _combination(oracle, number - since + 1)
        else:
            with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
                values = oracle.populate_space(str(number))["values"]
        hp = oracle.get_space()
        hp.values = values or {}
        for each in hp.space:
            if each.name in hp.values and hp.is_active(each) and not isinstance(each, kinds.Fixed):
                yield question(each), hp.values[each.name]

    def _oracle(self, study: optuna.Study) -> tuple[Any, int]:
        """The oracle as it stands after the known trials, and the first trial that knew this space."""
        direction = "max" if study.direction == optuna.study.StudyDirection.MAXIMIZE else "min"
        oracle = KINDS[self._name](
            objective=keras_tuner.Objective("objective", direction),
            max_trials=None,
            seed=max(1, self._draw.seed),  # it takes 0 for none
            hyperparameters=_hyperparameters(self._draw.declared.declared() if self._draw.declared else [], {}),
        )
        since = 1
        back = self._draw.back
        for trial in sorted(study.get_trials(deepcopy=False), key=lambda each: first_to_know(each.number, back)):
            if DECLARED not in trial.user_attrs or RECORD not in trial.user_attrs:
                continue
            values = TrialRecord.from_json(trial.user_attrs[RECORD]).values
            hp = _hyperparameters(trial.user_attrs[DECLARED], values)
            had = len(oracle.hyperparameters.space)
            oracle.update_space(hp)
            if len(oracle.hyperparameters.space) > had:
                since = max(since, first_to_know(trial.number, back))
            score = _score(trial)
            status = TrialStatus.FAILED if score is None else TrialStatus.COMPLETED
            known = Trial(hyperparameters=hp, trial_id=str(trial.number), status=status)
            known.score = score
            oracle.trials[known.trial_id] = known
            oracle._record_values(known)  # so that it is not drawn again
        return oracle, since


def _hyperparameters(declared: list[dict[str, Any]], values: dict[str, Value]) -> keras_tuner.HyperParameters:
    """KerasTuner's own. The values of its stepped Floats are written as it writes them, so that it knows them again."""
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


def refuse_repeated(hp: keras_tuner.HyperParameters) -> None:
    """Refuse a name under several conditions, which KerasTuner's grid mixes up.

    Raises:
        StudyError: naming it.
    """
    names = [each.name for each in hp.space]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise StudyError(
            f"--sampler kt-grid takes each name once, and the space declares {', '.join(repeated)} under several "
            "conditions; give them different names, or give another sampler"
        )


def _combination(oracle: Any, number: int) -> dict[str, Any] | None:
    """The values of a grid's combination, 0 being the defaults; None beyond the last.

    Raises:
        StudyError: as `refuse_repeated`.
    """
    hp = oracle.get_space()
    refuse_repeated(hp)
    hp.values = {each.name: each.default for each in hp.space}
    values: dict[str, Any] | None = {each.name: each.default for each in hp.space if hp.is_active(each)}
    for _ in range(number):
        values = oracle._get_next_combination(values)
        if values is None:
            break
    return values
