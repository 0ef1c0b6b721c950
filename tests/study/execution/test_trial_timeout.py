"""Trials and finals that take longer than they may, in the process of the command. For worker processes see
tests/faults."""

import io
import threading
import time
from pathlib import Path

import hanging
import pytest
from helpers import Command, opened
from refusals import refused
from rich.console import Console

from study.config import FINALS, LEAST_OVERTIME, Resources, changed
from study.execution import limits
from study.execution.run import run
from study.execution.task import Steps, Task
from study.records import TrialRecord
from study.storage import results
from study.system.progress import LineDisplay

WORDS = ("--seeds", "1", "--sampler", "kt-grid", "--pruner", "none", "--data-dir", "data")


def start(command: Command, archive: Path, space: str, epochs: int) -> None:
    """A study whose baseline has taken its time."""
    words = ("--space", f"hanging:{space}", "--dataset", f"npz:{archive}", "--trials", "1", "--epochs", str(epochs))
    code, _, error = command("run", "a", *words, *WORDS)
    assert code == 0, error


def go_on(home: Path, trials: int, seconds: float) -> str:
    """Search on with a limit; what was said. The finals would have the same limit."""
    study, said = opened(home, "a"), io.StringIO()
    definition, resources = changed(
        study.definition, study.resources, {"trials": trials, "trial_timeout": seconds, "timeout": 3600.0}
    )
    display = LineDisplay(Console(file=said, width=200))
    run(Task(study.store.address, definition, resources, Steps(finals=False)), display)
    return said.getvalue()


def ends(home: Path) -> dict[str, TrialRecord]:
    """What came of each kind's trial."""
    (space,) = opened(home, "a").definition.spaces
    records = [results.record(trial) for trial in results.trials(opened(home, "a"), space)]
    return {str(record.values["kind"]): record for record in records if record is not None}


def test_a_build_that_never_comes_back_fails_and_the_study_goes_on(command: Command, home: Path, archive: Path) -> None:
    start(command, archive, "Built", 1)
    said = go_on(home, len(hanging.HEARING), 1)
    good, *failed = ends(home).values()
    why = "took longer than --trial-timeout 1s (in build)"
    assert good.error is None
    assert [each.error for each in failed] == [why] * (len(hanging.HEARING) - 1)
    assert all("in hang" in (each.traceback or "") for each in failed)
    assert said.count(f"failed    {why}  epochs 0/1") == len(failed)


def test_a_fit_that_never_comes_back_keeps_its_epochs(command: Command, home: Path, archive: Path) -> None:
    start(command, archive, "Fitted", 3)
    go_on(home, 2, 5)
    failed = ends(home)["sleeps"]
    assert (failed.error, failed.epochs) == ("took longer than --trial-timeout 5s (in epoch 2)", 1)
    assert len(failed.history["val_accuracy"]) == 1
    assert not list((home / "a" / "checkpoints").glob("*"))


def test_a_training_that_is_only_long_is_ended_too(command: Command, home: Path, archive: Path) -> None:
    start(command, archive, "Long", 8)
    go_on(home, 2, 2)
    failed = ends(home)["sleeps"]
    assert failed.error is not None
    assert failed.error.startswith("took longer than --trial-timeout 2s (in ")
    assert failed.epochs < 8


def test_a_final_that_hangs_fails(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "hanging:Finals", "--dataset", f"npz:{archive}", "--trials", "1", "--epochs", "1")
    code, _, error = command("run", "a", *words, "--trial-timeout", "5s", "--seeds", "1", "--sampler", "random")
    assert code == 1
    why = "hanging:Finals baseline, seed 0: took longer than --trial-timeout 5s (in epoch 1)"
    (failed,) = results.failures(opened(home, "a"), FINALS)
    assert failed.user_attrs["error"] == why
    assert why in error


def test_defaults_that_cannot_be_built_in_time_are_refused(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "hanging:defaults", "--dataset", f"npz:{archive}", "--trial-timeout", "1s")
    error = refused(command, "run", "a", *words)
    assert "the search space 'hanging:defaults' cannot build its defaults: took longer than --trial-timeout 1s" in error
    assert not home.exists()


@pytest.mark.parametrize("given", ["0", "-1", "abc", "0s", "1.5h", ""])
def test_what_is_no_duration_is_refused(command: Command, home: Path, given: str) -> None:
    error = refused(command, "run", "a", "--trial-timeout", given)
    assert f"--trial-timeout is a duration such as 90s, 30m or 1h30m; it was given {given!r}" in error
    assert not home.exists()


def test_what_earlier_processes_took_counts(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "tiny:Slow", "--dataset", f"npz:{archive}", "--trials", "1", "--epochs", "40", "--seeds", "1")
    code, _, error = command("run", "a", *words, "--trial-timeout", "1h", "--timeout", "1s")
    assert code == 0, error
    assert opened(home, "a").resources.trial_timeout == 3600
    epochs = opened(home, "a").part("tiny:Slow").get_trials()[0].last_step
    code, _, error = command("resume", "a", "--trial-timeout", "1s", "--timeout", "1h")
    assert code == 1
    assert f"every trial failed, 1 of 1 with took longer than --trial-timeout 1s (in epoch {epochs + 1})" in error


def test_without_a_limit_a_timeout_is_one() -> None:
    """Nothing outlives `--timeout` for ever, and what is trained for it again is given as long."""
    told: list[tuple[float | None, str]] = []

    def tell(left: float | None, why: str) -> None:
        told.append((left, why))

    for resources, most, why in (
        (Resources(timeout=60.0), 60 + LEAST_OVERTIME, "was still running 10m after --timeout 1m was over"),
        (Resources(timeout=3600.0), 7200, "was still running 1h after --timeout 1h was over"),
        (Resources(timeout=60.0, trial_timeout=5.0), 5, "took longer than --trial-timeout 5s"),
        (Resources(trial_timeout=90.0), 90, "took longer than --trial-timeout 1m30s"),
    ):
        told.clear()
        with limits.of_search(resources, time.time(), tell):
            ((left, said),) = told
            assert left == pytest.approx(most, abs=1)
            assert said.startswith(why)
        assert told[1:] == [(None, "")]
    with limits.of_search(Resources(), 0.0, tell), limits.of_training(Resources(timeout=1.0), tell):
        assert len(told) == 2  # nothing is limited


def test_outside_the_main_thread_it_is_looked_at_between_epochs(command: Command, home: Path, archive: Path) -> None:
    """As where a notebook runs a study in a thread."""
    start(command, archive, "Long", 8)
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(go_on(home, 2, 2)))
    thread.start()
    thread.join()
    assert "--trial-timeout is checked only between epochs here, outside the main thread" in said[0]
    failed = ends(home)["sleeps"]
    assert failed.error is not None
    assert failed.error.startswith("took longer than --trial-timeout 2s (in ")
    assert failed.epochs < 8
