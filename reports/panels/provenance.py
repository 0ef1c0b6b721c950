"""Where the numbers come from."""

import dataclasses
import shlex
from typing import Any

from reports.collect import StudyResults
from reports.panels import Card
from study.config import StudyConfig

WHERE = ("manual_dir", "data_dir")
"""Where the data lay is another machine's business."""


def info(results: StudyResults) -> dict[str, Any]:
    """Definition, fingerprints, versions and hardware, the commands, and how often the test set was read."""
    config = results.config
    return {
        **{f"config {name}": value for name, value in config.to_json().items()},
        "data fingerprint (SHA-256)": results.fingerprint.get("data"),
        **{
            f"space fingerprint {name} (SHA-256)": value
            for name, value in results.fingerprint.get("spaces", {}).items()
        },
        **results.environment,
        "tests of a model on the test set": len(results.finals),
        **commands(config),
    }


def commands(config: StudyConfig) -> dict[str, str]:
    """What was typed, as far as it was not a default, and what goes on with it."""
    words = ["study", "run", config.name]
    for option in dataclasses.fields(StudyConfig):
        value = getattr(config, option.name)
        if option.name in ("name", *WHERE) or value == option.default:
            continue
        flag = f"--{'space' if option.name == 'spaces' else option.name.replace('_', '-')}"
        for each in value if isinstance(value, tuple) else (value,):
            words += [flag, str(int(each) if isinstance(each, float) else each)]
    return {
        "command that runs it": shlex.join(words),
        "command that goes on with it": f"study resume {config.name}",
        "command that makes this page": f"study report {config.name}",
    }


def cards(results: StudyResults) -> list[Card]:
    """One table."""
    rows = [(name, _shown(value)) for name, value in info(results).items()]
    return [Card("Where do the numbers come from?", "", ("What", "Value"), rows)]


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
