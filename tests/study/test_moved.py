"""Folders that change under a study: a program that goes elsewhere, moved data, a moved home, a copied database."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pictures
import pytest
import tiny
from helpers import Command, study_table
from refusals import refused, tree

import study
from study.errors import StudyError

SMALL = {"trials": 2, "epochs": 1, "seeds": 1, "confirm": 0, "quiet": True}
RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


def restless(hp: Any) -> keras.Model:
    """Goes to another folder whenever it is built."""
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    return tiny.build_function(hp)


def test_a_space_that_changes_the_folder(home: Path, archive: Path) -> None:
    start, archive = home.parent, archive.rename(home.parent / "images.npz")
    found = study.run("a", spaces={"restless": restless}, dataset="npz:images.npz", data_dir="data", **SMALL)
    assert Path.cwd() != start
    assert found.report() == home / "a" / "report.html"
    assert list(found.trials.state) == ["complete", "complete"]
    assert found.best_model().output_shape == (None, 3)
    assert not list(start.rglob("elsewhere/**/*.db"))
    assert not (start / "data").exists()  # a small archive leaves no copy


def test_commands_write_where_they_were_started(command: Command, home: Path, archive: Path) -> None:
    start = home.parent
    (start / "restless_space.py").write_text(
        "import os\nimport tiny\n\n\ndef build(hp):\n    os.makedirs('deep', exist_ok=True)\n    os.chdir('deep')\n"
        "    return tiny.build_function(hp)\n"
    )
    words = ("--space", "restless_space:build", "--dataset", f"npz:{archive.name}", "--tensorboard", "logs")
    code, output, error = command("run", "a", *words, *RUN[2:], "--storage", "sqlite:///all.db", "--data-dir", "data")
    assert code == 0, error
    assert output.splitlines()[-1] == f"report: {home / 'a' / 'report.html'}"
    os.chdir(start)
    assert {"all.db", "logs", "runs"} < {each.name for each in start.iterdir()}
    train = ("train", "--space", "restless_space:build", "--values", "{}", "--epochs", "1", "-o", "model.keras")
    assert command(*train, "--dataset", f"npz:{archive.name}", "--data-dir", "data")[0] == 0
    assert (start / "model.keras").is_file()


def test_a_tuner_keeps_its_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    x, y = np.zeros((12, tiny.SIDE, tiny.SIDE, 1), np.float32), np.arange(12) % tiny.CLASSES
    tuner = study.OptunaTuner(tiny.Tiny(), objective="val_accuracy", max_trials=1, directory="~/searches")
    (home.parent / "elsewhere").mkdir()
    os.chdir(home.parent / "elsewhere")
    tuner.search(x, y, epochs=1, verbose=0, validation_data=(x, y))
    assert len(tuner.get_best_models()) == 1
    assert (home.parent / "searches" / "untitled_project").is_dir()
    assert list(Path.cwd().iterdir()) == []


def test_moved_data_are_taken_where_they_are_the_same(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    moved = archive.rename(home.parent / "moved.npz")
    told = refused(command, "resume", "a", "--trials", "3")
    assert f"{archive} cannot be read: No such file or directory" in told
    assert "'study resume NAME --dataset npz:FILE' continues with it" in told
    other = tiny.write_archive(home.parent / "other.npz", seed=1)
    before = study_table(home, "a")
    assert "the data are not those" in refused(command, "resume", "a", "--trials", "3", "--dataset", f"npz:{other}")
    assert study_table(home, "a") == before
    assert study.load("a").definition.dataset == f"npz:{archive}"
    assert command("resume", "a", "--trials", "3", "--dataset", "npz:moved.npz", "--quiet")[0] == 0
    assert study.load("a").definition.dataset == f"npz:{moved}"
    assert command("resume", "a", "--trials", "4", "--quiet")[0] == 0  # it is remembered
    assert len(study.load("a").trials) == 4
    moved.rename(archive)
    assert len(study.resume("a", trials=5, dataset=archive, quiet=True).trials) == 5


def test_a_folder_of_images_that_has_moved_is_read_in_the_same_way(command: Command, home: Path) -> None:
    folder = pictures.write_classes(home.parent / "photos", mode="L")
    (folder / "cat" / "notes.txt").write_text("no image")
    words = ("--image-size", "6x6", "--test-share", "0.3", "--skip-unreadable", "--split-seed", "5")
    code, output, error = command("run", "a", "--dataset", "folder:photos", *words, *RUN[:-1])
    assert code == 0, error
    assert f"{folder} has no test part: 5 of 18 images, drawn by the split seed, are kept for the test" in output
    folder.rename(home.parent / "moved")
    code, _, error = command("resume", "a", "--trials", "3", "--dataset", "folder:moved", "--quiet")
    assert code == 0, error
    definition = study.load("a").definition
    assert definition.dataset == f"folder:{home.parent / 'moved'}"
    assert (definition.image_size, definition.test_share, definition.skip_unreadable) == ("6x6", 0.3, True)


@pytest.mark.parametrize("move", [Path.rename, shutil.copytree])
def test_a_home_that_was_moved_or_copied(command: Command, home: Path, finished: Path, move: Any) -> None:
    table, new = study_table(home, "a"), home.parent / "deep" / "studies"
    new.parent.mkdir()
    move(home, new)
    shutil.rmtree(home, ignore_errors=True)
    os.chdir(new)
    assert study_table(new, "a") == table
    there = ("--home", str(new))
    assert command("report", "a", *there)[:2] == (0, "report: a/report.html\n")
    assert "This panel could not be made" not in (new / "a" / "report.html").read_text()
    assert study.load("a", home=new).best_model().output_shape == (None, 3)
    assert f"\nmodel: {new / 'a' / 'models'}" in command("best", "a", *there)[1]
    code, _, error = command("resume", "a", "--trials", "3", *there)
    assert code == 0, error
    assert not home.exists()


def test_a_database_is_whole_in_its_file_while_it_is_open(home: Path, archive: Path) -> None:
    """In a notebook it stays open after a study; people copy the one file."""
    found = study.run("a", spaces=["tiny:Tiny"], dataset=archive, **SMALL)
    finals = len(found.finals)
    copy = shutil.copy(home / "study.db", home.parent / "copy.db")
    assert not any((home / f"study.db{end}").exists() and (home / f"study.db{end}").stat().st_size for end in ("-wal",))
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    alone = study.load("a", storage=copy)
    assert (len(alone.trials), len(alone.finals)) == (2, finals)


def test_a_tuners_database_is_whole_too(home: Path) -> None:
    x, y = np.zeros((12, tiny.SIDE, tiny.SIDE, 1), np.float32), np.arange(12) % tiny.CLASSES
    tuner = study.OptunaTuner(tiny.Tiny(), objective="val_accuracy", max_trials=2, directory=home)
    tuner.search(x, y, epochs=1, verbose=0, validation_data=(x, y))
    copy = shutil.copy(home / "study.db", home.parent / "copy.db")
    assert list(study.load("untitled_project", storage=Path(copy)).trials.state) == ["complete", "complete"]


def test_a_home_of_nobody_is_one_line(command: Command, home: Path) -> None:
    before = tree(home.parent)
    assert "there is no home folder for the beginning of '~nobody-here/runs'" in refused(
        command, "run", "--home", "~nobody-here/runs"
    )
    with pytest.raises(StudyError, match="there is no home folder"):
        study.run("a", home="~nobody-here/runs")
    assert tree(home.parent) == before
