"""The health checks as a table."""

from reports import checks
from reports.collect import StudyResults
from reports.panels import Card

MARKS = {checks.FAIL: "✗ failed", checks.WARN: "! look", checks.PASS: "✓ passed", checks.WAITS: "… too early"}


def info(results: StudyResults) -> list[dict[str, str]]:
    """Code, question, level and text of each check, the failed ones first."""
    return [
        {"code": check.code, "question": check.question, "level": outcome.level, "text": outcome.text}
        for check, outcome in checks.ask_all(results)
    ]


def cards(results: StudyResults) -> list[Card]:
    """The checks that failed or need a look, and, folded, the others."""
    found = info(results)
    columns = ("Outcome", "Check", "Question", "Found")
    loud = [each for each in found if each["level"] in (checks.FAIL, checks.WARN)]
    quiet = [each for each in found if each not in loud]

    def rows(chosen: list[dict[str, str]]) -> list[tuple[str, ...]]:
        return [(MARKS[each["level"]], each["code"], each["question"], each["text"]) for each in chosen]

    waiting = sum(each["level"] == checks.WAITS for each in found)
    caption = f"{len(loud)} of {len(found)} checks need a look, {len(quiet) - waiting} passed"
    caption += f", {waiting} cannot be answered yet." if waiting else "."
    shown = [Card("What to check?", caption, columns, rows(loud))]
    if quiet:
        shown.append(Card("Checks that passed or cannot be answered yet", "", columns, rows(quiet), folded=True))
    return shown
