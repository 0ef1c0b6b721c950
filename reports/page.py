"""One HTML file, and its numbers as JSON beside it, for one study or for several side by side."""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import plotly.io
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from reports import collect, numbers
from reports.collect import SpaceResults, StudyResults
from reports.panels import (
    Card,
    best,
    cards_or_error,
    checks,
    comparison,
    confusion,
    dataset,
    evaluation,
    frontier,
    gallery,
    history,
    importances,
    learning_curves,
    pair,
    parallel,
    provenance,
    residuals,
    slices,
    summary,
    timeline,
    tradeoff,
    trial_table,
    verdict,
)
from study.errors import printable
from study.storage.store import StoredStudy
from study.system.files import remove, write_whole

Panel = Callable[[StudyResults], list[Card]]
SpacePanel = Callable[[StudyResults, SpaceResults], list[Card]]


class Part(NamedTuple):
    """What a section of the page is made from."""

    panels: dict[str, Panel]
    of_space: dict[str, SpacePanel]
    """Those of which each space has its own, in a tab."""


PARTS = {
    "Summary": Part(
        {
            "Recommendation": summary.cards,
            "Data": dataset.cards,
            "Cost": summary.cost,
            "Methods": verdict.methods,
        },
        {},
    ),
    "Use it": Part({}, {"Configuration": best.cards}),
    "What to check": Part({"Health checks": checks.cards}, {}),
    "Mistakes": Part({}, {"Classes": confusion.cards, "Misclassified images": gallery.cards}),
    "Search": Part(
        {},
        {
            "History": history.cards,
            "Importances": importances.cards,
            "Slices": slices.cards,
            "Parallel coordinates": parallel.cards,
            "Pair": pair.cards,
            "Size": frontier.cards,
            "Learning curves": learning_curves.cards,
            "Timeline": timeline.cards,
        },
    ),
    "Trials": Part({}, {"Trials": trial_table.cards}),
    "Details": Part(
        {"Finalists": verdict.cards, "Price of accuracy": tradeoff.cards, "Provenance": provenance.cards}, {}
    ),
}
"""The page from top to bottom."""
OF_ANY_MODEL = {
    **PARTS,
    "Summary": Part(
        {"Recommendation": summary.cards, "Cost": summary.cost, "Methods": evaluation.methods},
        {},
    ),
    "Mistakes": Part({}, {"Classes": confusion.cards, "Residuals": residuals.cards}),
    "Details": Part({"Finalists": evaluation.tables, "Provenance": provenance.cards}, {}),
}
"""The page of a tuner, whose data need not be images."""
UNBROKEN = 20
"""Cells of up to so many characters stay on one line."""


ESCAPES = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.")
"""The escapes in JSON; two of them may be one character."""


class Tab(NamedTuple):
    """The cards of one space."""

    name: str
    cards: list[Card]


class Section(NamedTuple):
    """A part of the page that the contents link to."""

    name: str
    own: list[Card]
    """Those of the whole study, or of all studies."""
    tabs: list[Tab] = []  # noqa: RUF012  never changed

    @property
    def cards(self) -> list[Card]:
        """All of them."""
        return [*self.own, *(card for tab in self.tabs for card in tab.cards)]


templates = jinja2.Environment(
    # By its place: a user's folder may be called `reports` too.
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    finalize=lambda value: printable(value) if type(value) is str else value,
)
templates.policies["json.dumps_function"] = lambda value, **options: _printable_json(json.dumps(value, **options))
templates.filters["identity"] = id
templates.filters["unbroken"] = lambda cell: cell.replace(" ", "\u00a0") if len(cell) <= UNBROKEN else cell


class Follow(NamedTuple):
    """How an open page learns that it was rewritten: it asks a small file beside it for its version."""

    file: str
    version: str


def write(
    studies: Sequence[StoredStudy], file: Path, *, assets: bool = False, version: str | None = None
) -> list[StudyResults]:
    """Write the report of a study, or one that compares several, to `file`, and its numbers beside it as .json; return
    what they were made from.

    Args:
        studies: One, or several to compare.
        file: The page.
        assets: Put plotly.js beside the page, where other reports find it too, instead of into it.
        version: Of a page that will be rewritten: while another version has been written, the open one loads it.
            None for one that will not, which open pages load, too.

    Raises:
        OSError: a file that cannot be written.
    """
    found = [collect.read(study) for study in studies]
    library = None
    if assets:
        library = f"plotly-{get_plotlyjs_version()}.min.js"
        _write_text(file.with_name(library), get_plotlyjs())
    beside = file.with_suffix(".version.js")
    follow = None if version is None else Follow(beside.name, version)
    text = html(found[0], library, follow) if len(found) == 1 else html_of_several(found, library, follow)
    _write_text(file, text)
    if follow is None:
        remove(beside)
    else:
        _write_text(beside, f"rewritten({json.dumps(version)});\n")
    _write_text(file.with_suffix(".json"), numbers.of_study(found[0]) if len(found) == 1 else numbers.of_several(found))
    return found


def html(results: StudyResults, library: str | None = None, follow: Follow | None = None) -> str:
    """The page of a study: the same results give the same text. `library` is the file of plotly.js beside the page;
    None puts it into the page."""
    return _page(f"Study {results.definition.name}", sections(results), library, follow)


def html_of_several(results: Sequence[StudyResults], library: str | None = None, follow: Follow | None = None) -> str:
    """The page that compares studies."""
    names = ", ".join(each.definition.name for each in results)
    parts = [Section(name, cards_or_error(name, panel, results)) for name, panel in comparison.PANELS.items()]
    return _page(f"Studies {names}", parts, library, follow)


def sections(results: StudyResults) -> list[Section]:
    """The page from top to bottom; the recommended space comes first."""
    chosen = results.recommended
    spaces = sorted(results.spaces, key=lambda space: chosen is None or space.name != chosen[0])
    found = []
    for name, part in (OF_ANY_MODEL if results.is_of_tuner else PARTS).items():
        own = [card for title, panel in part.panels.items() for card in cards_or_error(title, panel, results)]
        tabs = [
            Tab(
                space.name,
                [
                    card
                    for title, panel in part.of_space.items()
                    for card in cards_or_error(title, panel, results, space)
                ],
            )
            for space in spaces
            if part.of_space
        ]
        found.append(Section(name, own, [tab for tab in tabs if tab.cards]))
    return [section for section in found if section.cards]


def anchors(parts: Sequence[Section]) -> dict[int, str]:
    """What links call each card, by its identity: the title, with a number where several have the same."""
    found: dict[int, str] = {}
    for section in parts:
        for card in section.cards:
            name = re.sub(r"[^a-z0-9]+", "-", card.title.lower()).strip("-") or "card"
            taken = sum(each == name or each.startswith(f"{name}--") for each in found.values())
            found[id(card)] = f"{name}--{taken + 1}" if taken else name
    return found


def figure_json(figure: Any) -> str:
    """A figure as JSON for a script element: plotly escapes `<`, so that no tag can start in it."""
    figure.update_layout(
        template=None, margin={"t": 24, "l": 64, "r": 24, "b": 48} | figure.layout.margin.to_plotly_json()
    )
    return _printable_json(str(plotly.io.to_json(figure, validate=False)))


def _printable_json(text: str) -> str:
    """JSON whose texts are printable: a script would put its characters into the page."""

    def escaped(found: re.Match[str]) -> str:
        character = json.loads(f'"{found[0]}"')
        return found[0] if printable(character) == character else json.dumps(printable(character))[1:-1]

    return ESCAPES.sub(escaped, text)


def _page(title: str, parts: Sequence[Section], library: str | None, follow: Follow | None) -> str:
    return templates.get_template("page.html.j2").render(
        title=title, sections=parts, anchors=anchors(parts), figure_json=figure_json, library=library,
        plotly_js=get_plotlyjs() if library is None else "", follow=follow,
    )  # fmt: skip


def _write_text(path: Path, text: str) -> None:
    write_whole(path, partial(Path.write_text, data=text, encoding="utf-8", errors="backslashreplace"))
