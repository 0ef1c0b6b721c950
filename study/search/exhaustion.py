"""Whether a search has tried every configuration of its space.

A space is defined while it is built, so its size is known only from what trials were asked. They make a tree: all
trials with the same values so far were asked for the same parameter next. It is complete when every value of every
parameter in it was tried.
"""

from collections.abc import Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

Answers = list[tuple[str, BaseDistribution, object]]
MOST_FAILURES = 3
"""Trials with the same values that may fail before all is declared; then nothing more is expected to follow."""


def is_exhausted(trials: Sequence[FrozenTrial]) -> bool:
    """Whether trials that have ended cover their space. One without parameters is not: its trials differ by chance."""
    last = trials[-1].distributions.values() if trials else ()
    if any((size := _size(each)) is None or size > len(trials) for each in last):
        return False  # at once, for most spaces
    asked = [
        ([(name, each.distributions[name], each.params[name]) for name in each.params], each.state == TrialState.FAIL)
        for each in trials
    ]
    return any(answers for answers, _ in asked) and _is_complete(asked)


def _is_complete(trials: Sequence[tuple[Answers, bool]]) -> bool:
    """Whether trials with the same values so far, and whether they failed, cover what follows."""
    asked = [(answers, failed) for answers, failed in trials if answers]
    if not asked:
        return len(trials) >= MOST_FAILURES or not all(failed for _, failed in trials)
    name, distribution, _ = asked[-1][0][0]
    size = _size(distribution)
    if size is None or size > len(asked):
        return False
    branches: dict[object, list[tuple[Answers, bool]]] = {}
    for ((other, _, value), *rest), failed in asked:
        if other == name:
            branches.setdefault(value, []).append((rest, failed))
    return len(branches) >= size and all(map(_is_complete, branches.values()))


def _size(distribution: BaseDistribution) -> int | None:
    """How many values there are; None for a continuum."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        return round((distribution.high - distribution.low) / distribution.step) + 1
    return None
