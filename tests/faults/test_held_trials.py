"""A trial is held by somebody who is stopped, or on a machine that is gone: that is said, with the way out."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import kills
import pytest
from helpers import SERVER, address_of, opened, owner_of, start, study_table, wait
from marks import ON_SQLITE_ALONE

import study
from study.config import CONFIRMATION, FINALS
from study.records import OWNER
from study.storage import queries, results

SPACE = "fault_space:Dense"
RUN = ("--space", SPACE, "--trials", "2", "--epochs", "3", "--seeds", "1", "--confirm", "0")
PACED = ("--space", "fault_space:Paced", "--trials", "1", "--epochs", "12", "--seeds", "1", "--confirm", "0",
         "--pruner", "none")  # fmt: skip
SECONDS = 150
"""Much less than a lease; a command that waits for nobody has ended by then."""
ELSEWHERE = {"host": ["pod-a", "pid:[1]", "another system"], "boot": "another boot"}
"""Of an owner on another machine."""


@pytest.fixture
def abandoned(home: Path, archive: Path) -> int:
    """The process that held trial 0 on another machine, which has gone without a word, 30 s ago."""
    words = ("run", "a", "--dataset", f"npz:{archive}", *RUN, "--workers", "0")
    killed = kills.command(home, *words, moment="after report:2")
    output, _ = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, output
    return change_owner(home, SPACE, **ELSEWHERE, expires=time.time() + 570, lease=600.0)


def change_owner(home: Path, part: str, **changes: Any) -> int:
    """Make the owner of the one running trial another one; its process."""
    found = opened(home, "a")
    [trial] = queries.under_way(found.store, found.definition.study_name(part)).running
    found.store.storage.set_trial_user_attr(trial.trial_id, OWNER, {**trial.owner, **changes})
    return int(trial.owner["process"][0])


def waits(home: Path, *words: str) -> str:
    """What a command says of those it waits for, once it does. It is killed then."""
    process = start(home, *words)
    assert process.stdout is not None
    said = next(line for line in process.stdout if line.startswith("waiting for"))
    process.kill()
    process.communicate()
    return said


def ends(home: Path, *words: str) -> str:
    """What a command has printed that waits for nobody."""
    process = start(home, *words)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("resume", "a"), id="resume"),
        pytest.param(("worker", "a"), id="worker", marks=ON_SQLITE_ALONE),
        pytest.param(("resume", "a", "--workers", "2"), id="workers", marks=ON_SQLITE_ALONE),
    ],
)
def test_who_holds_a_trial_elsewhere_is_said_at_once(home: Path, abandoned: int, words: tuple[str, ...]) -> None:
    said = waits(home, *words)
    told = re.fullmatch(
        rf"waiting for {SPACE} trial 0: process {abandoned} on pod-a holds it, silent for (\d+) s, and loses it in "
        r"(\d+) s, at \d\d:\d\d:\d\d; where nobody trains any more, 'study resume a --take-over' goes on at once\n",
        said,
    )
    assert told is not None, said
    silent, left = map(int, told.groups())
    if SERVER in os.environ:  # nobody could renew a lease before it was started, perhaps just now
        assert left <= 600 <= silent + left + 1
    else:
        assert silent + left in (599, 600, 601)


def test_it_is_taken_over_where_somebody_knows_that_nobody_trains(home: Path, abandoned: int) -> None:
    output = ends(home, "resume", "a", "--take-over")
    assert f"{SPACE} trial 0 was taken over" in output
    assert "waiting for" not in output
    assert "cannot be used" not in output  # the checkpoint is
    assert [row[1] for row in study_table(home, "a")[SPACE]] == ["COMPLETE"] * 2
    assert "was taken over" not in ends(home, "resume", "a", "--take-over", "--trials", "3")


@ON_SQLITE_ALONE
def test_so_it_is_from_python(home: Path, abandoned: int) -> None:
    url = address_of(home).url.render_as_string(hide_password=False)
    found = study.resume("a", take_over=True, quiet=True, home=home, storage=url)
    assert list(found.trials.state) == ["complete"] * 2


def test_a_lease_that_is_given_at_the_resume_counts_for_what_is_under_way(home: Path, abandoned: int) -> None:
    output = ends(home, "resume", "a", "--lease", "20s")
    assert "waiting for" not in output
    assert [row[1] for row in study_table(home, "a")[SPACE]] == ["COMPLETE"] * 2


@ON_SQLITE_ALONE
def test_so_it_does_for_a_final(home: Path, archive: Path) -> None:
    words = ("run", "a", "--dataset", f"npz:{archive}", *RUN, "--workers", "0")
    killed = kills.command(home, *words, moment="half predictions:1")
    killed.communicate()
    process = change_owner(home, FINALS, **ELSEWHERE, expires=time.time() + 570, lease=600.0)
    said = waits(home, "evaluate", "a")
    assert said.startswith(f"waiting for {FINALS} trial 0: process {process} on pod-a holds it, silent for ")
    assert f"{FINALS} trial 0 was taken over" in ends(home, "resume", "a", "--take-over")
    assert len(results.finals(opened(home, "a"))) == 2


@pytest.mark.parametrize("workers", [pytest.param("0", marks=ON_SQLITE_ALONE), "1"])
def test_a_stopped_command_is_named_and_may_be_taken_over(home: Path, workers: str) -> None:
    """Ctrl-Z: it stands still, whatever its lease. Once it goes on it finds that its trial is another's."""
    first = start(home, "run", "a", *PACED, "--workers", workers)
    wait(lambda: list((home / "a" / "checkpoints").glob("*.npz")))
    os.killpg(first.pid, signal.SIGSTOP)
    owner = owner_of(results.trials(opened(home, "a"), "fault_space:Paced")[0])
    assert owner is not None
    pids = [owner.process.pid] if workers == "0" else [owner.process.pid, first.pid]
    who = "process {}".format(*pids) if workers == "0" else "process {} of command {}".format(*pids)
    wakes = f"'kill -CONT {' '.join(map(str, pids))}' lets it go on"
    assert waits(home, "resume", "a") == (
        f"waiting for fault_space:Paced trial 0: {who} holds it and is stopped, {wakes}; where nobody trains any more, "
        "'study resume a --take-over' goes on at once\n"
    )
    assert "fault_space:Paced trial 0 was taken over" in ends(home, "resume", "a", "--take-over")
    os.killpg(first.pid, signal.SIGCONT)
    output, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, output
    assert "fault_space:Paced  trial 0 was taken up by another worker" in output
    assert [row[1] for row in study_table(home, "a")["fault_space:Paced"]] == ["COMPLETE"]


@ON_SQLITE_ALONE
def test_a_command_that_works_beside_is_named_once(home: Path) -> None:
    words = [word if word != "1" else "3" for word in PACED[:4]] + list(PACED[4:])
    first = start(home, "run", "a", *words, "--workers", "0")
    wait(lambda: list((home / "a" / "checkpoints").glob("*.npz")))
    output = ends(home, "worker", "a")
    first.communicate(timeout=SECONDS)
    assert output.count("joined a, which is running: its trials are shared with the others\n") == 1
    said = [line for line in output.splitlines() if line.startswith("waiting for")]
    assert len(said) == 1
    assert re.fullmatch(rf"waiting for fault_space:Paced trial \d: process {first.pid} trains it", said[0])
    assert CONFIRMATION not in said[0]
