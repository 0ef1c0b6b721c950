"""The epochs of a fit: what they logged, and what the fit is worth by them and by what it returned."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from study.config import Direction
from study.errors import StudyError
from study.records import History, finite


class Diverged(ArithmeticError):
    """A loss or a result that is not a number."""


@dataclass
class EpochLog:
    """What the epochs of a fit logged."""

    history: History = field(default_factory=dict)
    epochs: int = 0
    parameters: int | None = None
    """Weights and biases of the model, once it is built."""
    seconds: float = 0
    """Spent on these epochs by processes that were interrupted, less what this one has waited for others."""
    saved: int = 0
    """The last epoch that a checkpoint holds."""
    first: int = 1
    """The first epoch that counts: of a fit in stages KerasTuner sees the History that is returned, the last one's."""
    result: dict[str, float] = field(default_factory=dict)
    """Metrics that a HyperModel's own `fit` returned; they count instead of what the epochs logged."""
    asked: int = 0
    """Epochs that this fit was asked for: to train so many gives such a result again, however many it logged."""

    def add(self, logs: Mapping[str, float]) -> None:
        """Append an epoch's logs."""
        for name, value in logs.items():
            values = self.history.setdefault(name, [])
            # A log that some epochs do not have is absent there, not shifted.
            values += [None] * (self.epochs - len(values))
            values.append(finite(value))
        self.epochs += 1

    def best(self, name: str, direction: str) -> tuple[int, float] | None:
        """The epoch, from 1, where a log was best, and its value; the earliest of equals; None where none is."""
        if name in self.result:
            return min(self.epochs, self.asked), self.result[name]
        logged = enumerate(self.history.get(name, []), 1)
        values = [(value, epoch) for epoch, value in logged if value is not None and epoch >= self.first]
        if not values:
            return None
        sign = -1 if direction == "maximize" else 1
        value, epoch = min(values, key=lambda pair: (sign * pair[0], pair[1]))
        return epoch, value


def take_result(log: EpochLog, result: Any, epochs: int, objective: str, direction: Direction) -> None:
    """Add what `HyperModel.fit` returned to the log of its epochs, scored as KerasTuner scores it
    (`tuner_utils.convert_to_metrics_dict`): a History by its best epoch, a dictionary by its metrics, a number as the
    objective, a list by the mean of its entries. What is returned by a fit without callbacks is logged as the last of
    the `epochs` that it was asked for.

    Raises:
        Diverged: the objective is not a number.
        StudyError: neither were the callbacks used nor anything of this kind returned.
    """
    history = _history(result)
    if history and not log.epochs:
        _warn()
        for logs in _by_epoch(history):
            log.add(logs)
        return
    if history and _is_end_of(history.get(objective, []), log.history.get(objective, [])):
        log.first = log.epochs - len(history.get(objective, [])) + 1
        return
    metrics = _metrics(result, objective, direction)
    if not metrics and not log.epochs:
        raise StudyError(
            "fit(hp, model, ...) must pass `callbacks` on to model.fit, or return a History, a dict of metrics, a "
            f"number or a list of these; it returned {type(result).__name__}"
        )
    if not math.isfinite(metrics.get(objective, 0.0)):
        raise Diverged(f"fit(hp, model, ...) returned {objective} {metrics[objective]}")
    if not log.epochs:
        _warn()
        log.epochs = epochs - 1
        log.add(metrics)
    log.result, log.asked = metrics, epochs


def _history(result: Any) -> dict[str, list[float]] | None:
    """What a History holds; None for anything else."""
    history = getattr(result, "history", None)
    if not isinstance(history, dict):
        return None
    return {name: [float(np.mean(value)) for value in values] for name, values in history.items()}


def _by_epoch(history: Mapping[str, list[float]]) -> list[dict[str, float]]:
    length = max(map(len, history.values()), default=0)
    return [{name: values[epoch] for name, values in history.items() if epoch < len(values)} for epoch in range(length)]


def _is_end_of(values: list[float], logged: list[float | None]) -> bool:
    """Whether the epochs of a History are the last that were logged; so is one that has no such metric."""
    end = logged[len(logged) - len(values) :]
    return len(values) <= len(logged) and [finite(value) for value in values] == end


def _metrics(result: Any, objective: str, direction: Direction) -> dict[str, float]:
    """Metrics by name; none where the result is of no kind that KerasTuner takes."""
    if isinstance(result, (int, float, np.number)):
        return {objective: float(result)}
    if isinstance(result, list) and result:
        each = [_metrics(entry, objective, direction) for entry in result]
        shared = [name for name in each[0] if all(name in metrics for metrics in each)]
        return {name: float(np.mean([metrics[name] for metrics in each])) for name in shared}
    history = _history(result)
    if history is not None:
        log = EpochLog()
        for logs in _by_epoch(history):
            log.add(logs)
        best = log.best(objective, direction)
        return {} if best is None else {objective: best[1]}
    if isinstance(result, dict):
        return {name: float(np.mean(value)) for name, value in result.items()}
    return {}


def _warn() -> None:
    warnings.warn("fit(hp, model, ...) does not use its callbacks: its trials cannot be pruned", stacklevel=2)
