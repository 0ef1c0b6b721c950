"""What databases raise, in words."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from study.errors import StudyError, StudyFailure, one_line

FAILURES = (DBAPIError, StorageInternalError)
"""What a full disk or a lost database raises in the middle of a study."""
FULL, UNWRITABLE, DAMAGED = "make room on its disk", "make it writable", "put a copy in its place"
SQLITE_REMEDIES = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "make the file and its folder readable and writable",
    sqlite3.SQLITE_CORRUPT: f"{DAMAGED}, or save what can be read with 'sqlite3 FILE .recover'",
    sqlite3.SQLITE_NOTADB: f"{DAMAGED}, or save what can be read with 'sqlite3 FILE .recover'",
}
"""Primary result codes of SQLite (sqlite.org/rescode.html)."""
POSTGRESQL_REMEDIES = {
    "53100": FULL,
    "25006": UNWRITABLE,
    "42501": "give its user the rights to the database",
    "XX001": DAMAGED,
    "XX002": "rebuild its index with REINDEX",
}
"""SQLSTATEs of PostgreSQL (appendix A): disk full, read-only transaction, insufficient privilege, data and index
corrupted."""


def driver_error(error: BaseException) -> DBAPIError | None:
    """What the driver raised, where an error of SQLAlchemy's or Optuna's comes from that."""
    if not isinstance(error, (SQLAlchemyError, StorageInternalError)):
        return None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def failure(error: Exception) -> StudyFailure:
    """One of `FAILURES` in one line, with what to do about it."""
    cause = _cause(error)
    return StudyFailure(
        f"the storage failed: {one_line(cause)}; what is finished is kept: {_remedy(cause)}, then 'study resume' "
        "continues"
    )


@contextmanager
def opening(shown: str) -> Iterator[None]:
    """What opening a database raises, in a line.

    Args:
        shown: The database's URL without its password.
    """
    try:
        yield
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise StudyError(
            f"the storage {shown} was written by another version of Optuna than {optuna.__version__}; nothing was "
            f"changed; install that version, or see 'optuna storage upgrade --help' ({one_line(error, 120)})"
        ) from None
    except (DBAPIError, OSError, StorageInternalError) as error:
        raise StudyError(f"the storage {shown} cannot be opened: {one_line(_cause(error))}; name another one") from None
    except (ImportError, NoSuchModuleError) as error:
        raise StudyError(f"the storage {shown} needs a driver: {one_line(error)}; install it") from None


def _cause(error: Exception) -> BaseException:
    """What the driver said."""
    cause = driver_error(error) or error.__cause__ or error
    return getattr(cause, "orig", None) or cause


def _remedy(cause: BaseException) -> str:
    sqlite = getattr(cause, "sqlite_errorcode", None)
    found = None if sqlite is None else SQLITE_REMEDIES.get(sqlite & 0xFF)  # the primary code
    return found or POSTGRESQL_REMEDIES.get(getattr(cause, "sqlstate", None) or "", "mend the cause")
