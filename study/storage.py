"""Opening a storage URL, and what is asked of the database. What SQLite and PostgreSQL want is in files of theirs."""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from study import extras, postgresql, sqlite
from study.config import Direction, StudyConfig
from study.errors import StudyError, StudyFailure, one_line
from study.files import is_local, remove, write_whole
from study.postgresql import Clock, PatientStorage

CONFIG = "config"
SCHEMA = "v3.2.0.a"
"""Optuna 5.0's version of its tables."""
UNFINISHED = "state IN ('RUNNING', 'WAITING')"
INDICES = {
    "study_trials_by_number": "(study_id, number)",
    "study_trials_unfinished": f"(study_id) WHERE {UNFINISHED}",
}
"""By which a claim takes as long among 100,000 trials as among ten. Optuna does not mind them."""

FAILURES = (DBAPIError, optuna.exceptions.StorageInternalError)
"""What a full disk or a lost database raises in the middle of a study."""

Say = Callable[[str], None]
Waiting = Callable[[float], None]
"""Called every second or so that a lock is not to be had, with how many those are."""
Result = TypeVar("Result")
Source = BaseStorage | Engine
"""Optuna's storage, or its database alone (`open_database`)."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def storage_url(home: Path, url: str | None) -> str:
    """The storage of a home: `url` where one is given, `HOME/study.db` otherwise."""
    if url is None and not is_local(home):
        raise StudyError(f"the object store {home} holds no database; give --storage too")
    return url or URL.create("sqlite", database=str(home / "study.db")).render_as_string()


def shown_url(url: str) -> str:
    """The URL as it may be printed and stored: without its passwords."""
    parsed = _parse(url).set(drivername=make_url(url).drivername)
    if "sslpassword" in parsed.query:
        parsed = parsed.update_query_dict({"sslpassword": "***"})
    return parsed.render_as_string(hide_password=True)


def serves_many_hosts(url: str) -> bool:
    """Whether processes of several machines can share the database."""
    return _parse(url).get_backend_name() == "postgresql"


def check_places(home: Path, name: str, url: str | None) -> None:
    """Refuse places that cannot be created or written, before anything is begun.

    Raises:
        StudyError: naming what is in the way.
    """
    for folder in (home, home / name) if is_local(home) else ():
        try:
            existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
            writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
        except PermissionError as error:
            existing, writable = Path(error.filename), False
        if not writable:
            raise StudyError(
                f"the home {home} cannot be written ({existing} is in the way); make it writable or give another --home"
            )
    if not is_local(home):
        probe = home / name / "probe"
        try:
            write_whole(probe, lambda draft: draft.write_bytes(b""))
            remove(probe)
        except OSError as error:
            raise StudyError(f"the home {home} cannot be written: {error.strerror}; give another --home") from None
    file = sqlite.file_of(_parse(url)) if url else None
    if file is not None and not file.absolute().parent.is_dir():
        raise StudyError(f"there is no folder {file.absolute().parent} for the database; create it")


def open_storage(
    url: str, *, create: bool = False, writing: bool = False, known: bool = False, waiting: Say | None = None
) -> BaseStorage | None:
    """The storage behind `url`; None where there is none yet and `create` is not asked for.

    Args:
        url: Of the database.
        create: Create the tables where there are none.
        writing: The whole database is looked through for damage first.
        known: The database is known to be there: a server that is away is waited for.
        waiting: Told in a line when another process keeps the database busy, or a server is away; it is waited for.

    Raises:
        StudyError: a URL of no known kind, a file that is no SQLite database or a damaged one, a database that
            cannot be opened.
    """
    parsed = _parse(url)
    say = waiting or (lambda line: None)

    def open_it() -> RDBStorage | None:
        schema = _schema_of(parsed, thoroughly=create or writing)
        if schema is None and not create:
            return None
        if parsed.get_backend_name() == "postgresql":
            return PatientStorage(parsed, say, create, known=schema == SCHEMA)
        with warnings.catch_warnings():
            # Optuna recommends other databases for many processes; ours are few, and wait for each other.
            warnings.simplefilter("ignore", UserWarning)
            storage = RDBStorage(
                parsed.render_as_string(hide_password=False),
                engine_kwargs=_engine_options(parsed),
                skip_table_creation=not create,
            )
        if sqlite.file_of(parsed) is not None:
            sqlite.set_pragmas(storage.engine, create)
            sqlite.wait_while_busy(storage.engine, shown_url(url), say)
        return storage

    with _opening(parsed):
        opened = postgresql.patiently(open_it, shown_url(url), say) if known else open_it()
    return None if opened is None else optuna.storages.get_storage(opened)


def warm_up() -> None:
    """Let Optuna import what it imports when it first opens a storage: a third of a second."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # see `open_storage`
        RDBStorage("sqlite://").engine.dispose()


def open_database(url: str) -> Engine | None:
    """The database behind `url`, to be read in SQL; None for an SQLite file that holds no storage yet.

    Optuna's storage takes as long to open as Optuna to import; `study status` does without it.

    Raises:
        StudyError: as `open_storage`.
    """
    parsed = _parse(url)
    with _opening(parsed):
        schema = _schema_of(parsed, thoroughly=False)
        if schema is None:
            return None
        if schema == SCHEMA:
            options = _engine_options(parsed)
            if sqlite.file_of(parsed) is None:
                return create_engine(parsed, **postgresql.without_pool(options))
            engine = create_engine(parsed, **options)
            sqlite.wait_while_busy(engine, shown_url(url), lambda line: None)
            return engine
    storage = open_storage(url)  # Optuna says whether it can be read
    return None if storage is None else _engine(storage)


def _schema_of(url: URL, thoroughly: bool) -> str | None:
    """Optuna's version of the tables behind a URL; None where there are none. Databases of other kinds than ours are
    asked when they are opened."""
    file = sqlite.file_of(url)
    if file is not None:
        return sqlite.schema_of(file, thoroughly)
    return postgresql.schema_of(url) if url.get_backend_name() == "postgresql" else "unknown"


def _engine_options(url: URL) -> dict[str, Any]:
    file = sqlite.file_of(url)
    if file is not None:
        return sqlite.engine_options(file)
    return postgresql.engine_options(url) if url.get_backend_name() == "postgresql" else {}


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
        raise StudyError(f"the storage {shown} cannot be opened: {one_line(_cause(error))}; name another one") from None
    except (ImportError, NoSuchModuleError) as error:
        raise StudyError(f"the storage {shown} needs a driver: {one_line(error)}; install it") from None


def _engine(source: Source) -> Engine:
    """The database of a storage."""
    if isinstance(source, Engine):
        return source
    engine: Engine = _backend(source).engine
    return engine


def _backend(storage: BaseStorage) -> Any:
    """What is behind Optuna's cache."""
    return getattr(storage, "_backend", storage)


def ask(source: Source, question: Callable[[Connection], Result]) -> Result:
    """Ask the database in SQL."""

    def ask() -> Result:
        with _engine(source).connect() as connection:
            return question(connection)

    backend = None if isinstance(source, Engine) else _backend(source)
    return backend.ask(ask) if isinstance(backend, PatientStorage) else ask()


def clock(source: Source) -> Clock:
    """The clock that all processes of a database share: its server's, or their host's."""
    if _engine(source).dialect.name != "postgresql":
        return Clock(time.time())
    return ask(source, postgresql.clock)


def read_configs(source: Source | None) -> dict[str, StudyConfig]:
    """The studies of a storage by name. Other people's Optuna studies beside them are passed over."""
    if source is None:
        return {}
    # The finals' definition is written last: a study without one was interrupted while it was created.
    definitions = text(
        "SELECT a.value_json FROM study_user_attributes a JOIN studies USING (study_id) "
        "WHERE a.key = :key AND study_name LIKE '%/finals' ORDER BY study_id"
    )
    stored = ask(source, lambda connection: connection.execute(definitions, {"key": CONFIG}).scalars().all())
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
    url: str, name: str, *, writing: bool = False, known: bool = False, waiting: Say | None = None
) -> tuple[BaseStorage, StudyConfig]:
    """The storage behind `url` and the definition of a study in it; the options are those of `open_storage`.

    Raises:
        StudyError: as `open_storage` and `read_config`.
    """
    storage = open_storage(url, writing=writing, known=known, waiting=waiting)
    config = read_config(storage, name)
    assert storage is not None
    return storage, config


def create_study(storage: BaseStorage, config: StudyConfig, attributes: Mapping[str, Any]) -> None:
    """Create the Optuna studies of a definition; takes up a creation that was interrupted.

    `attributes` (JSON values) become user attributes of each. Call it under `creation_lock`.
    """
    _forget_interrupted_creation(storage, config)
    ask(storage, _create_indices)
    for study_name in config.study_names:
        direction: Direction = "maximize" if study_name == config.finals_name else config.direction
        study = optuna.create_study(study_name=study_name, storage=storage, direction=direction, load_if_exists=True)
        for key, value in attributes.items():
            study.set_user_attr(key, value)
        study.set_user_attr(CONFIG, config.to_json())


def _create_indices(connection: Connection) -> None:
    if connection.dialect.name not in ("sqlite", "postgresql"):
        return
    there = {each["name"] for each in inspect(connection).get_indexes("trials")}
    connection.rollback()
    for name, index in INDICES.items():
        if name not in there:
            with suppress(DBAPIError), connection.begin():  # the tables may be another's: then without
                connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON trials {index}"))


def delete_study(storage: BaseStorage, name: str) -> None:
    """Delete the Optuna studies of a study, also one whose deletion was interrupted. Call it under `creation_lock`."""
    for study_name in optuna.get_all_study_names(storage):
        if study_name.startswith(f"{name}/") and CONFIG in load(storage, study_name).user_attrs:
            optuna.delete_study(study_name=study_name, storage=storage)


def update_config(storage: BaseStorage, config: StudyConfig) -> None:
    """Store a definition over the one that the study was created with."""
    for study_name in config.study_names:
        load(storage, study_name).set_user_attr(CONFIG, config.to_json())


def remember(study: optuna.Study, trial_id: int) -> None:
    """Let Optuna's cache know a trial that another process has made, as it must before the trial asks; by reading
    every trial it would come to know it too."""
    cache: Any = study._storage
    if hasattr(cache, "_add_trials_to_cache"):
        with cache._lock:
            cache._add_trials_to_cache(study._study_id, [cache._backend.get_trial(trial_id)])


def load(storage: BaseStorage, study_name: str, **options: Any) -> optuna.Study:
    """An Optuna study of the storage; `options` are its sampler and pruner."""
    return optuna.load_study(study_name=study_name, storage=storage, **options)


@contextmanager
def creation_lock(home: Path, url: str, waiting: Waiting = lambda seconds: None) -> Iterator[None]:
    """Held while the schema and a study are created, so that no two processes do it at once."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        with _opening(parsed), postgresql.locked(parsed, "study", waiting):
            yield
    else:
        with _locked(_lock_folder(home, url) / "study.lock", waiting):
            yield


def exclusively(
    storage: BaseStorage, home: Path, url: str, name: str, action: Callable[[], Result], waiting: Waiting
) -> Result:
    """Choose, claim or end a trial of a study while no other process does.

    The system releases the lock when its holder dies. `action` must have the same result when it is interrupted
    anywhere and done again: so it is where a server was away meanwhile.
    """
    backend = _backend(storage)
    if isinstance(backend, PatientStorage):
        return backend.exclusively(f"study.{name}", action, waiting)
    with claim_lock(home, url, name, waiting):
        return action()


@contextmanager
def claim_lock(home: Path, url: str, name: str, waiting: Waiting) -> Iterator[None]:
    """A database of one host: a file beside it serves all its processes."""
    with _locked(_lock_folder(home, url) / f"study.{name}.lock", waiting):
        yield


def _cause(error: Exception) -> BaseException:
    """What the driver said."""
    cause = postgresql.driver_error(error) or error.__cause__ or error
    return getattr(cause, "orig", None) or cause


def failure(error: Exception) -> StudyFailure:
    """One of `FAILURES` in one line."""
    cause = _cause(error)
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
        parsed = make_url(url)
        if parsed.get_backend_name() in postgresql.NAMES:
            extras.check("--storage postgresql")
        return postgresql.url_of(parsed)
    except (ArgumentError, ValueError):
        raise StudyError(
            "--storage is a database URL such as sqlite:///runs/study.db; the one given cannot be read"
        ) from None


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
    file = sqlite.file_of(_parse(url))
    folder = home if file is None else file.resolve().parent
    _make_folder(folder)
    return folder


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{folder} cannot be created: {error.strerror}; give another --home") from None
