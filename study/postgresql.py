"""PostgreSQL: a server that may be away for a while, and a lock that ends with the connection that holds it.

Each process has one connection. What must not be done twice is done under an advisory lock of that connection's
session: the server releases it when the session ends, and a statement that succeeds there was made under the lock.
"""

import random
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from study.errors import StudyError, one_line

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
"""Of libpq: a server that is gone is noticed within a minute. Those in the URL come first."""
SETTINGS = {
    "statement_timeout": "120s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Of the server, for our sessions: a client that is gone, or stopped within a transaction, holds up nobody for long."""
HOLD = "60s"
"""Of silence, after which the server ends a session that holds the lock: its process is stopped, or cut off."""
CREATION_HOLD = "120s"
CROWDED_SECONDS = 60.0
"""For which a server that has no connection left is asked again by whoever begins: others are leaving, perhaps."""
LONGEST_PAUSE = 5.0
"""Between two attempts, seconds."""
QUEUE = "900ms"
"""In which one waits for a lock before a pause. Less than the second of PostgreSQL's deadlock_timeout: after that each
who waits has the server look for a deadlock among all of them, and with 1,000 it did little else (0.16 trials a
second)."""
SAID_EVERY = 60.0
"""Seconds after which a wait is put into words again."""
LOCK_NOT_AVAILABLE = "55P03"
TRANSIENT = ("08", "40", "55", "57")
"""Classes of SQLSTATE: connection, rolled back, not available, operator's doing (PostgreSQL, appendix A)."""
TRANSIENT_STATES = ("53300", "25006", "25P02", "25P03")
"""Too many connections; a server that is read-only yet, after a failover; what follows an error in a transaction; a
session that was silent too long."""
REFUSALS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")
"""Of a connection, for which the driver knows no SQLSTATE: the same would fail later too."""

Result = TypeVar("Result")
Say = Callable[[str], None]
Waiting = Callable[[float], None]


class Clock(NamedTuple):
    """A clock that all processes of a database share, seconds since 1970."""

    now: float = 0.0
    began: float = 0.0
    """When the server was started last; 0 where there is none."""


class LockLost(Exception):
    """The connection that holds the lock is gone, and the lock with it. No error of SQLAlchemy's, which Optuna would
    answer by trying again without the lock."""


def url_of(url: URL) -> URL:
    """A PostgreSQL URL for the driver that is used, with its password where it is kept out of sight.

    Raises:
        StudyError: one whose password was taken apart.
    """
    if url.get_backend_name() not in NAMES:
        return url
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
    """Let each new session have our settings: asked for at the connection's start, PgBouncer would refuse them."""
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SETTINGS.items())

    @event.listens_for(engine, "connect")
    def set_them(connection: Any, _record: Any) -> None:
        connection.execute(f"SELECT {settings}")
        connection.commit()

    return engine


def without_pool(options: dict[str, Any]) -> dict[str, Any]:
    """The options of an engine whose connections end when they are returned."""
    return {"connect_args": options["connect_args"], "poolclass": NullPool}


def schema_of(url: URL) -> str | None:
    """Optuna's version of the tables in the database; None where there is no whole schema."""
    engine = create_engine(url, **engine_options(url))

    def look() -> str | None:
        with engine.connect() as connection:
            if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
                return None
            # Optuna stamps its version last, so a creation that was interrupted has none.
            version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return version

    end = time.monotonic() + CROWDED_SECONDS
    try:
        while True:
            try:
                return look()
            except OperationalError as error:
                # Before the password is asked for, so that the driver knows no SQLSTATE.
                if "too many clients" not in str(error.orig) or time.monotonic() > end:
                    raise
            time.sleep(random.uniform(0.2, 1.0))
    finally:
        engine.dispose()


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


def is_away(error: BaseException) -> bool:
    """Whether the server was not there, or not ready: the same may succeed later."""
    cause = driver_error(error)
    if cause is None:
        return False
    state = getattr(cause.orig, "sqlstate", None) or ""
    if state:
        return state.startswith(TRANSIENT) or state in TRANSIENT_STATES
    refused = any(words in str(cause.orig) for words in REFUSALS)
    return not refused and (cause.connection_invalidated or isinstance(cause, (OperationalError, InterfaceError)))


def patiently(ask: Callable[[], Result], shown: str, say: Say) -> Result:
    """Do what may be done again until the server has answered; from time to time say that it has not."""
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
            say(f"the database {shown} does not answer since {round(now - began)} s ({why}); waiting for it")
        time.sleep(pause * random.uniform(0.5, 1.5))  # not all at the same moment
        pause = min(2 * pause, LONGEST_PAUSE)


class _Lock:
    """Whether the connection of an engine holds a lock; then no other may take its place."""

    held = False

    def refuse_another_connection(self, *_: Any) -> None:
        """Called before each connection."""
        if self.held:
            raise LockLost


class PatientStorage(RDBStorage):
    """Optuna's storage, which waits for a server that is away.

    Args:
        url: Of the server.
        say: Told in a line that it is waited for.
        create: Create the tables where there are none.
        known: Whether they are there and of the right version.
    """

    def __init__(self, url: URL, say: Say, create: bool, known: bool) -> None:
        self.shown = url.render_as_string(hide_password=True)
        self.say = say
        self._lock = _Lock()
        plain, options = url.render_as_string(hide_password=False), engine_options(url)
        if not known:
            # Optuna creates its tables, and looks which version they are of, by several connections at once.
            several = without_pool(options)
            RDBStorage(plain, engine_kwargs=several, skip_table_creation=not create).remove_session()
        super().__init__(plain, engine_kwargs=options, skip_table_creation=True, skip_compatibility_check=True)
        configure(self.engine).dispose()  # the pool holds a connection from before
        event.listen(self.engine, "do_connect", self._lock.refuse_another_connection)
        weakref.finalize(self, self.engine.dispose)  # whoever is done with it has closed its connection

    def ask(self, question: Callable[[], Result]) -> Result:
        """Do what may be done again, patiently; under the lock not so, for it is lost with the connection.

        Raises:
            LockLost: under the lock.
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
        """Do what only one process may do at a time; again, from its beginning, where the lock was lost meanwhile.

        Within it no other lock is to be taken.

        Args:
            key: Of the lock.
            action: May be interrupted anywhere and done again.
            waiting: Called every second or so that the lock is not to be had, with how many those are.
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


def clock(connection: Connection) -> Clock:
    """The server's."""
    times = "SELECT extract(epoch FROM clock_timestamp()), extract(epoch FROM pg_postmaster_start_time())"
    now, began = connection.execute(text(times)).one()
    return Clock(float(now), float(began))


@contextmanager
def locked(url: URL, key: str, waiting: Waiting) -> Iterator[None]:
    """Hold a lock by a connection of its own; for what nobody does twice but at the same moment."""
    engine = create_engine(url, **engine_options(url))
    try:
        _take_lock(engine, key, waiting, CREATION_HOLD)
        yield
    finally:
        engine.dispose()


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
        _give_lock(engine)  # it may have been granted just when the wait for it was given up
        waited = time.monotonic() - began
        # The more wait, the longer each does: 1,000 that ask every second leave the server no time.
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


# What may be done again, and by which Optuna asks. Trials are created and ended under the lock alone.
for _name in (
    "get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "set_study_user_attr", "set_study_system_attr", "get_trial",
    "get_trial_id_from_study_id_trial_number", "_get_best_trial_id", "_get_trials", "_set_trial_param",
    "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr",
):  # fmt: skip
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))
