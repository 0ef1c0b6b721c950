"""Creation under a lock, by real processes."""

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from creation import CONFIG, create
from optuna.testing.pytest_storages import StorageTestCase

from study import results
from study import storage as storage_room
from study.errors import StudyError


def test_many_processes_create_one_study(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        outcomes = pool.map(create, [str(tmp_path / "runs")] * 4, chunksize=1)
    assert sorted(outcomes) == ["created", "exists", "exists", "exists"]
    storage, config = storage_room.open_study(storage_room.storage_url(tmp_path / "runs", None), "a")
    assert config == CONFIG
    assert sorted(study.study_name for study in storage.get_all_studies()) == ["a/dense", "a/finals"]


def test_reading_a_storage_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    assert storage_room.open_storage(f"sqlite:///{tmp_path}/study.db") is None
    assert storage_room.read_configs(None) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("schema", [storage_room.SCHEMA, "v3.0.0.d"])
def test_the_database_alone_says_what_the_storage_says(
    schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Optuna has another version of its tables than this was written for."""
    url = storage_room.storage_url(tmp_path, None)
    assert storage_room.open_database(url) is None
    storage = storage_room.open_storage(url, create=True)
    assert storage is not None
    storage_room.create_study(storage, CONFIG, {})
    optuna.create_study(study_name="somebody/finals", storage=storage).set_user_attr(storage_room.CONFIG, [1])
    study = storage_room.load(storage, "a/dense")
    study.tell(study.ask(), 0.5)
    study.ask()
    monkeypatch.setattr(storage_room, "SCHEMA", schema)
    database = storage_room.open_database(url)
    assert storage_room.read_configs(database) == storage_room.read_configs(storage) == {"a": CONFIG}
    assert results.progress(database, CONFIG) == results.progress(storage, CONFIG)
    assert results.progress(database, CONFIG)["spaces"][0]["interrupted"] == 1


def test_the_schema_is_optunas() -> None:
    url = "sqlite:///:memory:"
    assert optuna.storages.RDBStorage(url).get_current_version() == storage_room.SCHEMA


class Tired(Exception):
    """Of waiting."""


def tired(seconds: float) -> None:
    raise Tired


@pytest.mark.parametrize("homes", [("one", "one"), ("one", "two")])
def test_the_lock_of_claims_is_the_database_s_whatever_the_home(tmp_path: Path, homes: tuple[str, str]) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    first, second = (storage_room.claim_lock(tmp_path / home, url, "a", tired) for home in homes)
    with first, pytest.raises(Tired), second:
        pass
    with storage_room.claim_lock(tmp_path, url, "a", tired):
        pass


def test_reading_somebody_elses_database_leaves_it_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = file.read_bytes()
    assert storage_room.open_storage(f"sqlite:///{file}") is None
    assert file.read_bytes() == before


def test_somebody_elses_study_of_that_name_is_not_taken(tmp_path: Path) -> None:
    storage = storage_room.open_storage(f"sqlite:///{tmp_path}/study.db", create=True)
    assert storage is not None
    theirs = optuna.create_study(study_name="a/dense", storage=storage)
    theirs.tell(theirs.ask(), 1.0)
    with pytest.raises(StudyError, match="has another Optuna study named 'a/dense'"):
        storage_room.create_study(storage, CONFIG, {})


def test_a_home_with_signs_of_an_url(tmp_path: Path) -> None:
    url = storage_room.storage_url(tmp_path / "a?b %20", None)
    (tmp_path / "a?b %20").mkdir()
    assert storage_room.open_storage(url, create=True) is not None
    assert (tmp_path / "a?b %20" / "study.db").is_file()


def test_passwords_are_not_shown() -> None:
    assert storage_room.shown_url("postgresql://user:secret@host/db") == "postgresql://user:***@host/db"


class TestTheStorageAsOptunaTestsStorages(StorageTestCase):
    """Optuna's own conformance suite, on the storage as it is opened here."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Any:
        storage = storage_room.open_storage(f"sqlite:///{tmp_path}/study.db", create=True)
        assert isinstance(storage, optuna.storages.BaseStorage)
        return storage
