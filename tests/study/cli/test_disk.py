"""The room that studies take on the disk: what status says of it, and what can be freed."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import keras
import made
import numpy as np
import pytest
import tiny
from helpers import Command, opened, study_table
from optuna.trial import TrialState

import study
from study import cli
from study.data import archives
from study.records import PREDICTED
from study.storage import results
from study.storage.predictions import misread_images
from study.system.files import readable

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "2", "--quiet")


def bytes_of(folder: Path) -> int:
    """Each file once, whatever its names."""
    files = [file.stat() for file in folder.rglob("*") if file.is_file()]
    return sum({each.st_ino: each.st_size for each in files}.values())


@pytest.fixture
def copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of which a study makes a copy."""
    monkeypatch.setattr(archives, "SMALL", 0)
    file = home.parent / "images.npz"
    with np.load(tiny.write_archive(file)) as given:
        arrays = dict(given)
    np.savez_compressed(file, **arrays)
    return file


def test_status_says_the_room_that_each_study_takes(command: Command, home: Path) -> None:
    complete = (TrialState.COMPLETE, 0.9, made.trial_record())
    for name, trials in (("a", 1), ("b", 3)):
        made.study(home, {"dense": [complete] * trials}, name=name).store.storage.engine.dispose()
    (home / "a" / "models").mkdir(parents=True)
    (home / "a" / "models" / "x.keras").write_bytes(bytes(41_000_000))
    states = {state["name"]: state["bytes"] for state in json.loads(command("status", "--json")[1])}
    assert states["a"] - 41_000_000 == pytest.approx(states["b"] / 3, abs=1)  # as many times fewer trials
    with sqlite3.connect(home / "study.db") as database:
        (pages,), (size,) = (database.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size"))
    assert states["a"] - 41_000_000 + states["b"] == pytest.approx(pages * size, abs=1)
    assert study.load("a").progress()["bytes"] == states["a"]
    assert [line.split(", ")[-1] for line in command("status")[1].splitlines()[::4]] == ["41 MB", "98 kB"]


def test_all_that_a_study_leaves_lies_in_its_folder_and_once(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    database = sum(file.stat().st_size for file in home.glob("study.*"))
    pictures = sum(file.stat().st_size for file in (home / "artifacts").iterdir() if file.stat().st_nlink == 1)
    assert bytes_of(home) - bytes_of(home / "a") - database == pictures < 20_000
    assert not (home.parent / "data").exists()


def test_a_running_study_keeps_its_copy_and_a_resume_makes_it_anew(
    command: Command, home: Path, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []

    def freeing(hp: Any) -> keras.Model:
        assert cli.main(["datasets", "--free"]) == 0
        said.append(capsys.readouterr().out)
        return tiny.build_function(hp)

    words: dict[str, Any] = {"epochs": 1, "seeds": 1, "confirm": 0, "quiet": True}
    study.run("a", spaces={"mine": freeing}, dataset=f"npz:{copied}", trials=2, **words)
    place = home.parent / "data" / "arrays"
    (folder,) = place.iterdir()
    assert said
    size = readable(sum(file.stat().st_size for file in folder.iterdir()))
    assert set(said) == {f"  npz:{copied}: {size}, in use, {folder}\n0 bytes freed in {place}\n"}

    code, output, _ = command("datasets")
    assert code == 0
    assert output.splitlines()[-2:] == [
        "decoded copies, which 'study datasets --free' deletes where they are not in use:",
        f"  npz:{copied}: {size}, not in use, {folder}",
    ]
    assert command("datasets", "--free") == (
        0, f"  npz:{copied}: {size}, freed, {folder}\n{size} freed in {place}\n", ""
    )  # fmt: skip
    assert list(place.iterdir()) == []
    study.resume("a", spaces={"mine": tiny.build_function}, trials=3, quiet=True)
    assert [row[0] for row in study_table(home, "a")["mine"]] == [0, 1, 2]
    assert list(place.iterdir()) == [folder]


@pytest.mark.parametrize("words", [(), ("--data-dir", "elsewhere")])
def test_nothing_to_free(words: tuple[str, ...], command: Command, home: Path) -> None:
    place = home.parent / ("elsewhere" if words else "data") / "arrays"
    assert command("datasets", "--free", *words) == (0, f"0 bytes freed in {place}\n", "")
    assert os.listdir(home.parent) == []


def test_misread_images_that_cannot_be_kept_lose_nothing(command: Command, home: Path, archive: Path) -> None:
    """A folder is in the way of their file."""
    in_the_way = home / "a" / "predictions" / "misread.npz"
    in_the_way.mkdir(parents=True)
    code, output, error = command("run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Slow", *RUN[2:])
    assert (code, error) == (0, "")
    assert output.count("cannot be kept (Is a directory); the result itself is stored") == 1
    assert misread_images(home / "a") == {}
    assert any(PREDICTED in final.missing for final in results.finals(opened(home, "a")))
    assert "the predictions of its finals are missing" in (home / "a/report.html").read_text()
