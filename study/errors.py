"""What the study says when it cannot continue: one line each, with the exit code of the command."""

import difflib
import re
import traceback
from collections.abc import Iterable

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"  # control characters, but for tab and new line; line separators
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing
    "\ud800-\udfff]"  # halves of UTF-16 pairs: bytes of a file's name that are no text
)
"""What a terminal obeys, or what no encoding has."""


class StudyError(Exception):
    """Input that cannot be used. The text says the rule, what was given and what to do, in one line."""

    exit_code = 2


class StudyFailure(StudyError):
    """The study itself failed; what is finished is kept."""

    exit_code = 1


class SpaceChanged(StudyError):
    """A search space is not the one that the study was started with."""


class Ended(Exception):
    """A user's code wanted to end the process, by `sys.exit` for example; the cause says how."""


class Overdue(BaseException):
    """A training has taken longer than it may; the text says how long and where. Not an `Exception`, so that nobody's
    `except Exception` goes on all the same."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. Not an `Exception`, so that nobody's `except Exception` keeps the study alive."""


def printable(text: str) -> str:
    """A text as it may be shown: what a terminal would obey, such as ANSI's escape codes, is written as an escape."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of a message about a word that nobody knows: the known one that is most like it, if one is."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(given.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def traceback_end(error: BaseException, limit: int = 2000) -> str:
    """The last characters of the error's traceback, for records."""
    return printable("".join(traceback.format_exception(error)))[-limit:]


def one_line(error: BaseException, limit: int = 500) -> str:
    """The error's type and text as a single line of at most `limit` characters, for records and messages."""
    if isinstance(error, Ended) and error.__cause__ is not None:
        error = error.__cause__
    kind = "" if isinstance(error, Overdue) else f"{type(error).__name__}: "
    text = printable(" ".join(f"{kind}{text_of(error)}".split())).removesuffix(":")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def text_of(error: BaseException) -> str:
    """The error's text, whatever its `__str__` does."""
    try:
        return str(error)
    except BaseException:  # a user's class may raise anything
        return "(it has no text that can be read)"
