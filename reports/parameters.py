"""The hyperparameters of a space as its models saw them: real values and bounds, not Optuna's encoded ones."""

from typing import NamedTuple

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from reports.collect import Outcome, SpaceResults, once
from reports.panels import number
from study.records import INDEX, REFLECTED, Value


class Parameter(NamedTuple):
    """A hyperparameter over the trials in which it is active, whatever came of them."""

    name: str
    outcomes: list[Outcome]
    """Those trials."""
    numeric: bool
    """Whether it is drawn from a range of numbers; otherwise it is a choice."""
    log: bool
    """Whether the range is searched on a logarithmic scale."""
    low: float | None
    high: float | None
    """The bounds of the search; None for choices, and where they are unknown."""

    @property
    def trials(self) -> list[int]:
        """The numbers of the trials."""
        return [each.trial for each in self.outcomes]

    @property
    def values(self) -> list[Value]:
        """Its value in each of the trials."""
        return [each.values[self.name] for each in self.outcomes]

    @property
    def varies(self) -> bool:
        """Whether two trials differ in it."""
        values = self.values
        return any(value != values[0] for value in values)

    @property
    def choices(self) -> list[Value]:
        """Its distinct values: numbers by size, then texts alphabetically."""
        return sorted(set(self.values), key=lambda value: (isinstance(value, str), value))


class Range(NamedTuple):
    """What a hyperparameter that is not a choice is drawn from."""

    low: float
    high: float
    log: bool


@once
def of(space: SpaceResults) -> list[Parameter]:
    """Each hyperparameter of the trials, in the order in which the space declares them."""
    rows: dict[str, list[Outcome]] = {}
    for outcome in space.outcomes:
        for name in outcome.values:
            rows.setdefault(name, []).append(outcome)
    asked = _asked(space, list(rows))
    return [_parameter(name, found, _declared(space, name) or asked.get(name, [])) for name, found in rows.items()]


def _parameter(name: str, outcomes: list[Outcome], domains: list[Range | None]) -> Parameter:
    """`domains` has one entry for each of its conditions, None for choices."""
    values = [each.values[name] for each in outcomes]
    ranges = [each for each in domains if each is not None]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    numeric = len(numbers) == len(values) and len(ranges) == len(domains)
    bounded = numeric and bool(ranges)
    return Parameter(
        name,
        outcomes,
        numeric=numeric,
        log=bounded and all(each.log for each in ranges) and min(numbers) > 0,
        low=min(each.low for each in ranges) if bounded else None,
        high=max(each.high for each in ranges) if bounded else None,
    )


def _declared(space: SpaceResults, name: str) -> list[Range | None]:
    """As the space declares a name while its defaults are built, under each of its conditions."""
    declarations = [each for key, each in space.declared.items() if key == name or key.startswith(f"{name} if ")]
    return [
        Range(float(each["min_value"]), float(each["max_value"]), each.get("sampling") == "log")
        if each["kind"] in ("Int", "Float")
        else None
        for each in declarations
    ]


def declared_choices(space: SpaceResults, name: str) -> list[Value]:
    """The choices that the space declares under a name, whatever its conditions, in that order; none where unknown."""
    declarations = [each for key, each in space.declared.items() if key == name or key.startswith(f"{name} if ")]
    return list(dict.fromkeys(value for each in declarations for value in each.get("values", [])))


def searched(space: SpaceResults, parameter: Parameter) -> str:
    """What a hyperparameter was searched in, in words, as far as it is known."""
    if parameter.low is None or parameter.high is None:
        return ", ".join(map(number, declared_choices(space, parameter.name) or parameter.choices))
    return f"{number(parameter.low)} to {number(parameter.high)}{', log' if parameter.log else ''}"


def _asked(space: SpaceResults, names: list[str]) -> dict[str, list[Range | None]]:
    """As Optuna was asked for them, which includes those that the defaults do not reach."""
    distributions = {asked: each for trial in space.trials for asked, each in trial.distributions.items()}
    found: dict[str, list[Range | None]] = {}
    for asked, each in distributions.items():
        domains = found.setdefault(real_name(asked, names), [])
        if isinstance(each, CategoricalDistribution):
            domains.append(None)
        elif isinstance(each, (IntDistribution, FloatDistribution)) and not asked.endswith(INDEX):
            domains.append(Range(each.low, each.high, each.log and not asked.endswith(REFLECTED)))
    return found


def real_name(asked: str, names: list[str]) -> str:
    """The hyperparameter behind Optuna's name for it, which may include conditions and a scale
    (see `study.search.hyperparameters`)."""
    plain = asked.removesuffix(REFLECTED).removesuffix(INDEX)
    known = [name for name in names if plain == name or plain.startswith(f"{name}[")]
    return max(known, key=len, default=asked)
