"""Which of many trials a picture shows. Numbers are never thinned."""

from collections.abc import Sequence

import numpy as np

MOST = 2_000
"""Points in a picture."""


def kept(values: Sequence[float], maximize: bool, most: int = MOST) -> list[int]:
    """Indices to show of trials with these values in their order: all where there are few; otherwise each that improved
    on the best so far, the best tenth, and others at even distances, as many as there is room for.

    Args:
        values: (n,) of the trials.
        maximize: Whether larger is better.
        most: About how many to show; the best tenth may be more.
    """
    n = len(values)
    if n <= most:
        return list(range(n))
    signed = np.asarray(values, dtype=float) * (1 if maximize else -1)
    improved = np.flatnonzero(np.diff(np.maximum.accumulate(signed), prepend=-np.inf) > 0)
    best = np.argsort(-signed, kind="stable")[: n // 10]
    room = max(most - n // 10, most // 4)
    return sorted({*improved.tolist(), *best.tolist(), *np.linspace(0, n - 1, room).astype(int).tolist()})


def note(shown: int, of: int, what: str = "trials") -> str:
    """The words of a caption."""
    if shown == of:
        return ""
    return f" Shown are {shown:,} of {of:,} {what}: each that improved on the best, the best tenth, others evenly."
