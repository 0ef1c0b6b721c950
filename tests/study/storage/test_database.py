"""Databases of one host, and the files that are their locks."""

from pathlib import Path

import optuna
import pytest

from study.storage.address import Address
from study.storage.database import SCHEMA
from study.storage.store import Store, creation_lock


class Tired(Exception):
    """Of waiting."""


def tired(seconds: float) -> None:
    raise Tired


def test_the_schema_is_optunas() -> None:
    assert optuna.storages.RDBStorage("sqlite:///:memory:").get_current_version() == SCHEMA


@pytest.mark.parametrize("homes", [("one", "one"), ("one", "two")])
def test_the_lock_of_claims_is_the_database_s_whatever_the_home(tmp_path: Path, homes: tuple[str, str]) -> None:
    addresses = [Address.of(tmp_path / home, f"sqlite:///{tmp_path}/study.db") for home in homes]
    first, second = (Store.open(address, create=True) for address in addresses)
    assert first is not None
    assert second is not None

    def contend() -> None:
        with pytest.raises(Tired):
            second.exclusively("a", lambda: pytest.fail("it is locked"), tired)
        assert second.exclusively("b", lambda: "another study's lock", tired) == "another study's lock"

    first.exclusively("a", contend, tired)
    assert second.exclusively("a", lambda: "released", tired) == "released"


@pytest.mark.parametrize("homes", [("one", "one"), ("one", "two")])
def test_so_is_the_lock_of_creations(tmp_path: Path, homes: tuple[str, str]) -> None:
    addresses = [Address.of(tmp_path / home, f"sqlite:///{tmp_path}/study.db") for home in homes]
    first, second = (creation_lock(address, tired) for address in addresses)
    with first, pytest.raises(Tired), second:
        pass
    with creation_lock(addresses[1], tired):
        pass
