"""A study that is resumed with other data, another space, other versions."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import pytest
import tiny
from helpers import Command, opened, placed, start, study_table
from marks import ON_SQLITE_ALONE
from optuna.storages._rdb.models import BaseModel as RDBModel

import study
from study.config import FINALS
from study.storage import results
from study.storage.address import Address
from study.storage.store import Store

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "2", "--seeds", "1")


pytestmark = ON_SQLITE_ALONE


def stored(home: Path) -> list[Any]:
    """Everything in the database."""
    store = Store.open_for_reading(Address.of(home))
    assert store is not None
    tables = RDBModel.metadata.sorted_tables
    return store.ask(lambda connection: [sorted(map(str, connection.execute(each.select()).all())) for each in tables])


def refused(command: Command, home: Path, *words: str) -> str:
    """The line of a resume that is refused and changes nothing."""
    before = stored(home)
    code, _, error = command("resume", "a", "--trials", "3", *words)
    assert code == 2
    assert error.count("\n") == 1
    assert "nothing was changed" in error
    assert stored(home) == before
    return error


@pytest.mark.parametrize("words", [(), ("--allow-drift",)])
def test_other_data_under_the_same_name(
    command: Command, finished: Path, archive: Path, words: tuple[str, ...]
) -> None:
    shutil.copy(study.load("a").definition.dataset.removeprefix("npz:"), archive)
    assert command("resume", "a", "--dataset", f"npz:{archive}", "--quiet")[0] == 0
    tiny.write_archive(archive, images=96)
    error = refused(command, finished, *words)
    assert "the data are not those that the study was started with (x_train 90x6x6x1 uint8 " in error
    assert " then, x_train 96x6x6x1" in error or "96x6x6x1 uint8 " in error
    assert "restore them or start another study" in error


@pytest.mark.parametrize("words", [(), ("--allow-drift",)])
def test_a_changed_space(
    command: Command, finished: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    plain = tiny.Tiny.build

    def build(self: Any, hp: Any) -> Any:
        hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1)
        hp.Boolean("added")
        return plain(self, hp)

    monkeypatch.setattr(tiny.Tiny, "build", build)
    error = refused(command, finished, *words)
    assert "the search space tiny:Tiny is not the one that the study was started with" in error
    assert "dropout: max_value 0.3 then, 0.5 now" in error
    assert "added absent then, declared now" in error
    assert "restore it or start another study" in error


def other_versions(home: Path, **changes: str) -> None:
    """Let the study have been started under other versions or hardware."""
    finals = opened(home, "a").part(FINALS)
    finals.set_user_attr("environment", {**finals.user_attrs["environment"], **changes})


def test_another_version_of_keras(command: Command, finished: Path) -> None:
    other_versions(finished, keras="3.0.0")
    error = refused(command, finished)
    assert f"was started under other versions (keras 3.0.0 then, {keras.__version__} now)" in error
    assert "continue under these with --allow-drift" in error
    before = study_table(finished, "a")["tiny:Tiny"]
    code, output, error = command("resume", "a", "--trials", "3", "--allow-drift")
    assert (code, error) == (0, "")
    assert f"continuing under other versions: keras 3.0.0 then, {keras.__version__} now" in output
    assert study_table(finished, "a")["tiny:Tiny"][:2] == before
    assert "--allow-drift" in command("resume", "a")[2]
    assert "--allow-drift" in command("evaluate", "a")[2]


def test_other_hardware_is_a_word_and_no_refusal(command: Command, finished: Path) -> None:
    other_versions(finished, processor="Z80")
    code, output, _ = command("resume", "a", "--trials", "3")
    assert code == 0
    assert "continuing on other hardware, which may change the last bits of a result: processor Z80 then" in output


def test_a_terminal_that_is_closed_ends_the_epoch_and_loses_nothing(home: Path, archive: Path) -> None:
    words = ["run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "50", "--epochs", "20",
             "--workers", "1"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent)}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home.parent)
        os.execve(sys.executable, [sys.executable, "-m", "study", *placed(home, words)], environment)
    shown = b""
    while b"trial 1 " not in shown:
        shown += os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    trials = results.trials(opened(home, "a"), "tiny:Tiny")
    assert 2 <= len(trials) < 50
    running = [trial for trial in trials if not trial.state.is_finished()]
    assert len(list((home / "a" / "checkpoints").iterdir())) == len(running) <= 1
    subprocess.run(
        [sys.executable, "-m", "study", *placed(home, ("status", "a"))],
        cwd=home.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def test_a_hangup_that_is_ignored_stays_ignored(home: Path, archive: Path) -> None:
    """As under nohup."""
    words = ("run", "a", "--dataset", f"npz:{archive}", *RUN)
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(home, *words)
    finally:
        signal.signal(signal.SIGHUP, previous)
    time.sleep(4)
    os.killpg(process.pid, signal.SIGHUP)
    output, _ = process.communicate()
    assert process.returncode == 0, output


def test_a_pipe_that_nobody_reads_any_more_does_not_stop_the_study(home: Path, archive: Path) -> None:
    process = start(home, "run", "a", "--dataset", f"npz:{archive}", *RUN)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait()
    found = opened(home, "a")
    assert results.finished(found, "tiny:Tiny") == 2
    assert results.finals(found)  # of the baseline, and of the winner where that is another
    assert (home / "a" / "report.html").is_file()
