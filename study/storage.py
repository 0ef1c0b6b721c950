"""Opening a storage URL. The only file that knows SQLAlchemy."""

import json
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from study.config import Direction, StudyConfig
from study.errors import StudyError, StudyFailure, one_line
from study.records import OWNER, RECORD

CONFIG = "config"
SCHEMA = "v3.2.0.a"
"""Optuna 5.0's version of its tables."""
BUSY_SECONDS = 60
"""After which a wait for another process is put into words."""

FAILURES = (DBAPIError, optuna.exceptions.StorageInternalError)
"""What a full disk or a lost database raises in the middle of a study."""

Say = Callable[[str], None]
Source = BaseStorage | Engine
"""Optuna's storage, or its database alone (`open_database`)."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def storage_url(home: Path, url: str | None) -> str:
    """The storage of a home: `url` where one is given, `HOME/study.db` otherwise."""
    return url or URL.create("sqlite", database=str(home / "study.db")).render_as_string()


def shown_url(url: str) -> str:
    """The URL as it may be printed and stored: without its password."""
    return _parse(url).render_as_string(hide_password=True)


def check_places(home: Path, name: str, url: str | None) -> None:
    """Refuse places that cannot be created or written, before anything is begun.

    Raises:
        StudyError: naming what is in the way.
    """
    for folder in (home, home / name):
        try:
            existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
            writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
        except PermissionError as error:
            existing, writable = Path(error.filename), False
        if not writable:
            raise StudyError(
                f"the home {home} cannot be written ({existing} is in the way); make it writable or give another --home"
            )
    file = _sqlite_file(_parse(url)) if url else None
    if file is not None and not file.absolute().parent.is_dir():
        raise StudyError(f"there is no folder {file.absolute().parent} for the database; create it")


def open_storage(
    url: str, *, create: bool = False, writing: bool = False, waiting: Say | None = None
) -> BaseStorage | None:
    """The storage behind `url`; None where there is none yet and `create` is not asked for.

    Args:
        url: Of the database.
        create: Create the tables where there are none.
        writing: The whole database is looked through for damage first.
        waiting: Told in a line when another process keeps the database busy; it is waited for.

    Raises:
        StudyError: a URL of no known kind, a file that is no SQLite database or a damaged one, a database that
            cannot be opened.
    """
    parsed = _parse(url)
    file = _sqlite_file(parsed)
    if file is not None and not _has_optuna_tables(file, thoroughly=create or writing) and not create:
        return None
    with _opening(parsed):
        with warnings.catch_warnings():
            # Optuna recommends other databases for many processes; ours are few, and wait for each other.
            warnings.simplefilter("ignore", UserWarning)
            storage = RDBStorage(
                parsed.render_as_string(hide_password=False),
                engine_kwargs=_engine_options(file),
                skip_table_creation=not create,
            )
        if file is not None:
            _set_pragmas(storage, create)
            _wait_while_busy(storage.engine, parsed, waiting or (lambda line: None))
    return optuna.storages.get_storage(storage)


def open_database(url: str) -> Engine | None:
    """The database behind `url`, to be read in SQL; None for an SQLite file that holds no storage yet.

    Optuna's storage takes as long to open as Optuna to import; `study status` does without it.

    Raises:
        StudyError: as `open_storage`.
    """
    parsed = _parse(url)
    file = _sqlite_file(parsed)
    if file is not None and not _has_optuna_tables(file, thoroughly=False):
        return None
    with _opening(parsed):
        engine = create_engine(parsed, **_engine_options(file))
        if file is not None:
            _wait_while_busy(engine, parsed, lambda line: None)
        with engine.connect() as connection:
            schema = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if schema == SCHEMA:
        return engine
    engine.dispose()
    storage = open_storage(url)  # Optuna says whether it can be read
    return None if storage is None else _engine(storage)


def _engine_options(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    if _is_unchangeable(file):
        return {"creator": lambda: _connect(file)}
    return {"connect_args": {"timeout": BUSY_SECONDS}}


@contextmanager
def _opening(url: URL) -> Iterator[None]:
    """What opening a database raises, in a line."""
    shown = url.render_as_string(hide_password=True)
    try:
        yield
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise StudyError(
            f"the storage {shown} was written by another version of Optuna than {optuna.__version__}; nothing was "
            f"changed; install that version, or see 'optuna storage upgrade --help' ({one_line(error, 120)})"
        ) from None
    except (DBAPIError, OSError, optuna.exceptions.StorageInternalError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise StudyError(f"the storage {shown} cannot be opened: {one_line(cause)}; name another one") from None
    except (ImportError, NoSuchModuleError) as error:
        raise StudyError(f"the storage {shown} needs a driver: {one_line(error)}; install it") from None


def _engine(source: Source) -> Engine:
    """The database of a storage."""
    if isinstance(source, Engine):
        return source
    database: Any = getattr(source, "_backend", source)  # behind Optuna's cache
    engine: Engine = database.engine
    return engine


def read_configs(source: Source | None) -> dict[str, StudyConfig]:
    """The studies of a storage by name. Other people's Optuna studies beside them are passed over."""
    if source is None:
        return {}
    # The finals' definition is written last: a study without one was interrupted while it was created.
    definitions = text(
        "SELECT a.value_json FROM study_user_attributes a JOIN studies USING (study_id) "
        "WHERE a.key = :key AND study_name LIKE '%/finals' ORDER BY study_id"
    )
    with _engine(source).connect() as connection:
        stored = connection.execute(definitions, {"key": CONFIG}).scalars().all()
    configs = {}
    for values in stored:
        with suppress(KeyError, TypeError, AttributeError, StudyError):  # somebody else's attribute of that name
            config = StudyConfig.from_json(json.loads(values))
            configs[config.name] = config
    return configs


def read_config(source: Source | None, name: str) -> StudyConfig:
    """The definition of a study.

    Raises:
        StudyError: there is none of that name; the ones that exist are named.
    """
    configs = read_configs(source)
    if name not in configs:
        known = f"it has {', '.join(sorted(configs))}" if configs else "it has none; 'study run' begins one"
        raise StudyError(f"the storage has no study named {name!r}: {known}")
    return configs[name]


def open_study(
    url: str, name: str, *, writing: bool = False, waiting: Say | None = None
) -> tuple[BaseStorage, StudyConfig]:
    """The storage behind `url` and the definition of a study in it; the options are those of `open_storage`.

    Raises:
        StudyError: as `open_storage` and `read_config`.
    """
    storage = open_storage(url, writing=writing, waiting=waiting)
    config = read_config(storage, name)
    assert storage is not None
    return storage, config


def create_study(storage: BaseStorage, config: StudyConfig, attributes: Mapping[str, Any]) -> None:
    """Create the Optuna studies of a definition; takes up a creation that was interrupted.

    `attributes` (JSON values) become user attributes of each. Call it under `creation_lock`.
    """
    _forget_interrupted_creation(storage, config)
    for study_name in config.study_names:
        direction: Direction = "maximize" if study_name == config.finals_name else config.direction
        study = optuna.create_study(study_name=study_name, storage=storage, direction=direction, load_if_exists=True)
        for key, value in attributes.items():
            study.set_user_attr(key, value)
        study.set_user_attr(CONFIG, config.to_json())


def delete_study(storage: BaseStorage, name: str) -> None:
    """Delete the Optuna studies of a study, also one whose deletion was interrupted. Call it under `creation_lock`."""
    for study_name in optuna.get_all_study_names(storage):
        if study_name.startswith(f"{name}/") and CONFIG in load(storage, study_name).user_attrs:
            optuna.delete_study(study_name=study_name, storage=storage)


def update_config(storage: BaseStorage, config: StudyConfig) -> None:
    """Store a definition over the one that the study was created with."""
    for study_name in config.study_names:
        load(storage, study_name).set_user_attr(CONFIG, config.to_json())


def load(storage: BaseStorage, study_name: str, **options: Any) -> optuna.Study:
    """An Optuna study of the storage; `options` are its sampler and pruner."""
    return optuna.load_study(study_name=study_name, storage=storage, **options)


@dataclass(frozen=True)
class Overview:
    """An Optuna study in numbers."""

    counts: dict[str, int]
    """Trials by the name of their state."""
    best: tuple[int, float] | None
    """Number and value of the best complete trial that has a record, the earliest of equals."""
    owners: list[dict[str, Any]]
    """The owner attribute of each running trial; empty where it has none."""
    last_failure: dict[str, Any] | None
    """The record of the last failed trial."""


def overview(source: Source, study_name: str, direction: Direction) -> Overview:
    """A study in numbers, asked of the database: reading 1,000 trials as objects takes Optuna a third of a second."""
    trials = "FROM trials JOIN studies USING (study_id)"
    attribute = "LEFT JOIN trial_user_attributes a ON a.trial_id = trials.trial_id AND a.key = "
    where = "WHERE study_name = :name AND state ="
    order = "DESC" if direction == "maximize" else "ASC"
    asked = {
        "counts": f"SELECT state, COUNT(*) {trials} WHERE study_name = :name GROUP BY state",
        "best": f"SELECT number, value {trials} JOIN trial_values v ON v.trial_id = trials.trial_id {attribute} "
        f":record {where} 'COMPLETE' AND value_type = 'FINITE' AND a.key IS NOT NULL "
        f"ORDER BY value {order}, number LIMIT 1",
        "owners": f"SELECT value_json {trials} {attribute} :owner {where} 'RUNNING'",
        "failures": f"SELECT value_json {trials} {attribute} :record {where} 'FAIL' ORDER BY number DESC LIMIT 1",
    }
    with _engine(source).connect() as connection:
        given = {"name": study_name, "record": RECORD, "owner": OWNER}
        rows = {what: connection.execute(text(sql), given).all() for what, sql in asked.items()}
    failure = next((value for (value,) in rows["failures"]), None)
    return Overview(
        counts=dict(map(tuple, rows["counts"])),
        best=next(((number, value) for number, value in rows["best"]), None),
        owners=[json.loads(value or "{}") for (value,) in rows["owners"]],
        last_failure=json.loads(failure) if failure else None,
    )


@contextmanager
def creation_lock(home: Path, url: str, waiting: Callable[[float], None] = lambda seconds: None) -> Iterator[None]:
    """Held while the schema and a study are created, so that no two processes do it at once.

    `waiting` is called each second that another process holds it, with how many those are.
    """
    with _locked(_lock_folder(home, url) / "study.lock", waiting):
        yield


@contextmanager
def claim_lock(home: Path, url: str, name: str, waiting: Callable[[float], None]) -> Iterator[None]:
    """Held while a trial of a study is chosen and claimed. The system releases it when its holder dies.

    `waiting` as for `creation_lock`. An SQLite database has one host, so a file beside it serves all its processes.
    """
    with _locked(_lock_folder(home, url) / f"study.{name}.lock", waiting):
        yield


def failure(error: Exception) -> StudyFailure:
    """One of `FAILURES` in one line."""
    cause = error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    known = {
        "full": "make room on its disk",
        "readonly": "make the file and its folder writable",
        "malformed": "put a copy in its place, or save what can be read with 'sqlite3 FILE .recover'",
    }
    mend = next((what for word, what in known.items() if word in str(cause)), "see to it")
    return StudyFailure(
        f"the storage failed: {one_line(cause)}; what is finished is kept: {mend}, then 'study resume' goes on"
    )


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise StudyError(
            "--storage is a database URL such as sqlite:///runs/study.db; the one given cannot be read"
        ) from None


def _sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite URL; None for another kind of database."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise StudyError("a study is kept in a file; give --storage sqlite:///FILE")
    return Path(url.database)


def _has_optuna_tables(file: Path, thoroughly: bool) -> bool:
    """Whether there is a whole schema in the file. Reads only; refuses a file that is something else or damaged.

    Only SQLite may open the file: closing it by any other way would drop the locks that this process's connections
    hold on it, and with them what other processes write (SQLite, "How to corrupt", section 2.2).
    """
    if not file.exists():
        return False
    try:
        with closing(_connect(file)) as connection:
            # Optuna stamps its version last, so a creation that was interrupted has none.
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            if thoroughly and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise _damaged(file, found)
            return bool(tables and connection.execute("SELECT version_num FROM alembic_version").fetchall())
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise StudyError(
                f"{file} is no SQLite database; move it away or give another --home or --storage"
            ) from None
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            raise _damaged(file, str(error)) from None
        raise StudyError(f"the storage {file} cannot be opened: {one_line(error)}; give another --home") from None


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


def _set_pragmas(storage: RDBStorage, create: bool) -> None:
    """Readers and the writer do not block each other; a commit survives any kill (not a power cut)."""

    @event.listens_for(storage.engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        if create:
            connection.execute("PRAGMA journal_mode=WAL").close()  # it stays in the file
        connection.execute("PRAGMA synchronous=NORMAL").close()

    storage.engine.dispose()  # the pool holds a connection from before the listener


def _wait_while_busy(engine: Engine, url: URL, say: Say) -> None:
    """Let a statement wait for another process beyond SQLite's own timeout, saying so."""
    shown = url.render_as_string(hide_password=True)

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
                say(f"the database {shown} is kept busy by another process since {_waited(began)} s; waiting for it")


def _waited(began: float) -> int:
    return round(time.monotonic() - began)


def _forget_interrupted_creation(storage: BaseStorage, config: StudyConfig) -> None:
    """Delete the empty Optuna studies of a creation that was interrupted."""
    for study in storage.get_all_studies():
        in_the_way = study.study_name in config.study_names
        stale = in_the_way or (study.study_name.startswith(f"{config.name}/") and CONFIG in study.user_attrs)
        if not stale:
            continue
        if storage.get_n_trials(study._study_id):
            raise StudyError(f"the storage has another Optuna study named {study.study_name!r}; give another NAME")
        storage.delete_study(study._study_id)


@contextmanager
def _locked(file: Path, waiting: Callable[[float], None]) -> Iterator[None]:
    lock = FileLock(file, timeout=1)
    began = time.monotonic()
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            waiting(time.monotonic() - began)
    try:
        yield
    finally:
        lock.release()


def _lock_folder(home: Path, url: str) -> Path:
    """Beside the database, so that whoever opens it from elsewhere meets the same lock."""
    file = _sqlite_file(_parse(url))
    folder = home if file is None else file.resolve().parent
    _make_folder(folder)
    return folder


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{folder} cannot be created: {error.strerror}; give another --home") from None
