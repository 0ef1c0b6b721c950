"""A home in an object store: S3, served by moto."""

import threading
from pathlib import Path
from typing import Any

import pytest
import s3fs
from helpers import Command

from study.system import files


def test_an_object_store_holds_no_database(command: Command, bucket: str) -> None:
    code, _, error = command("run", "a", "--home", bucket)
    assert code == 2
    assert error == f"study: the object store {bucket} holds no database; give --storage too\n"


def test_a_store_that_cannot_be_reached_is_a_line(
    command: Command, home: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    code, _, error = command("run", "a", "--home", "s3://other/runs", "--storage", f"sqlite:///{home.parent}/x.db")
    assert code == 2
    assert error.count("\n") == 1
    assert "the home s3://other/runs cannot be written: EndpointConnectionError" in error


def test_an_object_is_whole_or_not_there(bucket: str) -> None:
    file: Any = files.folder(bucket) / "a.txt"

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_whole(file, fail)
    assert not file.exists()
    files.write_whole(file, lambda draft: draft.write_text("whole"))
    assert file.read_text() == "whole"


def test_a_folder_is_listed_while_another_empties_it(bucket: str) -> None:
    file = files.folder(bucket) / "checkpoints" / "a.npz"
    ended = threading.Event()

    def write_and_delete() -> None:
        while not ended.is_set():
            files.write_whole(file, lambda draft: draft.write_text("whole"))
            files.remove(file)

    writer = threading.Thread(target=write_and_delete)
    writer.start()
    try:
        seen = [[each.name for each in files.inside(file.parent)] for _ in range(200)]
    finally:
        ended.set()
        writer.join()
    assert [] in seen
    assert ["a.npz"] in seen
    assert all(names in ([], ["a.npz"]) for names in seen)
