"""One file per panel: `info` computes numbers from a study's results, `cards` draws them."""

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
    """What is special about the image."""


@dataclass(frozen=True)
class Card:
    """A part of the page: a table, figures, images, or only a sentence where there is nothing to show yet."""

    title: str
    caption: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Cell, ...]] = ()
    browsed: bool = False
    """Whether the reader can sort, filter and page the table; its cells are then numbers and texts."""
    figures: Sequence[Any] = ()
    """plotly Figures, side by side where there is room."""
    images: Sequence[Picture] = ()
    wide: bool = False
    """Whether a figure needs the full width."""
    code: str = ""
    """A command."""
    folded: bool = False
    """Whether it is shown only when the reader opens it."""
    lead: str = ""
    """The conclusion, which comes first."""
    error: str = ""
    """Why the panel failed."""


def cards_or_error(title: str, panel: Callable[..., list[Card]], *arguments: Any) -> list[Card]:
    """A panel's cards; where it fails, one card that says why, so that the rest of the page remains."""
    try:
        return panel(*arguments)
    except Exception as error:  # whatever breaks in a panel affects that panel alone
        return [Card(title, error=one_line(error))]


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if share is None else f"{100 * share:.2f} %"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, signed."""
    return "–" if difference is None else f"{100 * difference:+.2f}"


def p_value(p: float | None) -> str:
    """Three decimals, but never 0; or a dash."""
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def number(value: Any) -> str:
    """A value for a reader: four significant digits where it is not an integer."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plotly_text(text: Any) -> str:
    """Text that plotly shows literally: it interprets tags, entities and %{templates}."""
    return html.escape(str(text), quote=False).replace("{", "&#123;")
