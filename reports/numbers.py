"""Every number of a page as JSON; `report.schema.json` says what each is."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from reports.collect import SpaceResults, StudyResults
from reports.panels import (
    best,
    checks,
    comparison,
    confusion,
    gallery,
    history,
    importances,
    learning_curves,
    pair,
    provenance,
    timeline,
    tradeoff,
    trial_table,
    verdict,
)
from study.errors import one_line
from study.records import finite


def of_study(results: StudyResults) -> str:
    """The numbers of a study's page; a part that cannot be computed is null, and `errors` says why."""
    parts: dict[str, Callable[[], Any]] = {
        "verdict": lambda: verdict.info(results),
        "checks": lambda: checks.info(results),
        "spaces": lambda: {space.name: _of_space(results, space) for space in results.spaces},
        "cost": lambda: tradeoff.info(results),
        "published": lambda: tradeoff.published(results),
        "confusion": lambda: [each._asdict() | {"recalls": each.recalls} for each in confusion.info(results)],
        "misread": lambda: {space.name: gallery.info(results, space.name)[0] for space in results.spaces},
        "finals": lambda: [final.to_json() | {"accuracy": final.accuracy} for final in results.finals],
        "provenance": lambda: provenance.info(results),
    }
    return _text({"study": results.config.name, "classes": results.classes}, parts)


def of_several(results: Sequence[StudyResults]) -> str:
    """The numbers of a page that compares studies."""
    parts: dict[str, Callable[[], Any]] = {
        "comparison": lambda: comparison.info(results),
        "finalists": lambda: comparison.finalists(results),
    }
    return _text({"studies": [each.config.name for each in results]}, parts)


def _of_space(results: StudyResults, space: SpaceResults) -> dict[str, Any]:
    pairs = pair.info(space)
    return {
        "best": best.info(results, space),
        "history": history.info(space, results.maximize),
        "importances": importances.info(space),
        "most_important": [parameter.name for parameter in pairs] if pairs is not None else [],
        "trials": trial_table.info(space),
        "learning_curves": learning_curves.info(space, results.config.objective),
        "timeline": timeline.info(space),
    }


def _text(known: dict[str, Any], parts: dict[str, Callable[[], Any]]) -> str:
    values, errors = known, {}
    for name, part in parts.items():
        try:
            values[name] = _json(part())
        except Exception as error:  # what is wrong with a part is that part's alone
            values[name], errors[name] = None, one_line(error)
    return json.dumps(values | {"errors": errors}, allow_nan=False) + "\n"


def _json(value: Any) -> Any:
    """Named tuples as objects, and null for what JSON has no word for: a hyperparameter may be infinite."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return finite(value) if isinstance(value, float) else value
