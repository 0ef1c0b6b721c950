"""What `study run` does with the storage, for processes of their own: they find it by its module's name."""

from pathlib import Path

from study import storage as storage_room
from study.config import StudyConfig

CONFIG = StudyConfig(name="a", spaces=("dense",))


def create(home: str) -> str:
    """What `study run` does with the storage, in a process of its own."""
    url = storage_room.storage_url(Path(home), None)
    with storage_room.creation_lock(Path(home), url):
        storage = storage_room.open_storage(url, create=True)
        assert storage is not None
        if "a" in storage_room.read_configs(storage):
            return "exists"
        storage_room.create_study(storage, CONFIG, {"fingerprint": {}})
        return "created"
