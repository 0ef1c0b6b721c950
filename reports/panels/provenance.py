"""Where the numbers come from."""

from typing import Any

from reports.collect import StudyResults
from reports.panels import Card


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
        "command to go on": f"study resume {config.name}",
        "command to make this page": f"study report {config.name}",
    }


def cards(results: StudyResults) -> list[Card]:
    """One table."""
    rows = [(name, _shown(value)) for name, value in info(results).items()]
    return [Card("Provenance", "What this study was run with.", ("What", "Value"), rows)]


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
