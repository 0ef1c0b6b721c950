"""Trials that dead processes left: how often they are taken up."""

from pathlib import Path
from typing import Any

import pytest
from helpers import Command, opened

import study
from study.records import OWNER
from study.storage.claims import MOST_ENDINGS, Claims, Owner
from study.storage.store import StoredStudy
from study.system.processes import Process, boot, host

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--pruner", "none", "--quiet")


def leave(stored: StoredStudy, part: str, dead: Process, endings: int, **attributes: Any) -> None:
    """A running trial that a process has left by ending, after others that ended in it too."""
    trial = stored.part(part).ask()
    owner = Owner(host(), boot(), dead, dead, expires=0.0)
    trial.set_user_attr(OWNER, owner.to_json() | {"deaths": [], "endings": endings})
    for name, value in attributes.items():
        trial.set_user_attr(name, value)


@pytest.mark.parametrize(
    "endings, state, told",
    [
        (0, "complete", ""),
        (
            1,
            "complete",
            "tiny:Tiny trial 2: 2 processes in a row ended in it before it had finished an epoch; after 10",
        ),
        (MOST_ENDINGS - 1, "fail", "tiny:Tiny trial 2 is given up: 10 processes in a row ended in it before it had"),
    ],
)
def test_a_trial_is_taken_up_so_often(
    command: Command, home: Path, archive: Path, dead: Process, endings: int, state: str, told: str
) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    leave(opened(home, "a"), "tiny:Tiny", dead, endings)
    code, output, error = command("resume", "a", "--trials", "3", "--quiet")
    assert code == 0, error
    assert study.load("a").trials.state[2] == state
    assert told in output
    assert ("in a row" in output) == bool(told)


def test_a_finished_epoch_counts_from_the_start_again(
    command: Command, home: Path, archive: Path, dead: Process
) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    stored = opened(home, "a")
    leave(stored, "tiny:Tiny", dead, endings=5)
    claims = Claims(stored.store, "a/tiny:Tiny", Process.current())
    (left,) = claims.free_of(claims.under_way().running)
    claims.mark(left.trial_id, left.owner)
    assert claims.endings == 6
    claims.renew()
    (running,) = claims.under_way().running
    assert (claims.endings, running.owner["endings"]) == (0, 0)
    claims.hand_back()
    (left,) = claims.under_way().running
    claims.mark(left.trial_id, left.owner)
    assert claims.endings == 0
