"""KerasTuner's HyperParameters, drawn by an Optuna trial.

A search space calls `hp.Int(...)` and gets a value that an Optuna sampler drew. The semantics are KerasTuner's (version
1.4.8), with one exception: a stepped Float reaches its top value, as its docstring promises (keras-tuner issue #1001).
"""

import copy
import json
import math
from collections.abc import Callable, MutableMapping
from decimal import Decimal
from typing import Any, NamedTuple, Self

import keras_tuner
import optuna
from keras_tuner.engine import hyperparameters as kinds
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from study.records import INDEX, REFLECTED, Value, plain
from study.search.keras_tuner_private import DrawnHyperParameters

DIGITS = 12
"""Significant digits of a stepped Float: 0.3, not 0.30000000000000004."""


class Question(NamedTuple):
    """How a hyperparameter becomes a parameter of Optuna."""

    name: str
    distribution: BaseDistribution
    decode: Callable[[Any], Value]
    """Optuna's value to the hyperparameter's."""
    encode: Callable[[Any], Any]
    """The hyperparameter's value to Optuna's."""

    def holds(self, value: Any) -> bool:
        """Whether Optuna can store the value: a default may lie outside its own domain."""
        answer = self.encode(value)
        if isinstance(self.distribution, CategoricalDistribution):
            return answer in self.distribution.choices
        params, distributions = {self.name: answer}, {self.name: self.distribution}
        try:
            create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
        except ValueError:  # the value is not in the distribution
            return False
        return math.isclose(float(self.decode(answer)), value, rel_tol=1e-9, abs_tol=1e-12)


def question(hp: Any) -> Question:
    """The Optuna parameter for a KerasTuner hyperparameter (Int, Float, Choice or Boolean).

    In Optuna a name means one parameter throughout a study; in KerasTuner the same name may be declared under several
    conditions. A conditional hyperparameter is therefore named `name[parent=value|value]`.

    Raises:
        TypeError: another kind of hyperparameter.
    """
    name = hp.name + "".join(
        f"[{condition.name}={'|'.join(map(str, condition.values))}]" for condition in hp.conditions
    )
    if isinstance(hp, (kinds.Choice, kinds.Boolean)):
        choices = list(dict.fromkeys(hp.values)) if isinstance(hp, kinds.Choice) else [True, False]
        return Question(name, CategoricalDistribution(choices), _identity, _identity)
    if isinstance(hp, (kinds.Int, kinds.Float)):
        return _numerical(name, hp)
    raise TypeError(f"the hyperparameter {hp.name!r} is a {type(hp).__name__}, which cannot be asked of Optuna")


def _numerical(name: str, hp: Any) -> Question:
    integer = isinstance(hp, kinds.Int)
    low, high, step = hp.min_value, hp.max_value, hp.step
    if hp.sampling == "linear":
        if integer:
            step = step or 1
            return Question(name, IntDistribution(low, high - (high - low) % step, step=step), int, _identity)
        if step is None:
            return Question(name, FloatDistribution(low, high), float, _identity)
        low, high, step = map(_rounded, (low, high, step))
        return Question(name, FloatDistribution(low, _top(low, high, step), step=step), _rounded, _rounded)
    if step is not None:
        return _geometric(name, hp)
    number = int if integer else float
    distribution = IntDistribution(low, high, log=True) if integer else FloatDistribution(low, high, log=True)
    if hp.sampling == "log":
        return Question(name, distribution, number, _identity)

    def reflect(value: Any) -> Any:
        # reverse_log is log mirrored: low + high - y for a log-uniform y.
        reflected = min(max(low + high - value, low), high)
        return reflected if integer else _rounded(reflected)

    return Question(name + REFLECTED, distribution, reflect, reflect)


def _geometric(name: str, hp: Any) -> Question:
    """`low * step**i` (log) or its mirror image (reverse_log), drawn by its index i: Optuna has no stepped log."""
    low, high, step = hp.min_value, hp.max_value, hp.step
    number = int if isinstance(hp, kinds.Int) else _rounded
    top = int(math.log(high / low, step) + 1e-8)
    values = [low * step**index for index in range(top + 1)]
    if hp.sampling == "reverse_log":
        values = [low + high - value for value in values]
    values = [number(value) for value in values]

    def index_of(value: Any) -> int:
        return next((index for index, point in enumerate(values) if math.isclose(point, value)), -1)

    return Question(name + INDEX, IntDistribution(0, top), lambda index: values[index], index_of)


def _top(low: float, high: float, step: float) -> float:
    """The highest point of the grid, in decimal arithmetic: 1.0 is exactly ten steps of 0.1 above 0."""
    start, end, size = (Decimal(str(number)) for number in (low, high, step))
    return float(start + (end - start) // size * size)


def _identity(value: Any) -> Any:
    return value


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def stored(declared: list[dict[str, Any]], values: dict[str, Value]) -> keras_tuner.HyperParameters:
    """KerasTuner's own HyperParameters from what a trial stores: what it `declared`, and its values."""
    # A copy, because KerasTuner changes its argument.
    return keras_tuner.HyperParameters.from_config({"space": copy.deepcopy(declared), "values": dict(values)})


class TrialHyperParameters(DrawnHyperParameters):
    """HyperParameters whose values an Optuna trial draws when a space first declares them.

    Without a trial it behaves like KerasTuner's own: every value is its default. `copy()` returns KerasTuner's plain
    class, so a copy draws nothing.

    Args:
        trial: Draws the values.
        baseline: Given for the trial that trains the defaults: each default is written into it, under the name of its
            Optuna parameter, before the value is drawn, and the sampler reads it from there. A default outside its own
            domain cannot be a parameter of Optuna: it is used as it is, and only the record contains it.
        defaults: Where each default that is a parameter of Optuna is written before a value is drawn, for a sampler
            that takes it where it has no other.
    """

    def __init__(
        self,
        trial: optuna.Trial | None = None,
        baseline: MutableMapping[str, Any] | None = None,
        defaults: MutableMapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._trial = trial
        self._baseline = baseline
        self._defaults = defaults
        self._tuned: int | None = None

    def draw(self, hp: Any) -> Value | None:
        """The trial's value of a hyperparameter; None without a trial.

        Raises:
            ValueError: an earlier trial declared it otherwise.
        """
        if self._trial is None:
            return None
        asked = question(hp)
        if self._baseline is not None:
            if not asked.holds(hp.default):
                return hp.default  # type: ignore[no-any-return]
            self._baseline[asked.name] = asked.encode(hp.default)
        elif self._defaults is not None and asked.holds(hp.default):
            self._defaults[asked.name] = asked.encode(hp.default)
        try:
            answer = _suggest(self._trial, asked.name, asked.distribution)
        except ValueError as error:
            raise ValueError(
                f"the hyperparameter {hp.name!r} is declared otherwise than in an earlier trial ({error}); give it "
                "another name, or declare its two kinds under conditional_scope"
            ) from error
        return asked.decode(answer) if self._baseline is None else hp.default

    def settle(self) -> None:
        """Stop drawing: whatever is declared from now on has its default."""
        self._trial = None
        self._tuned = len(self.space)

    def declared(self) -> list[dict[str, Any]]:
        """Every hyperparameter that was declared to be tuned, active or not, as JSON: KerasTuner's configuration."""
        tuned = self.get_config()["space"][: self._tuned]
        return json.loads(json.dumps(tuned, default=plain))  # type: ignore[no-any-return]

    @classmethod
    def with_values(cls, values: dict[str, Value]) -> Self:
        """HyperParameters without a trial and with these values, to build a stored configuration again."""
        hp = cls()
        hp.values.update(values)
        return hp


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
