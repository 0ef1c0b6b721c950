"""A store of studies: an address that was opened, and the studies in it."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Self

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from study.config import Definition, Resources
from study.errors import StudyError, StudyFailure, did_you_mean
from study.records import CONFIG, FINGERPRINT
from study.storage.address import Address
from study.storage.contents import Contents, Entry, direction_of
from study.storage.database import Clock, Database, FileLocked, Result, Say, Source, Waiting
from study.storage.failures import opening
from study.storage.postgresql import PostgreSQL
from study.storage.presence import Presence
from study.storage.sqlite import SQLite, file_of

UNFINISHED = "state IN ('RUNNING', 'WAITING')"
INDICES = {
    "study_trials_by_number": "(study_id, number)",
    "study_trials_unfinished": f"(study_id) WHERE {UNFINISHED}",
}
"""With them a claim takes as long among 100,000 trials as among ten. Optuna does not mind them."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


def silent(line: str) -> None:
    """Says nothing; unlike a lambda it can be pickled."""


class Store:
    """An opened address: it knows home, database, lock and clock, and the studies that are kept there."""

    def __init__(self, address: Address, database: Database, source: Source) -> None:
        self.address = address
        self._database = database
        self._source = source

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        create: bool = False,
        to_read: bool = False,
        check_integrity: bool = False,
        wait_for_server: bool = False,
        say: Say = silent,
    ) -> Self | None:
        """Open an address; None where nothing is stored yet and `create` is not asked for.

        Args:
            address: Of the store.
            create: Create the tables where there are none.
            to_read: Nothing is to be stored; a user who may only read leaves nothing beside the database.
            check_integrity: Look through the whole database for damage first.
            wait_for_server: A server that does not answer is waited for: it is known to be there.
            say: Told in a line when another process keeps the database busy, or a server is waited for.

        Raises:
            StudyError: a URL of no known kind, a file that is no SQLite database or a damaged one, a database that
                cannot be opened.
        """
        database = _database(address, say, to_read)

        def attempt() -> RDBStorage | None:
            schema = database.schema(thoroughly=create or check_integrity)
            if schema is None and not create:
                return None
            return database.open(create=create, schema=schema)

        with opening(database.shown):
            storage = database.patiently(attempt) if wait_for_server else attempt()
        return None if storage is None else cls(address, database, storage)

    @classmethod
    def open_for_reading(cls, address: Address) -> Self | None:
        """Open an address to be asked in SQL alone, which takes a tenth of the time; None where nothing is stored yet.

        Raises:
            StudyError: as `open`.
        """
        database = _database(address, silent, to_read=True)
        with opening(database.shown):
            schema = database.schema(thoroughly=False)
            return None if schema is None else cls(address, database, database.engine_for_reading(schema))

    @property
    def home(self) -> Path:
        """The folder of the studies' folders."""
        return self.address.home

    @property
    def storage(self) -> RDBStorage:
        """Optuna's storage in the database."""
        assert isinstance(self._source, RDBStorage), "the store was opened for reading"
        return self._source

    @property
    def presence(self) -> Presence | None:
        """Which processes are alive, where all that share the database are on one machine; None elsewhere."""
        return self._database.presence

    def ask(self, question: Callable[[Connection], Result]) -> Result:
        """Ask the database in SQL."""
        return self._database.ask(self._source, question)

    def clock(self) -> Clock:
        """The clock that all processes of the database share."""
        return self._database.clock(self._source)

    def exclusively(self, name: str, action: Callable[[], Result], waiting: Waiting) -> Result:
        """Do what only one process may do for a study at a time; see `Database.exclusively`."""
        return self._database.exclusively(self.storage, name, action, waiting)

    def studies(self) -> dict[str, "StoredStudy"]:
        """The studies by name, without those that have lost a part (`losses`). Other people's Optuna studies beside
        them are passed over."""
        contents = self._contents()
        losses = contents.losses(self._database.shown)
        return {
            name: StoredStudy(self, found.definition, found.resources)
            for name, found in contents.studies().items()
            if name not in losses
        }

    def study(self, name: str) -> "StoredStudy":
        """The study of a name.

        Raises:
            StudyError: there is none; the ones that exist are named. Or it is of an earlier version or has lost a part.
        """
        found = self.studies()
        if name in found:
            return found[name]
        self.refuse_unusable(name)
        raise no_study(name, self.address, found)

    def refuse_unusable(self, name: str) -> None:
        """Refuse a study that was stored before what a study is and what it runs on were told apart, and one that has
        lost a part.

        Raises:
            StudyError: the study of that name is such a one.
        """
        found = self._contents()
        if found.has_older(name):
            raise StudyError(
                f"the study {name!r} was stored by an earlier development version, which this one cannot read; start "
                "it again under another name, or use the version that wrote it"
            )
        if (loss := found.losses(self._database.shown).get(name)) is not None:
            raise StudyError(loss)

    def losses(self) -> list[str]:
        """What other tools have deleted or renamed of studies, in a line each."""
        return list(self._contents().losses(self._database.shown).values())

    def refuse_loss(self, name: str) -> NoReturn:
        """End the work on a study of which a part is gone.

        Raises:
            StudyFailure: saying which one.
        """
        loss = self._contents().losses(self._database.shown).get(name)
        raise StudyFailure(loss or f"another tool deleted the study {name!r}; start it again")

    def create_study(
        self, definition: Definition, resources: Resources, attributes: Mapping[str, Any]
    ) -> "StoredStudy":
        """Create the Optuna studies of a definition; a creation that was interrupted starts again.

        `attributes` (JSON values) become user attributes of each. Call it under `creation_lock`.
        """
        study = StoredStudy(self, definition, resources)
        self._forget_interrupted_creation(definition)
        self.ask(_create_indices)
        for part in definition.parts:  # the finals last: without them the study is not there
            created = optuna.create_study(
                study_name=definition.study_name(part),
                storage=self.storage,
                direction=direction_of(definition, part),
                load_if_exists=True,
            )
            for key, value in attributes.items():
                created.set_user_attr(key, value)
            created.set_user_attr(CONFIG, study.config)
        return study

    def delete_study(self, name: str) -> None:
        """Delete the Optuna studies of a study, also one whose deletion was interrupted. Call it under
        `creation_lock`."""
        for study in self.storage.get_all_studies():
            if study.study_name.startswith(f"{name}/") and CONFIG in study.user_attrs:
                optuna.delete_study(study_name=study.study_name, storage=self.storage)

    def _contents(self) -> Contents:
        stored = text(
            "SELECT study_name, value_json, EXISTS (SELECT 1 FROM trials t WHERE t.study_id = s.study_id) "
            "FROM studies s LEFT JOIN study_user_attributes a ON a.study_id = s.study_id AND a.key = :key "
            "ORDER BY s.study_id"
        )
        rows = self.ask(lambda connection: connection.execute(stored, {"key": CONFIG}).all())
        return Contents([Entry(name, json.loads(config or "null"), bool(begun)) for name, config, begun in rows])

    def _forget_interrupted_creation(self, definition: Definition) -> None:
        """Delete the empty Optuna studies of a creation that was interrupted."""
        names = set(map(definition.study_name, definition.parts))
        for study in self.storage.get_all_studies():
            ours = study.study_name.startswith(f"{definition.name}/") and CONFIG in study.user_attrs
            if not ours and study.study_name not in names:
                continue
            if self.storage.get_n_trials(self.storage.get_study_id_from_name(study.study_name)):
                raise StudyError(f"the storage has another Optuna study named {study.study_name!r}; give another NAME")
            optuna.delete_study(study_name=study.study_name, storage=self.storage)


class StoredStudy:
    """A study in a store."""

    def __init__(self, store: Store, definition: Definition, resources: Resources) -> None:
        self.store = store
        self.definition = definition
        self.resources = resources
        self._parts: dict[str, optuna.Study] = {}

    @property
    def name(self) -> str:
        """What it is called."""
        return self.definition.name

    @property
    def folder(self) -> Path:
        """Where it keeps its files."""
        return self.store.home / self.name

    @property
    def config(self) -> dict[str, Any]:
        """What is stored of definition and resources: JSON values."""
        return {"definition": self.definition.to_json(), "resources": self.resources.to_json()}

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What was stored when it was created: fingerprint, environment, classes. Each part has it."""
        return {key: value for part in self.definition.parts for key, value in self.part(part).user_attrs.items()}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Of its data and spaces."""
        found: dict[str, Any] = self.attributes.get(FINGERPRINT, {})
        return found

    def part(self, name: str) -> optuna.Study:
        """The Optuna study of a space's search, or of the finals; one object, which remembers what it has read."""
        if name not in self._parts:
            self._parts[name] = self.load(name)
        return self._parts[name]

    def load(self, part: str, **options: Any) -> optuna.Study:
        """The same as a fresh object; `options` are its sampler and pruner.

        Raises:
            StudyFailure: it is gone.
        """
        try:
            return optuna.load_study(study_name=self.definition.study_name(part), storage=self.store.storage, **options)
        except KeyError:
            self.store.refuse_loss(self.name)

    def exclusively(self, action: Callable[[], Result], waiting: Waiting = lambda seconds: None) -> Result:
        """Choose, claim or end a trial while no other process does; see `Database.exclusively`."""
        return self.store.exclusively(self.name, action, waiting)

    def save(self) -> None:
        """Store definition and resources over those that it was created with."""
        for part in self.definition.parts:
            self.part(part).set_user_attr(CONFIG, self.config)


def open_study(
    address: Address,
    name: str,
    *,
    to_read: bool = True,
    check_integrity: bool = False,
    wait_for_server: bool = False,
    say: Say = silent,
) -> StoredStudy:
    """The study of a name at an address; the options are those of `Store.open`.

    Raises:
        StudyError: there is none, or its storage cannot be opened.
    """
    store = Store.open(
        address, to_read=to_read, check_integrity=check_integrity, wait_for_server=wait_for_server, say=say
    )
    if store is None:
        raise no_study(name, address)
    return store.study(name)


def no_study(name: str, address: Address, known: Iterable[str] = ()) -> StudyError:
    """The error for a name that no study has at an address; `known` are the names that there are."""
    others = ", ".join(sorted(known))
    has = f"it has {others}" if others else "it has none; 'study run' starts one"
    return StudyError(
        f"the storage {address.shown} has no study named {name!r}: {has}{did_you_mean(str(name), known)}; --home names "
        "another folder"
    )


def settle(address: Address) -> None:
    """At the end of a command: make the database complete in its own file, so that a copy of that file is enough."""
    _database(address, silent).settle()


def shrink(address: Address) -> None:
    """After a deletion: give the room back to the disk."""
    _database(address, silent).shrink()


def creation_lock(address: Address, waiting: Waiting = lambda seconds: None) -> AbstractContextManager[None]:
    """Held while the schema and a study are created, so that no two processes do it at once."""
    return _database(address, silent).creation_lock(waiting)


def _database(address: Address, say: Say, to_read: bool = False) -> Database:
    file = file_of(address.url)
    if file is not None:
        return SQLite(address.url, say, file, to_read)
    if address.serves_many_hosts:
        return PostgreSQL(address.url, say)
    return FileLocked(address.url, say, address.home)


def _create_indices(connection: Connection) -> None:
    if connection.dialect.name not in ("sqlite", "postgresql"):
        return
    there = {each["name"] for each in inspect(connection).get_indexes("trials")}
    connection.rollback()
    for name, index in INDICES.items():
        if name not in there:
            with suppress(DBAPIError), connection.begin():  # the tables may be another's: then without
                connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON trials {index}"))
