"""A study whose home is in an object store: S3, served by moto."""

import os
import signal
from pathlib import Path

from helpers import Command, opened_at, start, study_table, table_of, wait_for_line

import study
from study.storage.address import Address
from study.system import files


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
    # The predictions of a final, the images that any of them misread, and an image of each class.
    assert sum(name.endswith(".npz") for name in kept) == 3
    assert study.load("a", home=bucket, storage=url).best_model().count_params() > 0
