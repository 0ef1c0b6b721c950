"""One file a panel: `info` computes numbers from a study's results, `cards` draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """A part of the page: a table, a figure, or a sentence where there is nothing to show yet."""

    title: str
    caption: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    figure: Any = None
    """A plotly Figure."""
    error: str = ""
    """Why the panel failed."""


def percent(share: float | None, digits: int = 2) -> str:
    """A share as per cent, or a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, signed."""
    return "–" if difference is None else f"{100 * difference:+.2f}"
