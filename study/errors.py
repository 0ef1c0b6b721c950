"""What the study says when it cannot continue: one line each, with the exit code of the command."""

import traceback


class StudyError(Exception):
    """Input that cannot be used. The text says the rule, what was given and what to do, in one line."""

    exit_code = 2


class StudyFailure(StudyError):
    """The study itself failed; what is finished is kept."""

    exit_code = 1


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. Not an `Exception`, so that nobody's `except Exception` keeps the study alive."""


def traceback_end(error: BaseException, limit: int = 2000) -> str:
    """The last characters of the error's traceback, for records."""
    return "".join(traceback.format_exception(error))[-limit:]


def one_line(error: BaseException, limit: int = 500) -> str:
    """The error's type and text as a single line of at most `limit` characters, for records and messages."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
