"""Clocks and time zones: what is stored means the same moment wherever and whenever it is read."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import kills
import pytest
from helpers import opened, start, study_table
from marks import ON_SQLITE_ALONE

from study.storage import queries, results

ZONES = ("Pacific/Kiritimati", "America/New_York", "UTC", "Asia/Kathmandu")
SECONDS = 150
"""In which a command ends that does not repeat a final for ever."""


def hour_that_comes_twice() -> str:
    """A time zone in POSIX's words whose clocks were set back by an hour 20 minutes ago: for 40 minutes from now each
    local time has been before."""
    set_back = datetime.now(UTC) - timedelta(minutes=20)
    summer_time = set_back + timedelta(hours=1)
    return f"AAA0BBB-1,0/0,{summer_time.timetuple().tm_yday - 1}/{summer_time:%H:%M:%S}"


@ON_SQLITE_ALONE
def test_a_resume_in_other_zones_keeps_the_checkpoint(
    home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--dataset", f"npz:{archive}", "--space", "fault_space:Dense", "--trials", "2", "--epochs", "3", "--seeds",
             "1", "--confirm", "0", "--workers", "0")  # fmt: skip
    monkeypatch.setenv("TZ", "UTC")
    whole = home.parent / "whole"
    output, _ = kills.command(whole, "run", "a", *words).communicate()
    moments = ["after checkpoints:2", "after checkpoints:1", "after predictions:1", ""]
    for zone, moment in zip(ZONES, moments, strict=True):
        monkeypatch.setenv("TZ", zone)
        again = ("run", "a", *words) if not home.exists() else ("resume", "a", "--workers", "0")
        output, _ = kills.command(home, *again, moment=moment).communicate(timeout=SECONDS)
        assert "cannot be used" not in output, output
        assert "waiting for" not in output
    assert study_table(home, "a") == study_table(whole, "a")
    epochs = [len((folder.parent / f"{folder.name}-epochs").read_text().splitlines()) for folder in (home, whole)]
    assert epochs[0] <= epochs[1] + len(moments) - 1


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=ON_SQLITE_ALONE)])
def test_a_final_that_fails_in_the_hour_that_comes_twice_is_tried_once_per_session(
    home: Path, archive: Path, workers: str
) -> None:
    """Before, each failure seemed to be from an hour ago, before the session began, and was tried again for ever."""
    zone = hour_that_comes_twice()
    words = ("--dataset", f"npz:{archive}", "--space", "tiny:FailingFinals", "--trials", "1", "--epochs", "1",
             "--seeds", "2", "--confirm", "0", "--workers", workers)  # fmt: skip
    for session, command in enumerate((("run", "a", *words), ("evaluate", "a"), ("resume", "a")), 1):
        output, _ = start(home, *command, TZ=zone).communicate(timeout=SECONDS)
        assert "2 of the finals failed" in output, output
        failed = results.failures(opened(home, "a"), "finals")
        assert len(failed) == 2 * session


def test_what_is_stored_in_that_hour_is_utc(home: Path, archive: Path) -> None:
    words = ("--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "1", "--epochs", "1", "--seeds", "1")
    before = time.time()
    start(home, "run", "a", *words, "--workers", "0", TZ=hour_that_comes_twice()).communicate(timeout=SECONDS)
    found = opened(home, "a")
    for part in found.definition.parts:
        for times in queries.times(found.store, found.definition.study_name(part)).values():
            assert times.began is not None
            assert times.ended is not None
            assert before <= times.began.timestamp() <= times.ended.timestamp() <= time.time()
