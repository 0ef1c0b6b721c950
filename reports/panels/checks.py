"""The health checks as a table."""

from reports import checks
from reports.collect import StudyResults
from reports.panels import Card

MARKS = {checks.FAIL: "✗ fails", checks.WARN: "! look", checks.PASS: "✓ passes", checks.WAITS: "… waits"}


def info(results: StudyResults) -> list[dict[str, str]]:
    """Code, question, level and text of each, those that fail first."""
    return [
        {"code": check.code, "question": check.question, "level": outcome.level, "text": outcome.text}
        for check, outcome in checks.ask_all(results)
    ]


def cards(results: StudyResults) -> list[Card]:
    """What asks for a look, and, folded, what is well."""
    found = info(results)
    columns = ("Outcome", "Check", "Question", "Found")
    loud = [each for each in found if each["level"] in (checks.FAIL, checks.WARN)]
    quiet = [each for each in found if each not in loud]

    def rows(chosen: list[dict[str, str]]) -> list[tuple[str, ...]]:
        return [(MARKS[each["level"]], each["code"], each["question"], each["text"]) for each in chosen]

    waiting = sum(each["level"] == checks.WAITS for each in found)
    head = f"{len(loud)} of {len(found)} checks ask for a look, {len(quiet) - waiting} passed"
    head += f", {waiting} wait for more." if waiting else "."
    shown = [Card("What asks for a look?", head, columns, rows(loud))]
    if quiet:
        shown.append(Card("Checks that passed, or wait", "", columns, rows(quiet), folded=True))
    return shown
