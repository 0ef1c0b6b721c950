"""Where the numbers come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from reports import commands
from reports.collect import StudyResults
from reports.panels import Card


def info(results: StudyResults) -> dict[str, Any]:
    """Definition, resources, fingerprints (SHA-256), versions and hardware, how often the test set was read, and what
    starts the study, resumes it and writes its page."""
    definition, resources, address = results.definition, results.resources, results.study.store.address
    return {
        "definition": definition.to_json(),
        "resources": resources.to_json(),
        "fingerprints": {name: results.fingerprint.get(name) for name in ("data", "spaces")},
        "environment": results.environment,
        "test_evaluations": results.tests,
        "commands": {
            "start": commands.start(definition, resources),
            "resume": commands.resume(definition, address),
            "report": commands.report(definition, address),
        },
    }


def cards(results: StudyResults) -> list[Card]:
    """What the study is, and what it ran on."""
    found = info(results)
    study = found["definition"] | {
        "fingerprint (SHA-256):": found["fingerprints"],
        "tests of a model on the test set": found["test_evaluations"],
        "to start, resume or report it:": found["commands"],
    }
    machine = found["resources"] | found["environment"]
    columns = ("What", "Value")
    return [
        Card("Where do the numbers come from?", "", columns, list(_rows(study)), folded=True),
        Card("What did it run on?", "", columns, list(_rows(machine)), folded=True),
    ]


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name} ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{name}", "–" if shown in (None, "") else str(shown)
