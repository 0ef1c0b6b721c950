"""Creation under a lock, by real processes."""

import multiprocessing
from pathlib import Path
from typing import Any

import optuna
import pytest
from creation import CONFIG, create
from optuna.testing.pytest_storages import StorageTestCase

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


def test_a_driver_holds_its_study_alone(tmp_path: Path) -> None:
    with (
        storage_room.driver_lock(tmp_path, f"sqlite:///{tmp_path}/study.db", "a"),
        pytest.raises(StudyError, match="another process is running the study 'a'"),
        storage_room.driver_lock(tmp_path, f"sqlite:///{tmp_path}/study.db", "a"),
    ):
        pass
    with storage_room.driver_lock(tmp_path, f"sqlite:///{tmp_path}/study.db", "a"):
        pass


def test_passwords_are_not_shown() -> None:
    assert storage_room.shown_url("postgresql://user:secret@host/db") == "postgresql://user:***@host/db"


class TestTheStorageAsOptunaTestsStorages(StorageTestCase):
    """Optuna's own conformance suite, on the storage as it is opened here."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Any:
        storage = storage_room.open_storage(f"sqlite:///{tmp_path}/study.db", create=True)
        assert isinstance(storage, optuna.storages.BaseStorage)
        return storage
