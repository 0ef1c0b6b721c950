"""How long each part of a study may take."""

import time
from collections.abc import Callable

from study.config import LEAST_OVERTIME, Resources, duration
from study.system.time_limit import TimeLimit

Tell = Callable[[float | None, str], None]


def of_preparation(resources: Resources, tell: Tell) -> TimeLimit:
    """Of the defaults of a space, which are built before the search."""
    return of_search(resources, time.time(), tell)


def of_search(resources: Resources, began: float, tell: Tell) -> TimeLimit:
    """Of a trial in a session that began to search then (seconds since 1970)."""
    if resources.trial_timeout is not None or resources.timeout is None:
        return of_training(resources, tell)
    overtime = max(resources.timeout, LEAST_OVERTIME)
    left = began + resources.timeout + overtime - time.time()
    why = (
        f"was still running {duration(overtime)} after --timeout {duration(resources.timeout)} was over; "
        "--trial-timeout sets another limit"
    )
    return TimeLimit(left, why, earlier_counts=False, tell=tell)


def of_training(resources: Resources, tell: Tell) -> TimeLimit:
    """Of a confirmation run or a final, which no timeout ends."""
    if (seconds := resources.trial_timeout) is None:
        return TimeLimit()
    return TimeLimit(seconds, f"took longer than --trial-timeout {duration(seconds)}", tell=tell)
