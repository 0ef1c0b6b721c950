"""Trials and finals that never come back, in worker processes: what a signal does not end, the supervisor does."""

from pathlib import Path

import hanging
import pytest
from helpers import opened, start
from marks import ON_SQLITE_ALONE

from study.config import FINALS
from study.records import TrialRecord
from study.storage import results

pytestmark = ON_SQLITE_ALONE
LIMIT = "10s"
WHY = "took longer than --trial-timeout 10s"
WORDS = ("--seeds", "1", "--sampler", "kt-grid", "--pruner", "none", "--trial-timeout", LIMIT)


def run(home: Path, archive: Path, space: str, *words: str) -> tuple[int, str]:
    """A study with one worker: exit code, and what it printed."""
    data = ("--dataset", f"npz:{archive}", "--data-dir", str(home.parent / "data"))
    process = start(home, "run", "a", "--space", f"hanging:{space}", *data, *WORDS, *words)
    output, _ = process.communicate(timeout=300)
    assert "Traceback" not in output
    return process.returncode, output


def ends(home: Path, space: str) -> list[TrialRecord]:
    """What came of each trial."""
    records = [results.record(trial) for trial in results.trials(opened(home, "a"), f"hanging:{space}")]
    return [record for record in records if record is not None]


def test_a_build_that_never_comes_back_fails_and_the_study_goes_on(home: Path, archive: Path) -> None:
    code, output = run(home, archive, "Deaf", "--trials", str(len(hanging.DEAF)), "--epochs", "1")
    assert code == 0, output
    good, *failed = ends(home, "Deaf")
    assert good.error is None
    assert [each.error for each in failed] == [f"{WHY} (in build)"] * 3
    assert f"hanging:Deaf  trial 1  failed    {WHY} (in build)" in output
    for number in (2, 3):
        assert f"hanging:Deaf trial {number} is given up: {WHY} (in build)" in output
    assert "another takes its place" not in output


def test_a_fit_that_never_comes_back_keeps_its_epochs(home: Path, archive: Path) -> None:
    code, output = run(home, archive, "DeafFitted", "--trials", "2", "--epochs", "3")
    assert code == 0, output
    good, failed = ends(home, "DeafFitted")
    assert good.error is None
    assert (failed.error, failed.epochs) == (f"{WHY} (in epoch 2)", 1)
    assert len(failed.history["val_accuracy"]) == 1
    assert not list((home / "a" / "checkpoints").glob("*"))


@pytest.mark.parametrize("space, said", [("Finals", "hanging:Finals baseline, seed 0"), ("DeafFinals", "finals 0")])
def test_a_final_that_never_comes_back_fails(home: Path, archive: Path, space: str, said: str) -> None:
    code, output = run(home, archive, space, "--trials", "1", "--epochs", "1", "--sampler", "random")
    assert code == 1, output
    (failed,) = results.failures(opened(home, "a"), FINALS)
    assert failed.user_attrs["error"] == f"{said}: {WHY} (in epoch 1)"
    assert failed.user_attrs["error"] in output.splitlines()[-1]


@pytest.mark.parametrize("space", ["defaults", "deaf_defaults"])
def test_defaults_that_never_come_back_are_refused(home: Path, archive: Path, space: str) -> None:
    code, output = run(home, archive, space, "--trial-timeout", "2s")
    assert code == 2
    why = f"the search space 'hanging:{space}' cannot build its defaults: took longer than --trial-timeout 2s"
    assert output.splitlines()[-1] == f"study: {why}"
    assert not (home / "study.db").exists()
