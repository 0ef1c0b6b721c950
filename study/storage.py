"""Opening a storage URL. The only file that knows SQLAlchemy."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from study.config import Direction, StudyConfig
from study.errors import StudyError, StudyFailure, one_line

CONFIG = "config"
BUSY_SECONDS = 60
SQLITE_MAGIC = b"SQLite format 3\0"

FAILURES = (DBAPIError, optuna.exceptions.StorageInternalError)
"""What a full disk, a lock held too long or a lost database raises in the middle of a study."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def storage_url(home: Path, url: str | None) -> str:
    """The storage of a home: `url` where one is given, `HOME/study.db` otherwise."""
    return url or f"sqlite:///{home / 'study.db'}"


def shown_url(url: str) -> str:
    """The URL as it may be printed and stored: without its password."""
    return _parse(url).render_as_string(hide_password=True)


def check_writable(home: Path) -> None:
    """Refuse a home that cannot be created or written, before anything is begun.

    Raises:
        StudyError: naming the folder that is in the way.
    """
    existing = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StudyError(f"the home {home} cannot be written ({existing} is in the way); give another --home")


def open_storage(url: str, *, create: bool = False) -> BaseStorage | None:
    """The storage behind `url`; None where there is none yet and `create` is not asked for.

    Raises:
        StudyError: a URL of no known kind, a file that is no SQLite database, a database that cannot be opened.
    """
    parsed = _parse(url)
    engine_options: dict[str, Any] = {}
    if parsed.get_backend_name() == "sqlite":
        if _sqlite_is_empty(parsed) and not create:
            return None
        engine_options["connect_args"] = {"timeout": BUSY_SECONDS}
    shown = parsed.render_as_string(hide_password=True)
    try:
        with warnings.catch_warnings():
            # Optuna recommends other databases for many processes; ours are few, and wait for each other.
            warnings.simplefilter("ignore", UserWarning)
            storage = RDBStorage(parsed.render_as_string(hide_password=False), engine_kwargs=engine_options)
        if parsed.get_backend_name() == "sqlite":
            _prefer_write_ahead_log(storage)
    except (DBAPIError, OSError, RuntimeError, optuna.exceptions.StorageInternalError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise StudyError(f"the storage {shown} cannot be opened: {one_line(cause)}; name another one") from None
    except (ImportError, NoSuchModuleError) as error:
        raise StudyError(f"the storage {shown} needs a driver: {one_line(error)}; install it") from None
    return optuna.storages.get_storage(storage)


def read_configs(storage: BaseStorage | None) -> dict[str, StudyConfig]:
    """The studies of a storage by name. Other people's Optuna studies beside them are passed over."""
    if storage is None:
        return {}
    finals = (study for study in storage.get_all_studies() if study.study_name.endswith("/finals"))
    # The finals' definition is written last: a study without one was interrupted while it was created.
    stored = (study.user_attrs.get(CONFIG) for study in finals)
    configs = (StudyConfig.from_json(values) for values in stored if values)
    return {config.name: config for config in configs}


def read_config(storage: BaseStorage | None, name: str) -> StudyConfig:
    """The definition of a study.

    Raises:
        StudyError: there is none of that name; the ones that exist are named.
    """
    configs = read_configs(storage)
    if name not in configs:
        known = f"it has {', '.join(sorted(configs))}" if configs else "it has none; 'study run' begins one"
        raise StudyError(f"the storage has no study named {name!r}: {known}")
    return configs[name]


def open_study(url: str, name: str) -> tuple[BaseStorage, StudyConfig]:
    """The storage behind `url` and the definition of a study in it.

    Raises:
        StudyError: as `open_storage` and `read_config`.
    """
    storage = open_storage(url)
    config = read_config(storage, name)
    assert storage is not None
    return storage, config


def create_study(storage: BaseStorage, config: StudyConfig, attributes: Mapping[str, Any]) -> None:
    """Create the Optuna studies of a definition; takes up a creation that was interrupted.

    `attributes` (JSON values) become user attributes of each. Call it under `creation_lock`.
    """
    _forget_interrupted_creation(storage, config)
    for study_name in (*map(config.study_name, config.spaces), config.finals_name):
        direction: Direction = "maximize" if study_name == config.finals_name else config.direction
        study = optuna.create_study(study_name=study_name, storage=storage, direction=direction, load_if_exists=True)
        for key, value in attributes.items():
            study.set_user_attr(key, value)
        study.set_user_attr(CONFIG, config.to_json())


def update_config(storage: BaseStorage, config: StudyConfig) -> None:
    """Store a definition over the one that the study was created with."""
    for study_name in (*map(config.study_name, config.spaces), config.finals_name):
        load(storage, study_name).set_user_attr(CONFIG, config.to_json())


def load(storage: BaseStorage, study_name: str, **options: Any) -> optuna.Study:
    """An Optuna study of the storage; `options` are its sampler and pruner."""
    return optuna.load_study(study_name=study_name, storage=storage, **options)


def creation_lock(home: Path) -> FileLock:
    """Held while the schema and a study are created, so that no two processes do it at once."""
    _make_folder(home)
    return FileLock(home / "study.lock", timeout=BUSY_SECONDS)


@contextmanager
def driver_lock(home: Path, name: str) -> Iterator[None]:
    """Held by the process that drives a study. The system releases it when that process dies, however it dies,
    so whoever holds it knows that every trial left RUNNING is nobody's.

    Raises:
        StudyError: another process drives the study.
    """
    _make_folder(home / name)
    lock = FileLock(home / name / "driver.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StudyError(
            f"another process is running the study {name!r}; wait for it or stop it ('study status {name}' shows it)"
        ) from None
    try:
        yield
    finally:
        lock.release()


def failure(error: Exception) -> StudyFailure:
    """One of `FAILURES` in one line."""
    cause = error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    return StudyFailure(f"the storage failed: {one_line(cause)}; what is finished is kept, 'study resume' goes on")


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise StudyError(
            "--storage is a database URL such as sqlite:///runs/study.db; the one given cannot be read"
        ) from None


def _sqlite_is_empty(url: URL) -> bool:
    """Whether the file is yet to be created. Refuses a file that is something else."""
    if not url.database or url.database == ":memory:":
        raise StudyError("a study is kept in a file; give --storage sqlite:///FILE")
    file = Path(url.database)
    try:
        if not file.exists() or file.stat().st_size == 0:
            return True
        with file.open("rb") as stream:
            magic = stream.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise StudyError(f"the storage {file} cannot be read: {error.strerror}; give another --home") from None
    if magic != SQLITE_MAGIC:
        raise StudyError(f"{file} is no SQLite database; move it away or give another --home or --storage")
    return False


def _prefer_write_ahead_log(storage: RDBStorage) -> None:
    """Readers and the writer do not block each other; a commit survives any kill (not a power cut)."""

    @event.listens_for(storage.engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=NORMAL").close()

    storage.engine.dispose()  # the pool holds a connection from before the listener


def _forget_interrupted_creation(storage: BaseStorage, config: StudyConfig) -> None:
    """Delete the empty Optuna studies of a creation that was interrupted and meant other spaces."""
    for study in storage.get_all_studies():
        stale = study.study_name.startswith(f"{config.name}/") and CONFIG in study.user_attrs
        if stale and not storage.get_n_trials(study._study_id):
            storage.delete_study(study._study_id)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{folder} cannot be created: {error.strerror}; give another --home") from None
