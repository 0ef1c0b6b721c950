"""PostgreSQL: a server that may be away for a while, and a lock that ends with the connection that holds it.

Each process has one connection. What must not be done twice is done under an advisory lock of that connection's
session: the server releases it when the session ends, and a statement that succeeds there was made under the lock.
"""

import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from study.errors import StudyError, one_line
from study.storage.database import SCHEMA, Clock, Database, Result, Say, Source, Waiting, shown
from study.storage.failures import driver_error, opening
from study.system.optuna_private import PATIENT_METHODS

NAMES = ("postgresql", "postgres")
DRIVER = "postgresql+psycopg"
CONNECTION = {
    "application_name": "study",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Of libpq: a server that is gone is noticed within a minute. Parameters of the URL take precedence."""
SETTINGS = {
    "statement_timeout": "120s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Of the server, for our sessions: a client that is gone, or stopped within a transaction, blocks nobody for long."""
HOLD = "60s"
"""The silence after which the server ends a session that holds the lock: its process was stopped or cut off."""
CREATION_HOLD = "120s"
CROWDED_SECONDS = 60.0
"""How long a process that starts asks a server again that has no connection left: others may be leaving."""
LONGEST_PAUSE = 5.0
"""Seconds between two attempts."""
QUEUE = "900ms"
"""How long a process queues for a lock before it pauses. Less than PostgreSQL's deadlock_timeout of one second: after
that each waiting session makes the server search all of them for deadlocks, and with 1,000 sessions it did little else
(0.16 trials per second)."""
SAID_EVERY = 60.0
"""Seconds between two messages about a wait."""
LOCK_NOT_AVAILABLE = "55P03"
TRANSIENT = ("08", "40", "55", "57")
"""Classes of SQLSTATE: connection, transaction rollback, object not available, operator intervention (PostgreSQL,
appendix A)."""
TRANSIENT_STATES = ("53300", "25006", "25P02", "25P03")
"""Too many connections; a server that is still read-only after a failover; what follows an error in a transaction; a
session that was silent for too long."""
REFUSALS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")
"""Refused connections, for which the driver knows no SQLSTATE: a later attempt would fail, too."""


class LockLost(Exception):
    """The connection that holds the lock is gone, and the lock with it. Not an error of SQLAlchemy's: Optuna would try
    again without the lock."""


def normalized(url: URL) -> URL:
    """A PostgreSQL URL for the driver that is used, with its password where it is kept out of sight.

    Raises:
        StudyError: one whose password was taken apart.
    """
    if "@" in (url.host or ""):
        raise StudyError("the password in --storage has an '@'; write it as %40, or give it in PGPASSWORD")
    if "+" not in url.drivername:
        url = url.set(drivername=DRIVER)
    if "password" in url.query:
        url = url.set(password=str(url.query["password"])).difference_update_query(["password"])
    return url


def engine_options(url: URL) -> dict[str, Any]:
    """Options of SQLAlchemy's engine."""
    arguments = {name: value for name, value in CONNECTION.items() if name not in url.query}
    return {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True, "connect_args": arguments}


def configure(engine: Engine) -> Engine:
    """Give each new session our settings; PgBouncer refuses them among the parameters of a connection."""
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SETTINGS.items())

    @event.listens_for(engine, "connect")
    def set_them(connection: Any, _record: Any) -> None:
        connection.execute(f"SELECT {settings}")
        connection.commit()

    return engine


def without_pool(options: dict[str, Any]) -> dict[str, Any]:
    """The options of an engine whose connections end when they are returned."""
    return {"connect_args": options["connect_args"], "poolclass": NullPool}


def is_away(error: BaseException) -> bool:
    """Whether the server was absent or not ready, so that a later attempt may succeed."""
    cause = driver_error(error)
    if cause is None:
        return False
    state = getattr(cause.orig, "sqlstate", None) or ""
    if state:
        return state.startswith(TRANSIENT) or state in TRANSIENT_STATES
    refused = any(words in str(cause.orig) for words in REFUSALS)
    return not refused and (cause.connection_invalidated or isinstance(cause, (OperationalError, InterfaceError)))


def patiently(ask: Callable[[], Result], shown: str, say: Say) -> Result:
    """Repeat an action until the server has answered; say from time to time that it has not."""
    began = said = time.monotonic()
    pause = 0.1
    while True:
        try:
            return ask()
        except Exception as error:
            if not is_away(error):
                raise
            cause = driver_error(error)
            why = one_line((cause and cause.orig) or error, 120)
        now = time.monotonic()
        if now - said >= SAID_EVERY or said == began:
            said = now
            say(f"the database {shown} has not answered for {round(now - began)} s ({why}); waiting for it")
        time.sleep(pause * random.uniform(0.5, 1.5))  # not all at the same moment
        pause = min(2 * pause, LONGEST_PAUSE)


class _Lock:
    """Whether the connection of an engine holds a lock; while it does, no other connection may replace it."""

    held = False

    def refuse_another_connection(self, *_: Any) -> None:
        """Called before each connection is made."""
        if self.held:
            raise LockLost


class PatientStorage(RDBStorage):
    """Optuna's storage, which waits for a server that does not answer.

    Args:
        url: Of the server.
        say: Told in a line that the server is waited for.
        create: Create the tables where there are none.
        known: Whether the tables are there and of the right version.
    """

    def __init__(self, url: URL, say: Say, create: bool, known: bool) -> None:
        self.shown = shown(url)
        self.say = say
        self._lock = _Lock()
        plain, options = url.render_as_string(hide_password=False), engine_options(url)
        if not known:
            # Optuna uses several connections at once to create its tables and to find their version.
            several = without_pool(options)
            RDBStorage(plain, engine_kwargs=several, skip_table_creation=not create).remove_session()
        super().__init__(plain, engine_kwargs=options, skip_table_creation=True, skip_compatibility_check=True)
        configure(self.engine).dispose()  # the pool holds an older connection
        event.listen(self.engine, "do_connect", self._lock.refuse_another_connection)
        weakref.finalize(self, self.engine.dispose)  # closes the connection when the storage is not used any more

    def ask(self, question: Callable[[], Result]) -> Result:
        """Do what may be repeated, patiently. Not so under the lock, which is lost with the connection.

        Raises:
            LockLost: the connection was lost under the lock.
        """
        if not self._lock.held:
            return patiently(question, self.shown, self.say)
        try:
            return question()
        except Exception as error:
            if is_away(error):
                raise LockLost from error
            raise

    def exclusively(self, key: str, action: Callable[[], Result], waiting: Waiting) -> Result:
        """Do what only one process may do at a time; start it again where the lock was lost meanwhile.

        The action must not take another lock.

        Args:
            key: Of the lock.
            action: May be interrupted anywhere and repeated.
            waiting: Called about once per second of waiting, with the seconds so far.
        """

        def attempt() -> Result:
            _take_lock(self.engine, key, waiting, HOLD)
            self._lock.held = True
            try:
                return action()
            except LockLost as lost:
                raise _gone(lost) from lost
            finally:
                self._lock.held = False
                _give_lock(self.engine)

        return patiently(attempt, self.shown, self.say)


def _gone(lost: LockLost) -> DBAPIError:
    """The error of a connection that was lost."""
    cause = driver_error(lost.__cause__) if lost.__cause__ else None
    return cause or OperationalError("", None, ConnectionError("the connection was lost"))


def _take_lock(engine: Engine, key: str, waiting: Waiting, hold: str) -> None:
    began = time.monotonic()
    take = text("SELECT pg_advisory_lock(hashtextextended(:key, 0)), set_config('idle_session_timeout', :hold, false)")
    while True:
        try:
            with engine.begin() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{QUEUE}'"))
                connection.execute(take, {"key": key, "hold": hold})
            return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        _give_lock(engine)  # it may have been granted just when the wait ended
        waited = time.monotonic() - began
        # Pauses grow with the wait: 1,000 processes that ask every second leave the server no time.
        end = began + waited + random.uniform(0.5, 1.5) * min(waited, LONGEST_PAUSE)
        while (now := time.monotonic()) < end:
            waiting(now - began)
            time.sleep(min(1.0, end - now))


def _give_lock(engine: Engine) -> None:
    give = text("SELECT pg_advisory_unlock_all(), set_config('idle_session_timeout', '0', false)")
    try:
        with engine.begin() as connection:
            connection.execute(give)
    except DBAPIError:
        engine.dispose()  # the lock ends with the connection


def _patient(method: Callable[..., Result]) -> Callable[..., Result]:
    @wraps(method)
    def ask(self: PatientStorage, *args: Any, **kwargs: Any) -> Result:
        return self.ask(lambda: method(self, *args, **kwargs))

    return ask


# What may be repeated, and by which Optuna asks. Trials are created and ended under the lock alone.
for _name in PATIENT_METHODS:
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))


class PostgreSQL(Database):
    """A server, which several hosts share."""

    def schema(self, *, thoroughly: bool) -> str | None:
        engine = create_engine(self.url, **engine_options(self.url))
        try:
            return _while_crowded(partial(_stamped, engine))
        finally:
            engine.dispose()

    def open(self, *, create: bool, schema: str | None) -> RDBStorage:
        return PatientStorage(self.url, self.say, create, known=schema == SCHEMA)

    def engine_for_reading(self, schema: str) -> Engine:
        if schema != SCHEMA:
            return self.open(create=False, schema=schema).engine  # Optuna says whether it can be read
        return create_engine(self.url, **without_pool(engine_options(self.url)))

    def ask(self, source: Source, question: Callable[[Connection], Result]) -> Result:
        if isinstance(source, PatientStorage):
            return source.ask(lambda: super(PostgreSQL, self).ask(source, question))
        return super().ask(source, question)

    def clock(self, source: Source) -> Clock:
        times = text("SELECT extract(epoch FROM clock_timestamp()), extract(epoch FROM pg_postmaster_start_time())")
        now, began = self.ask(source, lambda connection: connection.execute(times).one())
        return Clock(float(now), float(began))

    def patiently(self, action: Callable[[], Result]) -> Result:
        return patiently(action, self.shown, self.say)

    @contextmanager
    def creation_lock(self, waiting: Waiting) -> Iterator[None]:
        engine = create_engine(self.url, **engine_options(self.url))  # a connection of its own holds the lock
        try:
            with opening(self.shown):
                _take_lock(engine, "study", waiting, CREATION_HOLD)
            yield
        finally:
            engine.dispose()

    def exclusively(self, storage: RDBStorage, name: str, action: Callable[[], Result], waiting: Waiting) -> Result:
        assert isinstance(storage, PatientStorage)
        return storage.exclusively(f"study.{name}", action, waiting)


def _stamped(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
            return None
        # Optuna stamps its version last, so a creation that was interrupted has none.
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version


def _while_crowded(look: Callable[[], Result]) -> Result:
    """Ask a server that may have no connection left just now."""
    end = time.monotonic() + CROWDED_SECONDS
    while True:
        try:
            return look()
        except OperationalError as error:
            # It is refused before the password is asked for, so that the driver knows no SQLSTATE.
            if "too many clients" not in str(error.orig) or time.monotonic() > end:
                raise
        time.sleep(random.uniform(0.2, 1.0))
