"""One SQLite file and a machine of many names: containers that come and go."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import containers
import kills
import pytest
from helpers import opened, owner_of, study_table, wait
from launcher import EPOCHS_FILE, MOMENT

from study.storage import results
from study.storage.claims import Owner

pytestmark = pytest.mark.skipif("config.getoption('--postgresql')", reason="of SQLite's file")

MOMENTS = ["create tables:4", "half checkpoints:2", "after report:3", "before tell:2", "after predictions:1"]
SECONDS = 240
"""In which a command has ended that waits for nobody; a lease would take longer."""
SPACE = "fault_space:Paced"
PACED = ("--space", SPACE, "--epochs", "40", "--seeds", "1", "--confirm", "0", "--pruner", "none",
         "--sampler", "random", "--lease", "1h")  # fmt: skip


def command(where: list[str], home: Path, *words: str, moment: str = "") -> "subprocess.Popen[str]":
    """The command `study`, in a container for example."""
    launcher = [str(kills.HERE / "launcher.py"), *words, "--home", str(home)]
    variables = {MOMENT: moment, EPOCHS_FILE: str(home.parent / f"{home.name}-epochs")}
    return containers.start(where, home.parent, *launcher, **variables)


@contextmanager
def running(where: list[str], home: Path, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """The same for as long as the block, from when an epoch of it is saved."""
    process = command(where, home, *words)
    try:
        wait(lambda: list((home / "a" / "checkpoints").glob("*.npz")))
        yield process
    finally:
        containers.kill(process)


def owner(home: Path) -> Owner:
    """Who trains the first trial."""
    found = owner_of(results.trials(opened(home, "a"), SPACE)[0])
    assert found is not None
    return found


def waits(process: "subprocess.Popen[str]") -> str:
    """What a command says of those it waits for, once it does."""
    assert process.stdout is not None
    return next(line for line in process.stdout if line.startswith("waiting for")).rstrip()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_study_that_is_killed_on_one_host_goes_on_on_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """The kill harness, each command on a host of another name: no lease is waited for, and the table is the same."""
    containers.need()
    monkeypatch.setattr(kills, "DEFINITION", (*kills.DEFINITION, "--trials", "3", "--epochs", "3", "--seeds", "1"))
    moments = iter(MOMENTS)
    monkeypatch.setattr(kills, "_choose", lambda rng, begun: next(moments))
    whole = kills.uninterrupted(tmp_path / "whole", "sha", workers)
    broken = kills.killed(tmp_path / "killed", random.Random(0), len(MOMENTS), "sha", workers, kills.hosts())
    assert broken.total >= 3
    kills.compare(whole, broken)


def test_who_is_alive_in_another_container_keeps_his_trial_until_he_dies(tmp_path: Path) -> None:
    containers.need()
    home = tmp_path / "runs"
    with running(containers.words("pod-a"), home, "run", "a", *PACED, "--trials", "2", "--workers", "1"):
        first = owner(home)
        other = command(containers.words("pod-b"), home, "worker", "a")
        who = f"process {first.process.pid} of command {first.supervisor.pid} on pod-a trains it"
        advice = "where nobody trains any more, 'study resume a --take-over' goes on at once"
        assert waits(other) == f"waiting for {SPACE} trial 0: {who}; {advice}"
        assert owner(home).process == first.process
    output, _ = other.communicate(timeout=SECONDS)
    assert other.returncode == 0, output
    assert "nothing is left to train in a" in output
    assert [row[1] for row in study_table(home, "a")[SPACE]] == ["COMPLETE"] * 2


def test_a_worker_that_dies_is_replaced_by_its_own_command(tmp_path: Path) -> None:
    """Its command releases the trial, which the new worker or the other container takes up, whichever is first."""
    containers.need()
    home = tmp_path / "runs"
    words = ("run", "a", *PACED, "--trials", "1", "--workers", "1")
    with running(containers.words("pod-a"), home, *words) as first:
        other = command(containers.words("pod-b"), home, "worker", "a")
        waits(other)
        containers.member(first, owner(home).process.pid).kill()
        output, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, output
    assert output.count("a worker was killed by SIGKILL; another takes its place") == 1
    others, _ = other.communicate(timeout=SECONDS)
    completed = f"{SPACE}  trial 0  complete"
    assert [output.count(completed), others.count(completed)] in ([1, 0], [0, 1])
    assert "nothing is left to train in a" in others


def test_a_machine_that_is_renamed_goes_on_at_once(tmp_path: Path) -> None:
    """As a laptop that is carried into another network: the name alone is new."""
    containers.need()
    home = tmp_path / "runs"
    with running(containers.renamed("office"), home, "run", "a", *PACED, "--trials", "1", "--workers", "1"):
        pass
    second = command(containers.renamed("home"), home, "resume", "a")
    output, _ = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, output
    assert "waiting for" not in output
    assert [row[1] for row in study_table(home, "a")[SPACE]] == ["COMPLETE"]
