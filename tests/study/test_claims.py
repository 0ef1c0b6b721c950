"""Who may train what."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from study import claims, queries
from study import storage as storage_room
from study.claims import Claims, Lost, Owner, Process
from study.postgresql import Clock
from study.records import RECORD

ME = Process.current()


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    storage = storage_room.open_storage(f"sqlite:///{tmp_path}/study.db", create=True)
    return optuna.create_study(storage=storage)


@pytest.fixture
def other() -> Iterator[Process]:
    """A process that lives as long as the test."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield Process.of(process.pid)
    process.communicate()


def dead() -> Process:
    process = subprocess.Popen([sys.executable, "-c", ""])
    found = Process.of(process.pid)
    process.wait()
    return found


def owned(study: optuna.Study, process: Process, supervisor: Process, **changes: object) -> optuna.trial.FrozenTrial:
    """A running trial with such an owner."""
    trial = study.ask()
    Claims(study, ME).mark(trial._trial_id)
    mine = claims.owner_of(study.get_trials()[-1])
    assert mine is not None
    owner = dataclasses.replace(mine, process=process, supervisor=supervisor, **changes)
    trial.set_user_attr(claims.OWNER, owner.to_json())
    return study.get_trials()[-1]


def numbers(trials: list[optuna.trial.FrozenTrial]) -> list[int]:
    return [trial.number for trial in trials]


def test_what_has_ended_need_not_be_read_again(study: optuna.Study) -> None:
    storage, name = study._storage, study.study_name
    assert queries.under_way(storage, name).ended_below == 0
    trials = [study.ask() for _ in range(3)]
    for number, value in ((0, 0.7), (2, 0.6)):
        trials[number].set_user_attr(RECORD, {})
        study.tell(trials[number], value)
    assert queries.under_way(storage, name).ended_below == 1
    assert queries.best(storage, name, "maximize") == (0, 0.7)
    assert queries.best(storage, name, "maximize", 1) == (2, 0.6)
    study.tell(trials[1], state=TrialState.FAIL)
    assert queries.under_way(storage, name).ended_below == 3
    study.enqueue_trial({})
    study.ask()
    study.enqueue_trial({})
    study.tell(3, state=TrialState.FAIL)
    assert queries.under_way(storage, name).ended_below == 4  # it waits
    assert queries.best(storage, name, "maximize", 3) is None


def test_a_process_is_alive_as_long_as_it_runs(other: Process) -> None:
    assert ME.is_alive()
    assert other.is_alive()
    assert not dead().is_alive()


def test_a_pid_that_is_used_again_is_another_process() -> None:
    assert not Process(ME.pid, ME.started - 1).is_alive()


def test_a_killed_process_is_dead_before_anybody_has_waited_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.of(process.pid)
    assert found.is_alive()
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not found.is_alive()
    process.communicate()


def test_an_owner_both_ways() -> None:
    owner = Owner("here", "boot", ME, ME, 1.5)
    assert Owner.from_json(owner.to_json()) == owner


def test_a_trial_that_nobody_has_claimed_is_free(study: optuna.Study) -> None:
    study.ask()
    assert numbers(Claims(study, ME).free()) == [0]


def test_a_live_owner_keeps_its_trial_and_a_dead_one_does_not(study: optuna.Study, other: Process) -> None:
    owned(study, other, other)
    owned(study, dead(), dead())
    owned(study, ME, ME)
    found = Claims(study, ME)
    assert (numbers(found.free()), numbers(found.held())) == ([1, 2], [0])


def test_what_a_dead_worker_trained_waits_for_its_supervisor(study: optuna.Study, other: Process) -> None:
    process = dead()
    owned(study, process, other)
    found = Claims(study, ME)
    assert numbers(found.held()) == [0]
    assert claims.release(study, process, "killed by SIGKILL") == []
    assert numbers(found.free()) == [0]


def test_a_host_that_was_started_anew_has_none_of_its_processes(study: optuna.Study) -> None:
    owned(study, Process.of(1), ME, boot="before")
    assert numbers(Claims(study, ME).free()) == [0]


def test_on_another_host_the_lease_decides(study: optuna.Study) -> None:
    owned(study, ME, ME, host="elsewhere", expires=time.time() - 1)
    owned(study, dead(), dead(), host="elsewhere", expires=time.time() + 60)
    found = Claims(study, Process(1, 0.0))
    assert numbers(found.held()) == [1]


def expires(study: optuna.Study) -> float:
    owner = claims.owner_of(study.get_trials()[-1])
    assert owner is not None
    return owner.expires


def test_a_lease_is_renewed_with_each_epoch(study: optuna.Study) -> None:
    trial = study.ask()
    found = Claims(study, ME)
    found.mark(trial._trial_id)
    first = expires(study)
    found.keep()
    assert expires(study) == first  # there is time yet
    found.renew()
    assert expires(study) > first


def test_whoever_waits_keeps_its_lease(study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = study.ask()
    found = Claims(study, ME, lease=90)
    found.mark(trial._trial_id)
    first, clock = expires(study), time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 31)
    found.keep()
    assert expires(study) > first


def test_a_trial_that_another_has_taken_up_is_lost(study: optuna.Study) -> None:
    trial = study.ask()
    slow, other = Claims(study, ME), Claims(study, ME)
    slow.mark(trial._trial_id)
    assert slow.ends()
    other.mark(trial._trial_id)
    for act in (slow.ends, slow.renew, slow.hand_back):
        with pytest.raises(Lost):
            act()
    assert other.ends()


def test_a_server_that_was_away_has_cost_nobody_its_lease() -> None:
    owner = Owner("elsewhere", "boot", ME, ME, expires=1000.0, lease=60.0)
    assert owner.is_dead(Clock(1001.0))
    assert not owner.is_dead(Clock(2030.0, began=2000.0))
    assert owner.is_dead(Clock(2061.0, began=2000.0))


def test_waiting_is_no_epoch(study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Claims(study, ME, lease=10)
    found.mark(study.ask()._trial_id)
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 3000)
    found.waited()
    found.renew()
    assert expires(study) - time.time() < 60


def test_a_release_that_was_interrupted_is_done_again(study: optuna.Study) -> None:
    """The third death was stored, and the connection lost before the trial was given up."""
    trial = study.ask()
    trial.set_user_attr(claims.OWNER, {"deaths": ["first", "second", "third"]})
    assert [each.number for each in claims.release(study, dead(), "fourth")] == [0]


def test_a_lease_that_ran_out_elsewhere_is_doubled(study: optuna.Study) -> None:
    """Epochs longer than the lease would cost one worker after the other its trial."""
    owned(study, dead(), dead(), host="elsewhere", expires=time.time() - 1, lease=1000.0)
    found = Claims(study, ME, lease=60)
    [free] = found.free()
    found.mark(free.trial_id, free.owner)
    assert expires(study) - time.time() > 1900


def test_whoever_is_placed_as_another_comes_after_it(study: optuna.Study) -> None:
    owned(study, dead(), dead(), host="elsewhere", place="cluster/1")
    owned(study, dead(), dead(), host="elsewhere", place="cluster/2")
    assert numbers(Claims(study, ME, place="cluster/2").free()) == [1]
    assert numbers(Claims(study, ME).free()) == []


def test_a_lease_covers_long_epochs(study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = study.ask()
    found = Claims(study, ME)
    found.mark(trial._trial_id)
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 3000)
    found.renew()
    owner = claims.owner_of(study.get_trials()[-1])
    assert owner is not None
    assert owner.expires - time.time() > 2.9 * 3000


def test_a_trial_is_given_up_at_the_third_death(study: optuna.Study) -> None:
    trial = study.ask()
    for how in ("first", "second", "third"):
        process = dead()
        owner = Owner(claims.host(), "boot", process, ME, 0.0)
        died = claims.deaths(study.get_trials()[0])
        trial.set_user_attr(claims.OWNER, owner.to_json() | {"deaths": died})
        given_up = claims.release(study, process, how)
        assert (len(given_up) == 1) == (how == "third")
    assert claims.deaths(given_up[0]) == ["first", "second", "third"]


def test_a_worker_that_ended_in_good_order_has_not_died_in_its_trial(study: optuna.Study) -> None:
    trial = study.ask()
    process = dead()
    trial.set_user_attr(claims.OWNER, Owner(claims.host(), "b", process, ME, 0.0).to_json())
    assert claims.release(study, process, None) == []
    assert claims.deaths(study.get_trials()[0]) == []
    assert claims.owner_of(study.get_trials()[0]) is None


def test_a_claim_keeps_the_deaths_before_it(study: optuna.Study) -> None:
    trial = study.ask()
    trial.set_user_attr(claims.OWNER, {"deaths": ["killed by SIGSEGV"]})
    Claims(study, ME).mark(trial._trial_id, {"deaths": ["killed by SIGSEGV"]})
    assert claims.deaths(study.get_trials()[0]) == ["killed by SIGSEGV"]
