"""Colours that colour-blind readers can tell apart (Okabe and Ito 2008), each with its own marker."""

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("circle", "diamond", "square", "cross", "triangle-up", "x")
BEST, COMPLETE, PRUNED, FAILED, RUNNING = "#0072B2", "#8a8a8a", "#D55E00", "#CC79A7", "#009E73"


def of(index: int) -> str:
    """The colour of the index-th series."""
    return SERIES[index % len(SERIES)]


def marker(index: int) -> str:
    """The marker of the index-th series; series that share a colour have different markers."""
    return MARKERS[(index + index // len(SERIES)) % len(MARKERS)]


def band(index: int) -> str:
    """The colour of the index-th series, transparent, for an area."""
    red, green, blue = (int(of(index)[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"
