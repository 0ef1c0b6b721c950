"""What the tests of the storage share."""

from pathlib import Path

import made
import pytest

from study.storage.address import Address
from study.storage.store import Store


@pytest.fixture
def address(tmp_path: Path) -> Address:
    """A home without anything in it."""
    return Address.of(tmp_path)


@pytest.fixture
def store(address: Address) -> Store:
    """A store without a study."""
    return made.store(address.home)
