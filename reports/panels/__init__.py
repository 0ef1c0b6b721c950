"""One file per panel: `info` computes numbers from a study's results, `cards` draws them."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.errors import one_line

Cell = str | int | float | None
NUMBER = re.compile(r"(?:range )?[-+−<]? ?\d[\d.,]*(?: %| s)?(?: to .*)?$|–$")
"""How a cell that is a number looks, or an interval; a dash where there is none."""


class Picture(NamedTuple):
    """An image with its caption."""

    source: str
    """A data URI."""
    caption: str
    marked: str = ""
    """What is special about the image."""


class Command(NamedTuple):
    """Text that the reader copies: a command, or a few lines of Python."""

    text: str
    what: str = ""
    """What it does."""


class Bar(NamedTuple):
    """A value with its interval, drawn to the scale of all bars of a card."""

    name: str
    value: str
    low: float
    middle: float
    high: float
    """Shares of the scale, 0 to 1."""
    note: str
    chosen: bool
    """Whether it is the one that is recommended."""


@dataclass(frozen=True)
class Card:
    """A part of the page: a table, figures, images, or only a sentence where there is nothing to show yet."""

    title: str
    caption: str = ""
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Cell, ...]] = ()
    browsed: bool = False
    """Whether the reader can sort, filter and page the table, and compare two rows; its cells are then numbers and
    texts."""
    row_commands: Sequence[str | None] = ()
    """What trains each row of a browsed table again; None where nothing does."""
    figures: Sequence[Any] = ()
    """plotly Figures, side by side where there is room."""
    more_figures: Sequence[Any] = ()
    """Figures that are shown only when the reader opens them."""
    images: Sequence[Picture] = ()
    small: bool = False
    """Whether the images are small and have short captions."""
    bars: Sequence[Bar] = ()
    ends: tuple[str, str] = ("", "")
    """The ends of the bars' scale."""
    measure: str = "Accuracy"
    """What the bars are of."""
    wide: bool = False
    """Whether a figure needs the full width."""
    commands: Sequence[Command] = ()
    folded: bool = False
    """Whether it is shown only when the reader opens it."""
    lead: str = ""
    """The conclusion, which comes first."""
    statements: Sequence[str] = ()
    """What else is to be said, a line each."""
    error: str = ""
    """Why the panel failed."""

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether its cells are numbers, which are aligned right."""
        return [all(NUMBER.match(str(cell)) for cell in column) for column in zip(*self.rows, strict=True)]


def cards_or_error(title: str, panel: Callable[..., list[Card]], *arguments: Any) -> list[Card]:
    """A panel's cards; where it fails, one card that says why, so that the rest of the page remains."""
    try:
        return panel(*arguments)
    except Exception as error:  # whatever breaks in a panel affects that panel alone
        return [Card(title, error=one_line(error))]


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if share is None else f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """A time for a reader: 12.3 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def counted(count: int, what: str) -> str:
    """A number of things: 1 seed, 1,000 seeds."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, signed."""
    return "–" if difference is None else f"{100 * difference:+.2f}"


def p_value(p: float | None) -> str:
    """Three decimals, but never 0; or a dash."""
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def number(value: Any) -> str:
    """A value for a reader: four significant digits where it is not an integer, thousands separated."""
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plotly_text(text: Any) -> str:
    """Text that plotly shows literally: it interprets tags, entities and %{templates}."""
    return html.escape(str(text), quote=False).replace("{", "&#123;")
