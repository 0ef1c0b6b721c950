"""SQLite: one file on one host. What is in the file, and how its processes wait for each other."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Engine

from study.errors import StudyError, one_line

BUSY_SECONDS = 60
"""After which a wait for another process is put into words."""

Say = Callable[[str], None]


def file_of(url: URL) -> Path | None:
    """The file of an SQLite URL; None for another kind of database."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise StudyError("a study is kept in a file; give --storage sqlite:///FILE")
    return Path(url.database)


def engine_options(file: Path) -> dict[str, Any]:
    """Options of SQLAlchemy's engine."""
    if _is_unchangeable(file):
        return {"creator": lambda: _connect(file)}
    return {"connect_args": {"timeout": BUSY_SECONDS}}


def schema_of(file: Path, thoroughly: bool) -> str | None:
    """Optuna's version of the tables in the file; None where there is no whole schema. Reads only; refuses a file that
    is something else or damaged.

    Only SQLite may open the file: closing it by any other way would drop the locks that this process's connections
    hold on it, and with them what other processes write (SQLite, "How to corrupt", section 2.2).
    """
    if not file.exists():
        return None
    try:
        with closing(_connect(file)) as connection:
            # Optuna stamps its version last, so a creation that was interrupted has none.
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            if thoroughly and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise _damaged(file, found)
            stamped = connection.execute("SELECT version_num FROM alembic_version").fetchone() if tables else None
            return str(stamped[0]) if stamped else None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise StudyError(
                f"{file} is no SQLite database; move it away or give another --home or --storage"
            ) from None
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            raise _damaged(file, str(error)) from None
        raise StudyError(f"the storage {file} cannot be opened: {one_line(error)}; give another --home") from None


def set_pragmas(engine: Engine, create: bool) -> None:
    """Readers and the writer do not block each other; a commit survives any kill (not a power cut)."""

    @event.listens_for(engine, "connect")
    def set_them(connection: Any, _record: Any) -> None:
        if create:
            connection.execute("PRAGMA journal_mode=WAL").close()  # it stays in the file
        connection.execute("PRAGMA synchronous=NORMAL").close()

    engine.dispose()  # the pool holds a connection from before the listener


def wait_while_busy(engine: Engine, shown: str, say: Say) -> None:
    """Let a statement wait for another process beyond SQLite's own timeout, saying so."""

    @event.listens_for(engine, "do_execute")
    def execute(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        began = time.monotonic()
        while True:
            try:
                cursor.execute(statement, parameters)
                return True
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                # Whoever has changed something holds the lock and is never told that it is busy: nothing is undone
                # but the old view of the database, under which no statement could change it any more.
                cursor.connection.rollback()
                waited = round(time.monotonic() - began)
                say(f"the database {shown} is kept busy by another process since {waited} s; waiting for it")


def _connect(file: Path) -> sqlite3.Connection:
    """Where nothing can be written, SQLite's shared memory cannot be either; but then nobody changes the file."""
    if _is_unchangeable(file):
        return sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
    return sqlite3.connect(file, timeout=BUSY_SECONDS)


def _is_unchangeable(file: Path) -> bool:
    return not os.access(file.absolute().parent, os.W_OK) and not Path(f"{file}-wal").exists()


def _damaged(file: Path, what: str) -> StudyError:
    return StudyError(
        f"the database {file} is damaged ({what}); nothing was changed, and the models, predictions and reports beside "
        f"it are safe; put a copy in its place, or save what can be read with 'sqlite3 {file} .recover'"
    )
