"""The hyperparameters of a space as its models saw them: real values and bounds, not what Optuna was asked."""

import re
from functools import cache
from typing import Any, NamedTuple

from optuna.trial import TrialState

from reports.collect import SpaceResults
from study.records import Value


class Parameter(NamedTuple):
    """A hyperparameter over the complete trials in which it is active."""

    name: str
    trials: list[int]
    """Their numbers."""
    values: list[Value]
    results: list[float]
    """What came of them: the trials' values."""
    numeric: bool
    """Numbers of a range; otherwise choices."""
    log: bool
    """Whether the range is searched on a logarithmic scale."""
    low: float | None
    high: float | None
    """The bounds of the search; None of choices, and where only a part of the space declares it."""

    @property
    def varies(self) -> bool:
        """Whether two trials differ in it."""
        return any(value != self.values[0] for value in self.values)

    @property
    def choices(self) -> list[Value]:
        """Its different values in order: numbers by size, texts by the alphabet."""
        return sorted(set(self.values), key=lambda value: (isinstance(value, str), value))


@cache
def of(space: SpaceResults) -> list[Parameter]:
    """Each hyperparameter of the complete trials, in the order in which the space declares them."""
    rows: dict[str, list[tuple[int, Value, float]]] = {}
    for trial in space.trials:
        record = space.record(trial)
        if trial.state != TrialState.COMPLETE or trial.value is None or record is None:
            continue
        for name, value in record.values.items():
            rows.setdefault(name, []).append((trial.number, value, trial.value))
    return [_parameter(name, found, _declarations(space.declared, name)) for name, found in rows.items()]


def _parameter(name: str, rows: list[tuple[int, Value, float]], declarations: list[dict[str, Any]]) -> Parameter:
    values = [value for _, value, _ in rows]
    ranges = [each for each in declarations if each["kind"] in ("Int", "Float")]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    numeric = len(numbers) == len(values) and len(ranges) == len(declarations)
    bounded = numeric and bool(ranges)
    return Parameter(
        name,
        [number for number, _, _ in rows],
        values,
        [result for _, _, result in rows],
        numeric=numeric,
        log=bounded and all(each.get("sampling") == "log" for each in ranges) and min(numbers) > 0,
        low=min(float(each["min_value"]) for each in ranges) if bounded else None,
        high=max(float(each["max_value"]) for each in ranges) if bounded else None,
    )


def _declarations(declared: dict[str, dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """How a name is declared, under each of its conditions (see `study.fingerprints`)."""
    return [each for key, each in declared.items() if key == name or key.startswith(f"{name} if ")]


def real_name(asked: str, names: list[str]) -> str:
    """The hyperparameter behind Optuna's name for it, which may tell conditions and a scale
    (see `study.hyperparameters`)."""
    plain = re.sub(r"~(reflected|index)$", "", asked)
    known = [name for name in names if plain == name or plain.startswith(f"{name}[")]
    return max(known, key=len, default=asked)
