"""What is in a file, and how it is opened."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from study.errors import StudyError
from study.storage.address import Address
from study.storage.sqlite import file_of
from study.storage.store import Store


def test_the_file_of_a_url() -> None:
    assert file_of(make_url("sqlite:///runs/study.db")) == Path("runs/study.db")
    assert file_of(make_url("sqlite:////tmp/a%20b.db")) == Path("/tmp/a b.db")
    assert file_of(make_url("postgresql://host/db")) is None
    for nowhere in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(StudyError, match="a study is kept in a file"):
            file_of(make_url(nowhere))


def test_reading_somebody_elses_database_leaves_it_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE mine (x)")
    before = file.read_bytes()
    assert Store.open(Address.of(tmp_path, f"sqlite:///{file}")) is None
    assert file.read_bytes() == before


def test_tables_whose_creation_was_interrupted_are_created_anew(address: Address) -> None:
    """Optuna stamps its version last."""
    with closing(sqlite3.connect(address.home / "study.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    assert Store.open(address) is None
    assert Store.open_for_reading(address) is None
    assert Store.open(address, create=True) is not None
    assert Store.open(address) is not None


def test_a_database_is_looked_through_where_that_is_asked_for(address: Address, store: Store) -> None:
    file = address.home / "study.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_trials_study_id'").fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    whole = bytearray(file.read_bytes())
    whole[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(whole)
    assert Store.open_for_reading(address) is not None
    for options in ({"check_integrity": True}, {"create": True}):
        with pytest.raises(StudyError, match=r"is damaged .* nothing was changed"):
            Store.open(address, **options)
