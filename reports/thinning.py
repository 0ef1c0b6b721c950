"""Which of many trials a figure shows. Numbers and tables always cover all of them."""

from collections.abc import Sequence

import numpy as np

from study.objective import Objective

MOST = 2_000
"""Points in a figure."""


def kept(values: Sequence[float | None], objective: Objective, most: int = MOST) -> list[int]:
    """Indices of the values to show: all of them where there are few. Otherwise each that improved on the best so far,
    the best tenth, and evenly spaced others, as many as there is room for.

    Args:
        values: (n,) of the objective, in the order of the trials; None is worse than any.
        objective: Says which values are better.
        most: About how many to show; the best tenth may be more.
    """
    n = len(values)
    if n <= most:
        return list(range(n))
    ranks = np.asarray([np.inf if value is None else objective.rank(value) for value in values], dtype=float)
    improved = np.flatnonzero(ranks < np.minimum.accumulate(np.append(np.inf, ranks[:-1])))
    best = np.argsort(ranks, kind="stable")[: n // 10]
    room = max(most - n // 10, most // 4)
    return sorted({*improved.tolist(), *best.tolist(), *np.linspace(0, n - 1, room).astype(int).tolist()})


def note(shown: int, of: int, what: str = "trials") -> str:
    """What a caption says about those that are left out."""
    if shown == of:
        return ""
    return f" Shown are {shown:,} of {of:,} {what}: each that improved on the best, the best tenth, and others evenly."
