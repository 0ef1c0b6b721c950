"""What the epochs of a fit logged, and what the fit is worth by that or by what `HyperModel.fit` returned."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from study.errors import StudyError
from study.objective import Objective
from study.records import History, finite

Logs = dict[str, float]
OnEpoch = Callable[[int, Logs], None]
UNUSED = "fit(hp, model, ...) does not use its callbacks: its trials cannot be pruned"


class Diverged(ArithmeticError):
    """A loss or a result that is not a finite number."""


class Unscored(StudyError):
    """A fit that neither used its callbacks nor returned what scores it."""

    def __init__(self, result: Any) -> None:
        super().__init__(
            "fit(hp, model, ...) must pass `callbacks` on to model.fit, or return a History, a dict of metrics, a "
            f"number or a list of these; it returned {type(result).__name__}"
        )
        self.result = result


@dataclass
class EpochLog:
    """The logs of a fit, filled in epoch by epoch, so that they are complete up to wherever the fit ends."""

    history: History = field(default_factory=dict)
    epochs: int = 0
    """Finished epochs."""
    parameters: int | None = None
    """Weights and biases of the model, once it is built."""
    seconds: float = 0
    """Time that earlier, interrupted processes spent on these epochs, minus what this one spent waiting for others."""
    saved: int = 0
    """The last epoch that a checkpoint holds."""
    first: int = 1
    """The first epoch that counts: KerasTuner scores a fit in stages by the History of the last stage alone."""
    result: Logs = field(default_factory=dict)
    """Metrics that a HyperModel's own `fit` returned; they take precedence over the logged ones."""
    trained: bool = False
    """Whether `fit` trained the model that `build` returned, once it has ended; `fit` may train copies of it only."""
    requested: int = 0
    """Epochs that the fit that returned `result` was asked for, which reproduce it, however many were logged."""

    def add(self, logs: Mapping[str, float]) -> None:
        """Append an epoch's logs."""
        for name, value in logs.items():
            values = self.history.setdefault(name, [])
            # A log that some epochs lack is absent there; later values do not move forward.
            values += [None] * (self.epochs - len(values))
            values.append(finite(value))
        self.epochs += 1

    def best(self, objective: Objective, first: int | None = None) -> tuple[int, float] | None:
        """The epoch, from 1, at which the objective was best (the earliest, if several are equal), and its value there;
        None where it was never logged. Epochs before `first` do not count."""
        if objective.name in self.result:
            return min(self.epochs, self.requested), self.result[objective.name]
        logged = enumerate(self.history.get(objective.name, []), 1)
        values = [(epoch, value) for epoch, value in logged if value is not None and epoch >= (first or self.first)]
        return min(values, key=lambda pair: objective.rank(pair[1]), default=None)


def scalars(logs: Mapping[str, Any] | None) -> Logs:
    """The logs that are single numbers; Keras may log arrays too."""
    return {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}


def refuse_diverged(logs: Logs, when: str) -> None:
    """Raise `Diverged`, with a message that says `when`, if a loss is not a finite number."""
    for name in ("loss", "val_loss"):
        if not math.isfinite(logs.get(name, 0.0)):
            raise Diverged(f"{name} is {logs[name]} {when}")


def take_result(log: EpochLog, result: Any, epochs: int, objective: Objective) -> None:
    """Add what `HyperModel.fit` returned to the log, scored as KerasTuner does (`tuner_utils.convert_to_metrics_dict`):
    a History by its best epoch, a dictionary by its metrics, a number as the objective, a list by its entries' mean.

    The result of a fit that did not use its callbacks, and so logged nothing, becomes the log of the last of the
    `epochs` that it was asked for.

    Raises:
        Diverged: the objective is not a finite number.
        Unscored: the fit neither used its callbacks nor returned a result of a known kind.
    """
    history = _history(result)
    if history and not log.epochs:
        warnings.warn(UNUSED, stacklevel=2)
        _add_history(log, history)
        return
    returned, logged = history.get(objective.name, []), log.history.get(objective.name, [])
    # A History that lacks the objective ends like the log, too.
    if history and logged[len(logged) - len(returned) :] == [finite(value) for value in returned]:
        log.first = log.epochs - len(returned) + 1
        return
    metrics = _metrics(result, objective)
    if not metrics and not log.epochs:
        raise Unscored(result)
    if not math.isfinite(metrics.get(objective.name, 0.0)):
        raise Diverged(f"fit(hp, model, ...) returned {objective.name} {metrics[objective.name]}")
    if not log.epochs:
        warnings.warn(UNUSED, stacklevel=2)
        log.epochs = epochs - 1
        log.add(metrics)
    log.result, log.requested = metrics, epochs


def _history(result: Any) -> dict[str, list[float]]:
    """The values of a Keras History by name and epoch; none for any other object."""
    history = getattr(result, "history", None)
    items = history.items() if isinstance(history, dict) else ()
    return {name: [float(np.mean(value)) for value in values] for name, values in items}


def _add_history(log: EpochLog, history: Mapping[str, list[float]]) -> None:
    for epoch in range(max(map(len, history.values()))):
        log.add({name: values[epoch] for name, values in history.items() if epoch < len(values)})


def _metrics(result: Any, objective: Objective) -> Logs:
    """Metrics by name; none where the result is of a kind that KerasTuner does not take."""
    if isinstance(result, (int, float, np.number)):
        return {objective.name: float(result)}
    if isinstance(result, list) and result:
        entries = [_metrics(entry, objective) for entry in result]
        shared = [name for name in entries[0] if all(name in metrics for metrics in entries)]
        return {name: float(np.mean([metrics[name] for metrics in entries])) for name in shared}
    if history := _history(result):
        log = EpochLog()
        _add_history(log, history)
        best = log.best(objective)
        return {} if best is None else {objective.name: best[1]}
    if isinstance(result, dict):
        return {name: float(np.mean(value)) for name, value in result.items()}
    return {}
