"""A home in an object store: S3, served by moto."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
from helpers import Command, opened_at, start, study_table, table_of, wait_for_line

import study
from study.storage.address import Address
from study.system import files


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a folder in an empty bucket, on a server of its own."""
    from moto.server import ThreadedMotoServer

    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    s3fs.S3FileSystem.clear_instance_cache()  # it remembers the server of the previous test
    bucket = f"bucket-{port}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/runs"
    server.stop()


def test_a_study_whose_files_are_objects(command: Command, home: Path, archive: Path, bucket: str) -> None:
    """Killed and resumed from its checkpoint there, it ends like one on a disk."""
    words = ("--dataset", f"npz:{archive}", "--space", "tiny:Slow", "--trials", "3", "--epochs", "6", "--seeds", "1")
    assert command("run", "a", *words)[0] == 0
    url = f"sqlite:///{home.parent}/there.db"
    places = ("--home", bucket, "--storage", url)
    process = start(home, "run", "a", *words, *places, "--workers", "0")
    wait_for_line(process, "tiny:Slow  trial", 1)
    checkpoints = files.folder(bucket) / "a" / "checkpoints"
    while not files.inside(checkpoints):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, output, error = command("resume", "a", *places)
    assert (code, error) == (0, "")
    assert f"report: {bucket}/a/report.html" in output
    assert table_of(opened_at(Address.of(files.folder(bucket), url), "a")) == study_table(home, "a")
    assert not files.inside(checkpoints)
    kept = sorted(str(file).removeprefix(f"{bucket}/a/") for file in (files.folder(bucket) / "a").glob("**/*"))
    assert [name for name in kept if name.endswith((".keras", ".html", ".json"))] == [
        "models/tiny-Slow-trial0.keras", "report.html", "report.json",
    ]  # fmt: skip
    assert sum(name.endswith(".npz") for name in kept) == 2  # predictions, and the images misread by any final
    assert study.load("a", home=bucket, storage=url).best_model().count_params() > 0


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
