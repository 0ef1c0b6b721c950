"""The health checks as a table."""

from reports import checks
from reports.collect import StudyResults, once
from reports.panels import Card

MARKS = {checks.FAIL: "✗ Failed", checks.WARN: "! Check", checks.PASS: "✓ Passed", checks.WAITS: "… Not enough data"}


@once
def info(results: StudyResults) -> list[dict[str, str]]:
    """Code, question, level and text of each check, the failed ones first."""
    return [
        {"code": check.code, "question": check.question, "level": outcome.level, "text": outcome.text}
        for check, outcome in checks.ask_all(results)
    ]


def loud_ones(results: StudyResults) -> list[dict[str, str]]:
    """Those that failed or need a look."""
    return [each for each in info(results) if each["level"] in (checks.FAIL, checks.WARN)]


def found_in_words(results: StudyResults) -> str:
    """How many of the checks these are."""
    return f"{len(loud_ones(results))} of {len(info(results))} checks found something"


def cards(results: StudyResults) -> list[Card]:
    """The checks that failed or need a look, and, folded, the others."""
    found = info(results)
    columns = ("Outcome", "Code", "Question", "Found")
    loud = loud_ones(results)
    quiet = [each for each in found if each not in loud]

    def rows(chosen: list[dict[str, str]]) -> list[tuple[str, ...]]:
        return [(MARKS[each["level"]], each["code"], each["question"], each["text"]) for each in chosen]

    waiting = sum(each["level"] == checks.WAITS for each in found)
    caption = f"{found_in_words(results)}, {len(quiet) - waiting} passed"
    caption += f"; for {waiting} there are not enough data." if waiting else "."
    shown = [Card("What should I know before I trust it?", caption, columns, rows(loud))]
    if quiet:
        shown.append(Card("Checks that passed or have not enough data", "", columns, rows(quiet), folded=True))
    return shown
