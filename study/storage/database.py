"""A database: how it is opened, asked, and locked. Each kind has a class; this one opens any that SQLAlchemy knows."""

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from optuna.storages import RDBStorage
from sqlalchemy import Connection
from sqlalchemy.engine import URL, Engine

from study.errors import StudyError, printable
from study.storage.presence import Presence
from study.system import rights

SCHEMA = "v3.2.0.a"
"""Optuna 5.0's version of its tables, which `queries` reads in SQL."""

Result = TypeVar("Result")
Say = Callable[[str], None]
Source = RDBStorage | Engine
"""Optuna's storage, or its database alone."""
Waiting = Callable[[float], None]
"""Called about once per second while one waits for a lock, with the seconds so far."""


class Clock(NamedTuple):
    """A clock that all processes of a database share, seconds since 1970."""

    now: float = 0.0
    began: float = 0.0
    """When the server was last started; 0 where there is none."""


def shown(url: URL) -> str:
    """A URL as it may be printed and stored: without its passwords."""
    if "sslpassword" in url.query:
        url = url.update_query_dict({"sslpassword": "***"})
    return rendered(url, hide_password=True)


def rendered(url: URL, *, hide_password: bool = False) -> str:
    """A URL as a text; bytes of a file's name that are no text are written as escapes."""
    if url.database is not None:
        url = url.set(database=printable(url.database))
    return url.render_as_string(hide_password=hide_password)


class Database(ABC):
    """The database behind a URL.

    Args:
        url: Of the database.
        say: Told in a line that the database is busy or does not answer; it is waited for.
    """

    presence: Presence | None = None
    """Which of its processes are alive, where all of them are on one machine."""

    def __init__(self, url: URL, say: Say) -> None:
        self.url = url
        self.shown = shown(url)
        self.say = say

    @abstractmethod
    def schema(self, *, thoroughly: bool) -> str | None:
        """Optuna's version of the tables; None where there is no complete schema.

        Args:
            thoroughly: Look through the whole database for damage.

        Raises:
            StudyError: it is something else, or damaged.
        """

    @abstractmethod
    def open(self, *, create: bool, schema: str | None) -> RDBStorage:
        """Optuna's storage in it.

        Args:
            create: Create the tables where there are none.
            schema: What `schema` found.
        """

    @abstractmethod
    def engine_for_reading(self, schema: str) -> Engine:
        """An engine to ask in SQL alone: Optuna's storage takes as long to open as Optuna to import."""

    def ask(self, source: Source, question: Callable[[Connection], Result]) -> Result:
        """Ask in SQL."""
        engine = source if isinstance(source, Engine) else source.engine
        with engine.connect() as connection:
            return question(connection)

    def clock(self, source: Source) -> Clock:
        """The clock of the host, which all processes of the database share."""
        return Clock(time.time())

    def patiently(self, action: Callable[[], Result]) -> Result:
        """Do what may be repeated, until the database answers."""
        return action()

    def settle(self) -> None:  # noqa: B027  most have nothing to settle
        """Make the database complete in its own file, so that a copy of that file is enough."""

    def shrink(self) -> None:  # noqa: B027  a server does it by itself
        """Give back to the disk the room of what was deleted."""

    @abstractmethod
    def exclusively(self, storage: RDBStorage, name: str, action: Callable[[], Result], waiting: Waiting) -> Result:
        """Do what only one process may do for a study at a time; the lock is released when its holder dies.

        `action` must have the same result when it is interrupted anywhere and repeated: it is, where a server was away
        meanwhile.
        """

    @abstractmethod
    def creation_lock(self, waiting: Waiting) -> AbstractContextManager[None]:
        """Held while the schema and a study are created, so that no two processes do it at once."""


CREATION_LOCK, PROCESSES = "study.lock", "study.processes"
"""Files beside a database of one machine: the lock of creations, and the signs of life of its processes."""


def lock_of(name: str) -> str:
    """The file that is the lock of a study."""
    return f"study.{name}.lock"


class FileLocked(Database):
    """A database of one host: files beside it are its locks.

    Args:
        url: Of the database.
        say: As of `Database`.
        folder: Where the lock files are.
        file: The database, where it is a file. Who may write it may write the lock files.
    """

    def __init__(self, url: URL, say: Say, folder: Path, file: Path | None = None) -> None:
        super().__init__(url, say)
        self.presence = Presence.of(folder / PROCESSES, file)
        self._folder = folder
        self._file = file

    def schema(self, *, thoroughly: bool) -> str | None:
        return "unknown"  # Optuna says whether it can be read

    def engine_options(self) -> dict[str, Any]:
        """Options of SQLAlchemy's engine."""
        return {}

    def open(self, *, create: bool, schema: str | None) -> RDBStorage:
        with warnings.catch_warnings():
            # Optuna recommends other databases for many processes; ours are few, and wait for each other.
            warnings.simplefilter("ignore", UserWarning)
            return RDBStorage(
                rendered(self.url),
                engine_kwargs=self.engine_options(),
                skip_table_creation=not create,
                skip_compatibility_check=schema == SCHEMA,  # it takes ten times as long as the rest
            )

    def engine_for_reading(self, schema: str) -> Engine:
        return self.open(create=False, schema=schema).engine

    def exclusively(self, storage: RDBStorage, name: str, action: Callable[[], Result], waiting: Waiting) -> Result:
        with self._locked(lock_of(name), waiting):
            return action()

    def creation_lock(self, waiting: Waiting) -> AbstractContextManager[None]:
        return self._locked(CREATION_LOCK, waiting)

    @contextmanager
    def _locked(self, name: str, waiting: Waiting) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{self._folder} cannot be created: {error.strerror}; give another --home") from None
        lock = FileLock(self._folder / name, timeout=1)
        began = time.monotonic()
        while True:
            try:
                lock.acquire()
                break
            except Timeout:
                waiting(time.monotonic() - began)
            except OSError as error:
                raise rights.unwritable(self._folder / name, error) from None
        if self._file is not None:
            rights.give_rights_of(self._file, self._folder / name)
        try:
            yield
        finally:
            lock.release()
