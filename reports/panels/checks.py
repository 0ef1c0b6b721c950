"""The health checks as a table."""

from reports import checks
from reports.collect import StudyResults
from reports.panels import Card

MARKS = {checks.FAIL: "✗ Failed", checks.WARN: "! Check", checks.PASS: "✓ Passed", checks.WAITS: "… Not enough data"}


def info(results: StudyResults) -> list[dict[str, str]]:
    """Code, question, level and text of each check, the failed ones first."""
    return [
        {"code": check.code, "question": check.question, "level": outcome.level, "text": outcome.text}
        for check, outcome in checks.ask_all(results)
    ]


def cards(results: StudyResults) -> list[Card]:
    """The checks that failed or need a look, and, folded, the others."""
    found = info(results)
    columns = ("Outcome", "Code", "Question", "Found")
    loud = [each for each in found if each["level"] in (checks.FAIL, checks.WARN)]
    quiet = [each for each in found if each not in loud]

    def rows(chosen: list[dict[str, str]]) -> list[tuple[str, ...]]:
        return [(MARKS[each["level"]], each["code"], each["question"], each["text"]) for each in chosen]

    waiting = sum(each["level"] == checks.WAITS for each in found)
    caption = f"{len(loud)} of {len(found)} checks found something, {len(quiet) - waiting} passed"
    caption += f"; for {waiting} there are not enough data." if waiting else "."
    shown = [Card("What should I know before I trust it?", caption, columns, rows(loud))]
    if quiet:
        shown.append(Card("Checks that passed or have not enough data", "", columns, rows(quiet), folded=True))
    return shown
