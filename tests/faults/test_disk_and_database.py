"""Full and read-only disks, damaged, newer and busy databases: real ones."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers import Command, opened, opened_at, start, study_table

from study.storage import results, sqlite
from study.storage.address import Address
from study.storage.store import Store

pytestmark = pytest.mark.skipif("config.getoption('--postgresql')", reason="of SQLite's file")

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "3", "--seeds", "1")


def said(outcome: tuple[int, str, str], code: int) -> str:
    """The one line of a command that was refused or failed."""
    assert outcome[0] == code, outcome
    assert outcome[2].count("\n") == 1, outcome[2]
    return outcome[2]


def whole(command: Command, home: Path, archive: Path) -> dict[str, list[Any]]:
    """The table of the study that met no fault."""
    assert command("run", "whole", "--dataset", f"npz:{archive}", *RUN, "--home", str(home))[0] == 0
    return study_table(home, "whole")


def test_a_disk_that_fills_up_under_the_database(
    command: Command, home: Path, archive: Path, full_disk: Path, fill: Callable[..., Path]
) -> None:
    wanted = whole(command, home, archive)
    command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--trials", "1", "--home", str(full_disk))
    finished = study_table(full_disk, "a")["tiny:Tiny"]
    filling = fill(full_disk)
    words = ("resume", "a", "--trials", "3", "--home", str(full_disk), "--quiet")
    error = said(command(*words), 1)
    process = start(home, *words, "--workers", "2")
    output, _ = process.communicate()
    assert (process.returncode, output) == (1, error)
    assert "database or disk is full" in error
    assert "what is finished is kept: make room on its disk, then 'study resume' continues" in error
    assert study_table(full_disk, "a")["tiny:Tiny"][:1] == finished
    filling.unlink()
    assert command("resume", "a", "--trials", "3", "--home", str(full_disk), "--quiet")[0] == 0
    assert study_table(full_disk, "a") == wanted


def test_a_disk_that_is_full_for_checkpoints_and_results(
    command: Command, home: Path, archive: Path, full_disk: Path, fill: Callable[..., Path]
) -> None:
    """The database lies elsewhere: what cannot be written are checkpoints, predictions, models and the report."""
    wanted = whole(command, home, archive)
    url = f"sqlite:///{home.parent}/elsewhere.db"
    filling = fill(full_disk)
    places = ("--home", str(full_disk), "--storage", url)
    code, output, error = command("run", "a", "--dataset", f"npz:{archive}", *RUN, *places)
    assert code == 1
    assert "cannot be written (No space left on device); the training goes on" in output
    assert error.count("\n") == 1
    assert "report.html cannot be written: No space left on device; 'study report a -o FILE' writes it" in error
    for what in ("predictions", "model", "artifacts"):
        (line,) = [line for line in output.splitlines() if line.startswith(f"the {what} of tiny:Tiny ")]
        assert "cannot be kept (No space left on device); the result itself is stored" in line
    study = opened_at(Address.of(Path(), url), "a")
    tested = results.finals(study)
    filling.unlink()
    assert command("resume", "a", *places)[0] == 0
    assert results.finals(study) == tested
    assert (full_disk / "a" / "report.html").is_file()
    assert "could not be kept when it was tested (No space left on device)" in command("best", "a", *places)[1]
    rows = [(trial.number, trial.value) for trial in results.trials(study, "tiny:Tiny")]
    assert rows == [(row[0], row[2]) for row in wanted["tiny:Tiny"]]
    assert tested  # of the baseline, and of the winner where that is another


def test_workers_that_find_the_disk_full_store_their_results(
    home: Path, archive: Path, full_disk: Path, fill: Callable[..., Path]
) -> None:
    home.mkdir()
    filling = fill(full_disk)
    places = ("--home", str(full_disk), "--storage", f"sqlite:///{home}/elsewhere.db")
    process = start(home, "run", "a", "--dataset", f"npz:{archive}", *RUN, *places, "--workers", "2")
    output, _ = process.communicate()
    assert process.returncode == 1, output
    assert "report.html cannot be written: No space left on device" in output.splitlines()[-1]
    assert "Traceback" not in output
    assert output.count("the predictions of tiny:Tiny ") == 1
    filling.unlink()
    process = start(home, "resume", "a", *places)
    output, _ = process.communicate()
    assert process.returncode == 0, output


@pytest.fixture
def read_only(full_disk: Path) -> Callable[[bool], None]:
    """Makes that file system read-only, or writable again: root may write whatever its rights say."""

    def remount(closed: bool) -> None:
        mode = "ro" if closed else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", full_disk], check=True)

    return remount


def test_a_read_only_home(command: Command, archive: Path, full_disk: Path, read_only: Callable[[bool], None]) -> None:
    home = ("--home", str(full_disk))
    # In a process of its own: nothing has the database open when the disk is closed.
    process = start(full_disk, "run", "a", "--dataset", f"npz:{archive}", *RUN, *home, "--workers", "0")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    read_only(True)
    for words in (("resume", "a", "--trials", "5"), ("evaluate", "a"), ("run", "b", *RUN)):
        error = said(command(*words, *home), 2)
        assert f"the home {full_disk} cannot be written" in error
        assert "make it writable or give another --home" in error
    # What only reads still does.
    code, output, _ = command("status", "a", *home)
    assert (code, "3 complete" in output or "pruned" in output) == (0, True)
    assert command("best", "a", *home)[0] == 0
    error = said(command("report", "a", *home), 2)
    assert "cannot be written: Read-only file system; 'study report a -o FILE' writes it elsewhere" in error
    assert command("report", "a", *home, "-o", str(full_disk.parent / "report.html"))[0] == 0
    read_only(False)
    outcome = command("resume", "a", "--trials", "4", *home)
    assert outcome[0] == 0, outcome


@pytest.mark.parametrize("command_words", [("status", "a"), ("resume", "a"), ("report", "a"), ("run", "b")])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_database_cut_off_in_the_middle(
    home: Path, made: Path, command: Command, command_words: tuple[str, ...], keep: float
) -> None:
    home.mkdir()
    shutil.copy(made, home / "study.db")
    half = int((home / "study.db").stat().st_size * keep)
    subprocess.run(
        ["dd", "if=/dev/null", f"of={home / 'study.db'}", f"seek={half}", "bs=1"], check=True, capture_output=True
    )
    before = (home / "study.db").read_bytes()
    error = said(command(*command_words), 2)
    assert "study.db is damaged (" in error
    assert "nothing was changed, and the models, predictions and reports beside it are safe" in error
    assert "put a copy in its place" in error
    assert (home / "study.db").read_bytes() == before


def test_a_database_with_a_hole_is_not_written_to(home: Path, made: Path, command: Command) -> None:
    """Pages in the middle overwritten: only looking through the whole file finds it."""
    home.mkdir()
    shutil.copy(made, home / "study.db")
    pages = (home / "study.db").stat().st_size // 4096
    words = ["dd", "if=/dev/urandom", f"of={home / 'study.db'}", "bs=4096", f"seek={pages // 2}", f"count={pages // 4}"]
    subprocess.run([*words, "conv=notrunc"], check=True, capture_output=True)
    assert "study.db is damaged (" in said(command("resume", "a"), 2)


def test_a_database_of_a_newer_schema(home: Path, made: Path, command: Command) -> None:
    home.mkdir()
    shutil.copy(made, home / "study.db")
    with closing(sqlite3.connect(home / "study.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
        connection.execute("UPDATE version_info SET library_version = '9.9.9'")
    for words in (("resume", "a"), ("status",), ("run", "b")):
        error = said(command(*words), 2)
        assert f"was written by another version of Optuna than {optuna.__version__}" in error
        assert "nothing was changed; install that version" in error


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a study, in one file."""
    import made as studies
    from made import trial_record

    folder = tmp_path_factory.mktemp("made")
    complete = (optuna.trial.TrialState.COMPLETE, 0.9, trial_record())
    study = studies.study(folder, {"tiny:Tiny": [complete] * 20}, name="a")
    study.store.storage.remove_session()
    with closing(sqlite3.connect(folder / "study.db")) as connection:
        connection.execute("VACUUM INTO ?", [str(folder / "whole.db")])
    with closing(sqlite3.connect(folder / "whole.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return folder / "whole.db"


HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""


def test_a_database_that_is_busy_longer_than_the_timeout_is_waited_for(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = whole(command, home, archive)
    command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--trials", "1")
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home / "study.db"), "4"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    code, output, error = command("resume", "a", "--trials", "3", "--quiet")
    holder.communicate()
    assert (code, error) == (0, "")
    assert "another process keeps the database" in output
    assert study_table(home, "a") == wanted


def test_readers_neither_wait_nor_are_waited_for(command: Command, home: Path, finished: Path) -> None:
    with closing(sqlite3.connect(home / "study.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE studies SET study_name = study_name")
        began = time.monotonic()
        assert command("status", "a")[0] == 0
        assert command("report", "a")[0] == 0
        assert time.monotonic() - began < sqlite.BUSY_SECONDS / 2
        writer.execute("ROLLBACK")
    with closing(sqlite3.connect(home / "study.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        assert command("resume", "a", "--trials", "3")[0] == 0
        reader.execute("COMMIT")


def test_a_reader_does_not_cost_a_running_study_its_commits(command: Command, home: Path, archive: Path) -> None:
    """A process that reads again and again, as a dashboard or a notebook does, while others write and are killed."""
    words = ("--space", "tiny:Tiny", "--trials", "200", "--epochs", "1", "--seeds", "1", "--workers", "0")
    process = start(home, "run", "a", "--dataset", f"npz:{archive}", *words)
    seen = 0
    kept = []
    for _ in range(2):
        while seen == 0 or results.finished(opened(home, "a"), "tiny:Tiny") < seen + 3:
            store = Store.open(Address.of(home))
            kept.append(store)
            if store is not None and "a" in store.studies():
                seen = max(seen, 1)
            time.sleep(0.05)
        seen = results.finished(opened(home, "a"), "tiny:Tiny")
        os.killpg(process.pid, 9)
        process.communicate()
        assert results.finished(opened(home, "a"), "tiny:Tiny") >= seen
        process = start(home, "resume", "a")
    os.killpg(process.pid, 9)
    process.communicate()
    with closing(sqlite3.connect(home / "study.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
