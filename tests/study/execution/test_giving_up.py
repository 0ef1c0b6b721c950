"""Trials that dead processes left: how often they are taken up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pytest
from helpers import Command, opened
from optuna.trial import TrialState

import study
from study.config import FINALS
from study.execution import giving_up
from study.records import MODEL, OWNER, PREDICTED, RECORD, TARGET
from study.storage import queries, results
from study.storage.claims import MOST_ENDINGS, Claims, Owner
from study.storage.store import StoredStudy
from study.system.processes import Process, boot, host


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
    command: Command, finished: Path, dead: Process, endings: int, state: str, told: str
) -> None:
    leave(opened(finished, "a"), "tiny:Tiny", dead, endings)
    code, output, error = command("resume", "a", "--trials", "3", "--quiet")
    assert code == 0, error
    assert study.load("a").trials.state[2] == state
    assert told in output
    assert ("in a row" in output) == bool(told)


def test_a_finished_epoch_counts_from_the_start_again(finished: Path, dead: Process) -> None:
    stored = opened(finished, "a")
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


def test_a_final_whose_processes_die_while_its_files_are_written_is_kept(tmp_path: Path, dead: Process) -> None:
    trials = {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())] * 2}
    stored = made.study(tmp_path, trials)
    record = made.final_record()
    leave(stored, FINALS, dead, 0, **{TARGET: ["dense", "tuned", 1, 0], RECORD: record.to_json()})
    leave(stored, FINALS, dead, 0, **{TARGET: ["dense", "baseline", 0, 0]})
    lines: list[str] = []
    for left in queries.under_way(stored.store, stored.definition.study_name(FINALS)).running:
        giving_up.give_up(stored, FINALS, left, "3 workers died in it", lines.append)
    kept, failed = results.trials(stored, FINALS)
    assert (kept.state, kept.value) == (TrialState.COMPLETE, record.accuracy)
    assert failed.state == TrialState.FAIL
    why = "3 workers died in it"
    assert results.finals(stored) == [replace(record, missing={PREDICTED: why, MODEL: why})]
    assert lines[0] == "finals trial 0 is kept, but perhaps without its files: 3 workers died in it"
