"""What `study run` does with the storage, for processes of their own: they find it by its module's name."""

from pathlib import Path

from study.config import Definition, Resources
from study.storage.address import Address
from study.storage.store import Store, creation_lock

DEFINITION = Definition(name="a", spaces=("dense",))


def create(home: str) -> str:
    """Create the study, in a process of its own."""
    address = Address.of(Path(home))
    with creation_lock(address):
        store = Store.open(address, create=True)
        assert store is not None
        if "a" in store.studies():
            return "exists"
        store.create_study(DEFINITION, Resources(), {"fingerprint": {}})
        return "created"
