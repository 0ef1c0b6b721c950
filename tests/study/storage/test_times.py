"""What is stored is UTC, wherever and whenever it is read."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import made
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import text

from study.config import CONFIRMATION, FINALS
from study.records import ERROR
from study.storage import queries, results
from study.storage.store import StoredStudy

ZONES = ["UTC", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"]
TWICE = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
"""In New York it is half past one, and an hour later again."""
HOUR = timedelta(hours=1)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Moves this process to a time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def study(home: Path, part: str, *ended: datetime) -> StoredStudy:
    """A study with failed trials that ended then and began a minute before."""
    made_study = made.study(home, {"dense": []})
    for moment in ended:
        made_study.part(part).add_trial(create_trial(state=TrialState.FAIL, user_attrs={ERROR: "out of luck"}))
        number = len(made_study.part(part).trials) - 1
        change = text("UPDATE trials SET datetime_start = :began, datetime_complete = :ended WHERE number = :number "
                      "AND study_id = (SELECT study_id FROM studies WHERE study_name = :name)")  # fmt: skip
        values = {"began": moment - timedelta(minutes=1), "ended": moment}
        stored = {name: each.replace(tzinfo=None).isoformat(" ", "microseconds") for name, each in values.items()}
        with made_study.store.storage.engine.begin() as connection:
            connection.execute(change, {**stored, "number": number, "name": f"made/{part}"})
    again = made.Store.open(made_study.store.address)
    assert again is not None
    return again.study("made")


@pytest.mark.parametrize("name", ZONES)
def test_trials_have_their_times_in_every_zone(tmp_path: Path, zone: Callable[[str], None], name: str) -> None:
    zone(name)
    found = study(tmp_path, "dense", TWICE, TWICE + HOUR)
    times = queries.times(found.store, "made/dense")
    assert [times[number].ended for number in (0, 1)] == [TWICE, TWICE + HOUR]
    assert queries.times(found.store, "made/dense", 1) == {1: times[1]}
    assert queries.times(found.store, "made/dense", 2) == {}
    trials = results.trials(found, "dense")
    assert [trial.datetime_complete for trial in trials] == [TWICE, TWICE + HOUR]
    assert [trial.duration for trial in trials] == [timedelta(minutes=1)] * 2


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("part", [CONFIRMATION, FINALS])
def test_what_failed_before_the_session_is_tried_again_and_nothing_else(
    tmp_path: Path, zone: Callable[[str], None], part: str, name: str
) -> None:
    """In the hour that comes twice: one that failed in the session is not made for ever, one from before is made."""
    zone(name)
    found = study(tmp_path, part, TWICE - HOUR, TWICE, TWICE + HOUR, TWICE + 2 * HOUR)
    for moment, failed in ((TWICE - HOUR, [0, 1, 2, 3]), (TWICE, [1, 2, 3]), (TWICE + HOUR / 2, [2, 3]),
                           (TWICE + HOUR, [2, 3]), (TWICE + 1.5 * HOUR, [3]), (TWICE + 3 * HOUR, [])):  # fmt: skip
        assert [trial.number for trial in results.failures(found, part, moment.timestamp())] == failed, moment


def test_a_trial_under_way_has_not_ended(tmp_path: Path) -> None:
    found = study(tmp_path, "dense")
    before = datetime.now(UTC)
    found.part("dense").ask()
    found.part("dense").enqueue_trial({})
    running, waiting = results.trials(found, "dense")
    assert running.datetime_start is not None
    assert before <= running.datetime_start <= datetime.now(UTC)
    assert (running.datetime_complete, waiting.datetime_start, waiting.datetime_complete) == (None, None, None)
