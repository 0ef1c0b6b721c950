"""Every number of a page as JSON; `report.schema.json` describes each."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

from reports.collect import SpaceResults, StudyResults
from reports.panels import (
    best,
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
    provenance,
    residuals,
    slices,
    summary,
    timeline,
    tradeoff,
    trial_table,
    verdict,
)
from study.errors import one_line
from study.objective import Objective
from study.records import finite


def of_study(results: StudyResults) -> str:
    """The numbers of a study's page; a part that cannot be computed is null, and `errors` says why."""
    values, errors = _computed(
        {
            "verdict": lambda: verdict.info(results),
            "checks": lambda: checks.info(results),
            "cost": lambda: tradeoff.info(results),
            "published": lambda: tradeoff.published(results),
            "summary": lambda: {
                "data": dataset.info(results),
                "spent": summary.spent(results),
                "next": summary.next_step(results),
            },
            "confusion": lambda: [
                each._asdict() | {"recalls": each.recalls}
                for space in results.spaces
                for each in (confusion.info(results, space), confusion.of_evaluations(results, space))
                if each is not None
            ],
            "misread": lambda: {space.name: gallery.info(results, space.name) for space in results.spaces},
            "evaluation": lambda: evaluation.info(results),
            "residuals": lambda: [each for space in results.spaces for each in residuals.info(results, space)],
            "finals": lambda: [final.to_json() | {"accuracy": final.accuracy} for final in results.finals],
            "provenance": lambda: provenance.info(results),
        }
    )
    spaces = {}
    for space in results.spaces:
        spaces[space.name], failed = _computed(_of_space(results, space))
        errors |= {f"{space.name}: {part}": why for part, why in failed.items()}
    known = {"study": results.definition.name, "classes": results.classes, "spaces": spaces}
    return _text(known | values | {"errors": errors})


def of_several(results: Sequence[StudyResults]) -> str:
    """The numbers of a page that compares studies."""
    values, errors = _computed(
        {"comparison": lambda: comparison.info(results), "finalists": lambda: comparison.finalists(results)}
    )
    return _text({"studies": [each.definition.name for each in results], **values, "errors": errors})


def _of_space(results: StudyResults, space: SpaceResults) -> dict[str, Callable[[], Any]]:
    return {
        "best": lambda: best.info(results, space),
        "history": lambda: history.info(space, results.definition.objective),
        "random_search": lambda: history.random_search(space, results.definition.sampler),
        "importances": lambda: importances.info(space),
        "bounds": lambda: {each.name: (each.low, each.high) for each in slices.info(space)},
        "most_important": lambda: [parameter.name for parameter in pair.info(space) or ()],
        "frontier": lambda: frontier.info(space),
        "trials": lambda: trial_table.info(space),
        "learning_curves": lambda: learning_curves.info(space, results.definition.objective),
        "timeline": lambda: timeline.info(space),
    }


def _computed(parts: dict[str, Callable[[], Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The parts, null where they fail, and why they fail."""
    values, errors = {}, {}
    for name, part in parts.items():
        try:
            values[name] = _json(part())
        except Exception as error:  # whatever breaks in a part affects that part alone
            values[name], errors[name] = None, one_line(error)
    return values, errors


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, allow_nan=False) + "\n"


def _json(value: Any) -> Any:
    """Named tuples and objectives as objects, and null for what JSON lacks: a hyperparameter may be infinite."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Objective):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {str(key): _json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return finite(value) if isinstance(value, float) else value
