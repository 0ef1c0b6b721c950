"""An opened address, and the studies in it; they are created by real processes."""

import json
import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from creation import DEFINITION, create
from helpers import Command
from optuna.testing.pytest_storages import StorageTestCase

from study.config import Definition, Resources
from study.errors import StudyError
from study.records import CONFIG, FINGERPRINT
from study.storage import results, sqlite
from study.storage.address import Address
from study.storage.database import SCHEMA
from study.storage.store import Store


def names(store: Store) -> list[str]:
    """Of all Optuna studies."""
    return sorted(study.study_name for study in store.storage.get_all_studies())


def test_many_processes_create_one_study(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        outcomes = pool.map(create, [str(tmp_path / "runs")] * 2, chunksize=1)
    assert sorted(outcomes) == ["created", "exists"]
    store = Store.open(Address.of(tmp_path / "runs"))
    assert store is not None
    assert store.study("a").definition == DEFINITION
    assert names(store) == ["a/confirmation", "a/dense", "a/finals"]


def test_reading_a_store_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    assert Store.open(Address.of(tmp_path)) is None
    assert Store.open_for_reading(Address.of(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("schema", [SCHEMA, "v3.0.0.d"])
def test_the_database_alone_says_what_the_storage_says(
    schema: str, address: Address, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Optuna has another version of its tables than this was written for."""
    study = store.create_study(DEFINITION, Resources(workers=2), {})
    optuna.create_study(study_name="somebody/finals", storage=store.storage).set_user_attr(CONFIG, [1])
    search = study.part("dense")
    search.tell(search.ask(), 0.5)
    search.ask()
    monkeypatch.setattr(sqlite, "SCHEMA", schema)
    database = Store.open_for_reading(address)
    assert database is not None
    for opened in (database, store):
        assert list(opened.studies()) == ["a"]
        assert opened.study("a").definition == DEFINITION
        assert opened.study("a").resources == Resources(workers=2)
    said = results.progress(database.study("a"))
    assert said == results.progress(store.study("a"))
    assert said["spaces"][0]["interrupted"] == 1


def test_somebody_elses_study_of_that_name_is_not_taken(store: Store) -> None:
    theirs = optuna.create_study(study_name="a/dense", storage=store.storage)
    theirs.tell(theirs.ask(), 1.0)
    with pytest.raises(StudyError, match="has another Optuna study named 'a/dense'"):
        store.create_study(DEFINITION, Resources(), {})
    assert len(theirs.trials) == 1


def test_a_home_with_signs_of_a_url(tmp_path: Path) -> None:
    home = tmp_path / "a?b %20"
    home.mkdir()
    assert Store.open(Address.of(home), create=True) is not None
    assert (home / "study.db").is_file()


def test_a_study_is_there_once_its_finals_are(store: Store) -> None:
    study = store.create_study(DEFINITION, Resources(), {FINGERPRINT: {"data": "abc"}})
    assert study.fingerprint == store.study("a").fingerprint == {"data": "abc"}
    assert study.folder == store.home / "a"
    optuna.delete_study(study_name="a/finals", storage=store.storage)
    assert store.studies() == {}
    store.create_study(DEFINITION, Resources(), {})
    assert list(store.studies()) == ["a"]


def test_what_a_resume_changed_is_stored(store: Store) -> None:
    study = store.create_study(DEFINITION, Resources(), {})
    study.definition, study.resources = DEFINITION.grown(trials=99), Resources(workers=3, join=2)
    study.save()
    again = store.study("a")
    assert (again.definition.trials, again.resources) == (99, Resources(workers=3, join=2))


def test_a_study_is_deleted_and_others_are_left(store: Store) -> None:
    store.create_study(DEFINITION, Resources(), {})
    store.create_study(Definition(name="ab", spaces=("dense",)), Resources(), {})
    optuna.create_study(study_name="a/mine", storage=store.storage)
    store.delete_study("a")
    assert names(store) == ["a/mine", "ab/confirmation", "ab/dense", "ab/finals"]


OLDER = {
    "name": "old", "spaces": ["dense"], "dataset": "digits", "objective": "val_accuracy", "objective_direction": None,
    "trials": 10, "epochs": 8, "seeds": 7, "timeout": None, "workers": 1, "sampler": "tpe", "pruner": "sha", "seed": 0,
}  # fmt: skip
"""What was stored as a study's definition before what a study is and what it runs on were told apart."""


@pytest.fixture
def older(home: Path) -> Path:
    """A home with a study in the older format."""
    home.mkdir()
    store = Store.open(Address.of(home), create=True)
    assert store is not None
    for part in ("dense", "finals"):
        study = optuna.create_study(study_name=f"old/{part}", storage=store.storage)
        study.set_user_attr(CONFIG, OLDER)
        study.tell(study.ask(), 0.5)
    return home


@pytest.mark.parametrize(
    "words",
    [("status",), ("resume",), ("run",), ("report",), ("best",), ("evaluate",), ("worker",), ("export", "-o", "a.csv")],
)
def test_a_study_in_an_older_format_is_refused_in_a_line(command: Command, older: Path, words: tuple[str, ...]) -> None:
    code, output, error = command(words[0], "old", *words[1:])
    assert (code, output) == (2, "")
    assert error == (
        "study: the study 'old' was stored by an earlier development version, which this one cannot read; start it "
        "again under another name, or use the version that wrote it\n"
    )
    with sqlite3.connect(older / "study.db") as connection:
        configs = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'config'").fetchall()
        trials = connection.execute("SELECT state FROM trials").fetchall()
    connection.close()
    assert [json.loads(text) for (text,) in configs] == [OLDER, OLDER]
    assert trials == [("COMPLETE",), ("COMPLETE",)]


def test_a_study_in_an_older_format_leaves_the_others_readable(command: Command, older: Path) -> None:
    assert command("status") == (0, "there is no study yet; 'study run' starts one\n", "")
    store = Store.open(Address.of(older))
    assert store is not None
    store.create_study(DEFINITION, Resources(), {})
    assert command("status", "a")[0] == 0
    with pytest.raises(StudyError, match="no study named 'other': it has a"):
        store.study("other")


class TestTheStorageAsOptunaTestsStorages(StorageTestCase):
    """Optuna's own conformance suite, on the storage as it is opened here."""

    @pytest.fixture
    def storage(self, store: Store) -> Any:
        return store.storage
