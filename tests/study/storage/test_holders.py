"""What a process that waits says of those it waits for."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import pytest

from study.storage import claims, holders
from study.storage.claims import Owner
from study.storage.holders import Holders
from study.storage.store import StoredStudy
from study.system.processes import Host, Life, Process, boot, host

ME = Process.current()
ADVICE = "; where nobody trains any more, 'study resume made --take-over' goes on at once"


@pytest.fixture(autouse=True)
def _at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "LOOK_SECONDS", 0.0)


@pytest.fixture
def study(tmp_path: Path) -> StoredStudy:
    return made.study(tmp_path, {"dense": [], "cnn": []})


@pytest.fixture
def other() -> Iterator[Process]:
    """A process that lives as long as the test."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield Process.of(process.pid)
    process.send_signal(signal.SIGCONT)
    process.communicate()


def owned(study: StoredStudy, process: Process, supervisor: Process, part: str = "dense", **changes: Any) -> None:
    """A running trial with such an owner."""
    values: dict[str, Any] = {"host": host(), "boot": boot(), "expires": time.time() + 570, "lease": 600.0}
    owner = Owner(process=process, supervisor=supervisor, **{**values, **changes})
    study.part(part).ask().set_user_attr(claims.OWNER, owner.to_json())


def waiting(study: StoredStudy, supervisor: Process = ME, place: str = "", lease: float = 600.0) -> Holders:
    return Holders(study, supervisor, place, lease)


def elsewhere(name: str) -> dict[str, Any]:
    return {"host": Host(name), "boot": "another"}


def test_nobody_is_named_where_nobody_holds_anything(study: StoredStudy) -> None:
    owned(study, Process(1, 0.0), Process(1, 0.0))  # dead
    owned(study, ME, ME)
    study.part("dense").ask()
    assert waiting(study).news() is None


def test_who_may_be_alive_on_another_machine_is_named_until_when(study: StoredStudy) -> None:
    owned(study, Process(17, 0.0), Process(17, 0.0), **elsewhere("pod-a"))
    found = waiting(study)
    said = found.news()
    assert said is not None
    first, advice = said[: -len(ADVICE)], said[-len(ADVICE) :]
    assert advice == ADVICE
    pattern = r"waiting for dense trial 0: process 17 on pod-a holds it, silent for 3\d s, and loses it in (\d+) s, at "
    told = re.fullmatch(pattern + r"\d\d:\d\d:\d\d", first)
    assert told is not None, said
    assert 560 <= int(told[1]) <= 570
    assert found.news() is None


def test_the_lease_that_was_given_here_counts(study: StoredStudy) -> None:
    owned(study, Process(17, 0.0), Process(17, 0.0), **elsewhere("pod-a"))
    assert " and loses it in 30 s, at " in str(waiting(study, lease=60.0).news())
    assert waiting(study, lease=5.0).news() is None


def test_who_is_stopped_is_named_with_what_wakes_him(study: StoredStudy, other: Process) -> None:
    owned(study, other, Process(other.pid, 0.0), part="finals")
    found = waiting(study)
    assert found.news() == f"waiting for finals trial 0: process {other.pid} trains it"
    os.kill(other.pid, signal.SIGSTOP)
    while other.life() is not Life.STOPPED:
        time.sleep(0.01)
    assert found.news() == (
        f"waiting for finals trial 0: process {other.pid} holds it and is stopped, 'kill -CONT {other.pid}' lets it go "
        f"on{ADVICE}"
    )
    assert found.news() is None


def test_a_worker_is_named_with_its_command(study: StoredStudy, other: Process) -> None:
    owned(study, Process(1, 0.0), other)
    assert waiting(study).news() == f"waiting for dense trial 0: process 1 of command {other.pid} trains it"


def test_a_process_is_named_once_whatever_it_trains(study: StoredStudy, other: Process) -> None:
    owned(study, other, other)
    found = waiting(study)
    assert found.news() is not None
    study.part("dense").tell(0, 0.5)
    owned(study, other, other)
    assert found.news() is None


def test_many_are_one_line(study: StoredStudy) -> None:
    for number in range(5):
        owned(study, Process(number + 10, 0.0), Process(number + 10, 0.0), **elsewhere(f"node-{number}"))
    said = str(waiting(study).news())
    assert [f"process {number + 10} on node-{number}" in said for number in range(5)] == [True] * 3 + [False] * 2
    assert said.endswith(f"; 2 more{ADVICE}")
    assert "\n" not in said


@pytest.mark.parametrize("placed", [False, True])
def test_processes_of_the_same_command_are_not_named(study: StoredStudy, other: Process, placed: bool) -> None:
    if placed:
        owned(study, Process(17, 0.0), Process(17, 0.0), **elsewhere("node"), place="session/3")
        owned(study, Process(18, 0.0), Process(18, 0.0), **elsewhere("node"), place="another/3")
    else:
        owned(study, Process(ME.pid, 0.0), other)
    found = waiting(study, supervisor=other, place="session/0" if placed else "")
    said = found.news()
    assert (said is None) is not placed
    assert "process 17" not in str(said)


def test_nobody_looks_more_often_than_that(study: StoredStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "LOOK_SECONDS", 60.0)
    found = waiting(study)
    assert found.news() is None
    owned(study, Process(17, 0.0), Process(17, 0.0), **elsewhere("pod-a"))
    assert found.news() is None
    assert waiting(study).news() is not None
