"""One file a panel: `info` computes numbers from a study's results, `cards` or `card` draws them."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.errors import one_line

Cell = str | int | float | None


class Picture(NamedTuple):
    """An image with its caption."""

    source: str
    """A data URI."""
    caption: str
    marked: str = ""
    """What is special about it."""


@dataclass(frozen=True)
class Card:
    """A part of the page: a table, figures, images, or a sentence where there is nothing to show yet."""

    title: str
    caption: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Cell, ...]] = ()
    browsed: bool = False
    """Whether the table is sorted, filtered and paged by the reader: its cells are numbers and texts."""
    figures: Sequence[Any] = ()
    """plotly Figures, beside each other where there is room."""
    images: Sequence[Picture] = ()
    wide: bool = False
    """Whether a figure needs the whole width."""
    code: str = ""
    """A command."""
    folded: bool = False
    """Shown when the reader asks for it."""
    lead: str = ""
    """What to take from it, said first."""
    error: str = ""
    """Why the panel failed."""


def cards_or_error(title: str, panel: Callable[..., list[Card]], *arguments: Any) -> list[Card]:
    """A panel's cards; a card that says why where it fails, so that the page stays whole."""
    try:
        return panel(*arguments)
    except Exception as error:  # any failure of a panel is the panel's alone
        return [Card(title, error=one_line(error))]


def percent(share: float | None, digits: int = 2) -> str:
    """A share as per cent, or a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, signed."""
    return "–" if difference is None else f"{100 * difference:+.2f}"


def p_value(p: float) -> str:
    """Three digits, and never 0."""
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def number(value: Any) -> str:
    """A value as a reader wants it: four significant digits of what is not whole."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plotly_text(text: Any) -> str:
    """Text that plotly shows as it is: it reads tags, entities and %{templates} in its own strings."""
    return html.escape(str(text), quote=False).replace("{", "&#123;")
