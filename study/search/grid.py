"""The combinations of a space's values, in the order of KerasTuner's grid search."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras_tuner


def combinations(hp: keras_tuner.HyperParameters) -> Iterator[dict[str, Any]]:
    """Each combination of the active hyperparameters' values: the default first, then the others as KerasTuner lists
    them (ten of a continuum), the last hyperparameter changing fastest."""
    space = list(hp.space)

    def walk(index: int, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(space):
            yield values
            return
        each, hp.values = space[index], values
        if each.name in values or not hp.is_active(each):
            yield from walk(index + 1, values)
            return
        for value in dict.fromkeys([each.default, *each.values]):
            yield from walk(index + 1, {**values, each.name: value})

    return walk(0, {})


def untried(
    hp: keras_tuner.HyperParameters, tried: Iterable[Mapping[str, Any]], usable: Any = lambda values: True
) -> dict[str, Any] | None:
    """The first combination that no trial has tried; None where there is none left.

    A trial has tried every combination that has its values: what differs beside those, its build does not use.

    Args:
        hp: The space as far as it is known.
        tried: The values of the trials.
        usable: Whether a combination can be trained.
    """
    names = {each.name for each in hp.space}
    seen: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
    for values in tried:
        key = tuple(name for name in values if name in names)
        seen.setdefault(key, set()).add(tuple(values[name] for name in key))
    for values in combinations(hp):
        covered = any(
            tuple(values[name] for name in key) in each for key, each in seen.items() if values.keys() >= set(key)
        )
        if not covered and usable(values):
            return values
    return None
