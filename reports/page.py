"""One self-contained HTML file, and its numbers as JSON beside it."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import plotly.io
from optuna.storages import BaseStorage
from plotly.offline import get_plotlyjs

from reports import collect
from reports.collect import StudyResults
from reports.panels import Card, confusion, learning_curves, provenance, search, trial_table, verdict
from study.config import StudyConfig
from study.errors import one_line
from study.files import write_whole
from study.records import finite

Panel = Callable[[StudyResults], list[Card]]

PANELS: dict[str, Panel] = {
    "Verdict": verdict.cards,
    "Search": search.cards,
    "Learning curves": learning_curves.cards,
    "Confusion": confusion.cards,
    "Trials": trial_table.cards,
    "Provenance": provenance.cards,
}
"""The page from top to bottom."""

templates = jinja2.Environment(
    loader=jinja2.PackageLoader("reports"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)


def write(storage: BaseStorage, config: StudyConfig, file: Path) -> None:
    """Write the report of a study to `file` and its numbers to the same name with .json.

    Raises:
        OSError: a file that cannot be written.
    """
    results = collect.read(storage, config)
    for path, make in ((file, html), (file.with_suffix(".json"), as_json)):
        text = make(results)
        write_whole(path, partial(Path.write_text, data=text, encoding="utf-8"))


def html(results: StudyResults) -> str:
    """The page: the same results give the same text."""
    sections = {name: cards_or_error(name, panel, results) for name, panel in PANELS.items()}
    page = templates.get_template("page.html.j2")
    return page.render(name=results.config.name, sections=sections, plotly_js=get_plotlyjs(), figure_json=figure_json)


def cards_or_error(name: str, panel: Panel, results: StudyResults) -> list[Card]:
    """A panel's cards; a card that says why where it fails, so that the page stays whole."""
    try:
        return panel(results)
    except Exception as error:  # any failure of a panel is the panel's alone
        return [Card(name, error=one_line(error))]


def figure_json(figure: Any) -> str:
    """A figure as JSON that may stand in a script element: plotly writes `<` so that it begins no tag there."""
    figure.update_layout(template=None, margin={"t": 24, "l": 64, "r": 24, "b": 48})
    return str(plotly.io.to_json(figure, validate=False))


def as_json(results: StudyResults) -> str:
    """The numbers of the page."""
    found = verdict.info(results)
    numbers = {
        "study": results.config.name,
        "verdict": {
            "sentence": found.sentence,
            "finalists": [{**row._asdict(), "interval": [row.interval.low, row.interval.high]} for row in found.rows],
            "comparisons": [
                {
                    "first": each.first,
                    "second": each.second,
                    "seeds": each.seeds,
                    "difference": each.difference.interval.estimate,
                    "interval": [each.difference.interval.low, each.difference.interval.high],
                    "p": each.difference.p,
                    "adjusted_p": each.adjusted_p,
                    "verdict": each.word,
                }
                for each in found.comparisons
            ],
            "test_evaluations": found.test_evaluations,
        },
        "spaces": {
            space.name: {
                "importances": search.info(space).shares,
                "trials": [row._asdict() for row in trial_table.info(space)],
                "learning_curves": [curve._asdict() for curve in learning_curves.info(space, results.config.objective)],
            }
            for space in results.spaces
        },
        "confusion": [each._asdict() | {"recalls": each.recalls} for each in confusion.info(results)],
        "finals": [final.to_json() | {"accuracy": final.accuracy} for final in results.finals],
        "provenance": provenance.info(results),
    }
    return json.dumps(_json_values(numbers), indent=1, allow_nan=False) + "\n"


def _json_values(value: Any) -> Any:
    """The same with null for what JSON has no word for: a hyperparameter may be infinite."""
    if isinstance(value, dict):
        return {str(key): _json_values(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_values(each) for each in value]
    return finite(value) if isinstance(value, float) else value
