"""SQLite: one file on one host. What is in the file, and how its processes wait for each other."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import NullPool

from study.errors import StudyError, one_line
from study.storage.database import CREATION_LOCK, PROCESSES, SCHEMA, FileLocked, Say, lock_of
from study.system import rights

BUSY_SECONDS = 60
"""After which a wait for another process is put into words."""


def file_of(url: URL) -> Path | None:
    """The file of an SQLite URL; None for another kind of database."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise StudyError("a study is kept in a file; give --storage sqlite:///FILE")
    return Path(url.database)


def files_of(file: Path, name: str) -> list[Path]:
    """What a study of that name writes of a database and beside it."""
    beside = [file.resolve().parent / each for each in (CREATION_LOCK, PROCESSES, lock_of(name))]
    return [file, Path(f"{file}-wal"), Path(f"{file}-shm"), *beside]


class SQLite(FileLocked):
    """A database in a file; its locks lie beside it, so that every process finds the same ones, whatever its folder.

    Only SQLite may open the file: closing it by any other way would drop the locks that this process's connections
    hold on it, and with them what other processes write (sqlite.org/howtocorrupt.html, section 2.2).

    Args:
        url: Of the database.
        say: As of `Database`.
        file: Of the URL.
        to_read: Nothing is to be changed, and nothing left beside the file.
    """

    def __init__(self, url: URL, say: Say, file: Path, to_read: bool = False) -> None:
        super().__init__(url, say, file.resolve().parent, file)
        self.file = file
        self._to_read = to_read

    def schema(self, *, thoroughly: bool) -> str | None:
        try:
            if not self.file.exists():
                return None
        except PermissionError as error:
            raise self._unreadable(Path(error.filename)) from None
        if not os.access(self.file, os.R_OK):
            raise self._unreadable(self.file)
        try:
            with closing(self._connect()) as connection:
                # Optuna stamps its version last, so a creation that was interrupted has none.
                tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
                if thoroughly and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise self._damaged(found)
                stamped = connection.execute("SELECT version_num FROM alembic_version").fetchone() if tables else None
                return str(stamped[0]) if stamped else None
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise StudyError(
                    f"{self.file} is not an SQLite database; move it away or give another --home or --storage"
                ) from None
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
                raise self._damaged(str(error)) from None
            raise StudyError(
                f"the storage {self.file} cannot be opened: {one_line(error)}; give another --home"
            ) from None

    def engine_options(self) -> dict[str, Any]:
        if not self._may_change():
            return {"creator": self._connect, "poolclass": NullPool}
        return {"creator": self._connect}  # a URL cannot name every file

    def open(self, *, create: bool, schema: str | None) -> RDBStorage:
        storage = super().open(create=create, schema=schema)
        set_pragmas(storage.engine, create)
        self._wait_while_busy(storage.engine)
        return storage

    def engine_for_reading(self, schema: str) -> Engine:
        if schema != SCHEMA:
            return super().engine_for_reading(schema)  # Optuna says whether it can be read
        engine = create_engine(self.url, **self.engine_options())
        self._wait_while_busy(engine)
        return engine

    def settle(self) -> None:
        """Move the write-ahead log into the file; where another process reads just then, that is left to it."""
        if self.file.exists() and self._log.exists():
            with suppress(sqlite3.Error), closing(sqlite3.connect(self.file, timeout=1)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def shrink(self) -> None:
        """Rewrite the file without its empty pages; where another process uses it just then, they are used again."""
        with suppress(sqlite3.Error), closing(self._connect()) as connection:
            connection.isolation_level = None  # not within a transaction
            connection.execute("VACUUM")
        self.settle()

    def _wait_while_busy(self, engine: Engine) -> None:
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
                    # A transaction that has changed something holds the lock and is never told that the database is
                    # busy. So nothing is undone here but an old view of it, which could not change it any more.
                    cursor.connection.rollback()
                    waited = round(time.monotonic() - began)
                    self.say(f"another process keeps the database {self.shown} busy for {waited} s now; waiting for it")

    def _connect(self) -> sqlite3.Connection:
        if self._may_change():
            return sqlite3.connect(self.file, timeout=BUSY_SECONDS, check_same_thread=False)
        # To open a database with a write-ahead log creates that log and its index; they would belong to this user, and
        # a user who cannot write them cannot write the database. Where there is no log, nobody is writing just now.
        how = "mode=ro&readonly_shm=1" if self._log.exists() else "immutable=1"
        uri = f"{self.file.absolute().as_uri()}?{how}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    def _may_change(self) -> bool:
        """Whether SQLite may create what it needs beside the database. Somebody who only reads may not, but for whom
        it belongs to, and root, who gives what it creates to that one."""
        if self._to_read and self.file.exists() and os.geteuid() not in (0, self.file.stat().st_uid):
            return False
        return os.access(self.file.absolute().parent, os.W_OK) or self._log.exists()

    @property
    def _log(self) -> Path:
        """The write-ahead log, which is there as long as somebody has the database open, or where one was killed."""
        return Path(f"{self.file}-wal")

    def _unreadable(self, there: Path) -> StudyError:
        return StudyError(
            f"the storage {self.file} cannot be read ({rights.described(there)}); make it readable, or give another "
            "--home"
        )

    def _damaged(self, what: str) -> StudyError:
        return StudyError(
            f"the database {self.file} is damaged ({' '.join(what.split())}); nothing was changed, and the models, "
            "predictions and reports beside it are safe; put a copy in its place, or save what can be read with "
            f"'sqlite3 {self.file} .recover'"
        )


def set_pragmas(engine: Engine, create: bool) -> None:
    """Let readers and the writer not block each other; a commit survives any kill (not a power cut)."""

    @event.listens_for(engine, "connect")
    def set_them(connection: Any, _record: Any) -> None:
        if create:
            connection.execute("PRAGMA journal_mode=WAL").close()  # it stays in the file
        connection.execute("PRAGMA synchronous=NORMAL").close()

    engine.dispose()  # the pool holds a connection from before the listener
