"""Who may train what."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import containers
import optuna
import pytest

from study.errors import StudyFailure
from study.storage import claims, queries
from study.storage.claims import Claims, Owner, OwnershipLost
from study.storage.database import Clock
from study.storage.presence import Presence
from study.storage.queries import Running
from study.storage.store import Store
from study.system.processes import Host, Life, Process, boot, host

ME = Process.current()
ELSEWHERE = {"host": Host("elsewhere", "pid:[1]", "another system"), "boot": "another boot"}
"""Of an owner that only its lease can tell of."""


class Trials:
    """The trials of an Optuna study."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.study = optuna.create_study(storage=store.storage, study_name="a")
        self.claims = partial(Claims, store, "a", ME)
        self.release = partial(claims.release, store, "a")

    def start(self, attribute: dict[str, Any] | None = None) -> int:
        """A new running trial's identifier; `attribute` names its owner."""
        self.study.ask()
        trial_id = self.newest().trial_id
        if attribute is not None:
            self.store.storage.set_trial_user_attr(trial_id, claims.OWNER, attribute)
        return trial_id

    def newest(self) -> Running:
        """The running trial with the largest number."""
        return queries.under_way(self.store, "a").running[-1]

    def owned(self, process: Process, supervisor: Process, **changes: Any) -> None:
        """A running trial with such an owner."""
        self.claims().mark(self.start())
        owner = dataclasses.replace(self.owner(), process=process, supervisor=supervisor, **changes)
        self.store.storage.set_trial_user_attr(self.newest().trial_id, claims.OWNER, owner.to_json())

    def owner(self) -> Owner:
        """The owner of the newest trial."""
        owner = claims.owner_in(self.newest().owner)
        assert owner is not None
        return owner

    def free(self, own: Claims | None = None) -> list[int]:
        """The numbers of the running trials that nobody trains."""
        own = own or self.claims()
        return [trial.number for trial in own.free_of(own.under_way().running)]

    def held(self, own: Claims | None = None) -> list[int]:
        """The numbers of the running trials that another process trains."""
        return [trial.number for trial in (own or self.claims()).held()]


@pytest.fixture
def trials(store: Store) -> Trials:
    return Trials(store)


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


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time have passed."""
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + seconds)


def test_an_owner_both_ways() -> None:
    owner = Owner(Host("here", "pid:[1]", "system"), "boot", ME, ME, 1.5, 2.5, 3.5, "place")
    assert Owner.from_json(owner.to_json()) == owner


def test_a_trial_that_nobody_has_claimed_is_free(trials: Trials) -> None:
    trials.start()
    assert trials.free() == [0]


def test_a_live_owner_keeps_its_trial_and_a_dead_one_does_not(trials: Trials, other: Process) -> None:
    trials.owned(other, other)
    trials.owned(dead(), dead())
    trials.owned(ME, ME)
    assert (trials.free(), trials.held()) == ([1, 2], [0])


def test_what_a_dead_worker_trained_waits_for_its_supervisor(trials: Trials, other: Process) -> None:
    process = dead()
    trials.owned(process, other)
    assert trials.held() == [0]
    assert trials.release(process, "killed by SIGKILL") == []
    assert trials.free() == [0]


def test_a_host_that_was_started_anew_has_none_of_its_processes(trials: Trials) -> None:
    trials.owned(Process.of(1), ME, boot="before")
    assert trials.free() == [0]


@pytest.mark.parametrize(
    "renamed, free",
    [
        ({"host": host()._replace(name="renamed")}, True),
        ({"host": Host(host().name, "pid:[1]"), "boot": "before"}, True),
        ({"host": Host("renamed", "pid:[1]", "a system"), "boot": "before"}, False),
    ],
    ids=["renamed", "restarted", "another machine"],
)
def test_on_a_file_it_is_the_machine_that_counts_and_not_its_name(
    trials: Trials, other: Process, renamed: dict[str, Any], free: bool
) -> None:
    trials.owned(dead(), dead(), **renamed, expires=time.time() + 600)
    assert trials.free() == ([0] if free else [])
    if "boot" not in renamed:
        trials.owned(other, other, **renamed)
        assert trials.held() == [1]


def test_a_machine_that_was_restarted_under_another_name_is_known_by_its_installation(trials: Trials) -> None:
    if not host().installation:
        pytest.skip("this machine has no /etc/machine-id")
    trials.owned(ME, ME, host=Host("before", "pid:[1]", host().installation), boot="before", expires=time.time() + 600)
    assert trials.free(Claims(trials.store, "a", Process(1, 0.0))) == [0]


def test_on_a_server_a_name_counts_since_copies_of_a_machine_have_all_else_in_common(trials: Trials) -> None:
    """A virtual machine and its copy run on one server: what is dead here may be alive there."""
    trials.owned(dead(), dead(), host=host()._replace(name="copy"), expires=1000.0, lease=600.0)
    owner = trials.owner()
    assert owner.life(None) is Life.UNKNOWN
    assert not owner.is_dead(Clock(999.0))
    assert owner.is_dead(Clock(1001.0))
    here = dataclasses.replace(owner, host=host())
    assert here.life(None) is Life.DEAD
    assert dataclasses.replace(here, boot="before", process=ME).life(None) is Life.DEAD


HOLD = """
import sys, time
from pathlib import Path
from study.storage import queries
from study.storage.address import Address
from study.storage.claims import Claims
from study.storage.store import Store
from study.system.processes import Process
store = Store.open(Address.of(Path(sys.argv[1])))
claims = Claims(store, "a", Process.current())
claims.mark(queries.under_way(store, "a").running[-1].trial_id)
print("held", flush=True)
input()
"""


def test_a_process_of_a_container_holds_its_trial_until_it_dies(trials: Trials) -> None:
    containers.need()
    trials.start()
    process = containers.start(containers.words("pod-a"), trials.store.home, "-c", HOLD, str(trials.store.home))
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    owner = trials.owner()
    assert (owner.host.name, owner.boot, owner.host.namespace != host().namespace) == ("pod-a", boot(), True)
    assert owner.life(trials.store.presence) is Life.ALIVE
    assert trials.held() == [0]
    containers.kill(process)
    assert owner.life(trials.store.presence) is Life.DEAD
    assert trials.free() == [0]


def test_a_container_of_which_nothing_is_known_keeps_its_lease(trials: Trials, tmp_path: Path) -> None:
    trials.owned(dead(), dead(), host=Host("pod", "pid:[1]"), expires=time.time() + 600)
    (tmp_path / "study.processes").unlink()
    assert trials.owner().life(Presence(tmp_path / "study.processes", None)) is Life.UNKNOWN


def test_a_stopped_process_keeps_its_trial(trials: Trials, other: Process) -> None:
    trials.owned(other, other)
    os.kill(other.pid, signal.SIGSTOP)
    while other.life() is Life.ALIVE:
        time.sleep(0.01)
    assert trials.owner().life(trials.store.presence) is Life.STOPPED
    assert trials.held() == [0]
    os.kill(other.pid, signal.SIGCONT)


def test_the_shorter_lease_counts_but_none_that_is_shorter_than_the_epochs(trials: Trials) -> None:
    """A person who gives one at a resume means also the trials that are under way then."""
    now = time.time()
    trials.owned(dead(), dead(), **ELSEWHERE, expires=now + 570, lease=600.0)  # it was heard of 30 s ago
    assert trials.free(trials.claims(lease=3600)) == []
    assert trials.free(trials.claims(lease=31)) == []
    assert trials.free(trials.claims(lease=29)) == [0]
    trials.owned(dead(), dead(), **ELSEWHERE, expires=now + 570, lease=600.0, least=60.0)
    assert trials.free(trials.claims(lease=1)) == [0]  # its epochs take up to 20 s
    found = trials.claims(lease=5)
    free, _ = found.under_way().running
    found.mark(free.trial_id, free.owner)
    assert claims.Owner.from_json(found.under_way().running[0].owner).lease == 10  # twice what ran out


def test_who_knows_that_nobody_trains_takes_everything(trials: Trials, other: Process) -> None:
    mine = trials.claims()
    mine.mark(trials.start())
    trials.owned(other, other)
    trials.owned(dead(), dead(), **ELSEWHERE, expires=time.time() + 600)
    trials.start({"deaths": ["killed by SIGSEGV"]})
    assert [each.number for each in claims.take_over(trials.store, "a")] == [0, 1, 2]
    assert trials.free(Claims(trials.store, "a", Process(1, 0.0))) == [0, 1, 2, 3]
    assert claims.deaths_in(trials.newest().owner) == ["killed by SIGSEGV"]
    with pytest.raises(OwnershipLost):
        mine.renew()


def test_a_machine_that_is_renamed_meanwhile_still_releases_its_workers_trial(trials: Trials) -> None:
    process = dead()
    trials.owned(process, ME, host=host()._replace(name="before"))
    trials.owned(process, ME, host=host()._replace(namespace="pid:[1]"))
    assert trials.release(process, "killed by SIGKILL") == []
    owners = [claims.owner_in(trial.owner) for trial in trials.claims().under_way().running]
    assert [owner is None for owner in owners] == [True, False]


def test_an_owner_that_an_earlier_version_stored_has_its_lease(trials: Trials) -> None:
    trials.owned(dead(), dead(), **ELSEWHERE)
    stored = trials.owner().to_json() | {"host": "pod pid:[4026531836] 3d1219c7"}
    trial = trials.newest()
    trials.store.storage.set_trial_user_attr(trial.trial_id, claims.OWNER, stored)
    assert trials.held() == [0]


def test_a_study_that_is_gone_ends_the_work_on_it(trials: Trials) -> None:
    found = trials.claims()
    optuna.delete_study(study_name="a", storage=trials.store.storage)
    with pytest.raises(StudyFailure, match="another tool deleted the study 'a'"):
        found.under_way()


def test_on_another_machine_the_lease_decides(trials: Trials) -> None:
    trials.owned(ME, ME, **ELSEWHERE, expires=time.time() - 1)
    trials.owned(dead(), dead(), **ELSEWHERE, expires=time.time() + 60)
    assert trials.held(Claims(trials.store, "a", Process(1, 0.0))) == [1]


def test_a_lease_is_renewed_with_each_epoch(trials: Trials) -> None:
    found = trials.claims()
    found.mark(trials.start())
    first = trials.owner().expires
    found.renew_if_due()
    assert trials.owner().expires == first  # there is time yet
    found.renew()
    assert trials.owner().expires > first


def test_a_process_that_waits_keeps_its_lease(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trials.claims(lease=90)
    found.mark(trials.start())
    first = trials.owner().expires
    later(monkeypatch, 31)
    found.renew_if_due()
    assert trials.owner().expires > first


def test_a_trial_that_another_has_taken_up_is_lost(trials: Trials) -> None:
    trial_id = trials.start()
    slow, other = trials.claims(), trials.claims()
    slow.mark(trial_id)
    assert slow.confirm_ownership()
    other.mark(trial_id)
    for act in (slow.confirm_ownership, slow.renew, slow.hand_back):
        with pytest.raises(OwnershipLost):
            act()
    assert other.confirm_ownership()


def test_a_trial_that_has_ended_is_not_ended_again(trials: Trials) -> None:
    """Its end was stored, and the answer was lost on its way."""
    found = trials.claims()
    found.mark(trials.start())
    trials.study.tell(0, 0.5)
    assert not found.confirm_ownership()


def test_a_server_that_was_away_has_cost_nobody_its_lease() -> None:
    owner = Owner(Host("elsewhere"), "boot", ME, ME, expires=1000.0, lease=60.0)
    assert owner.is_dead(Clock(1001.0))
    assert not owner.is_dead(Clock(2030.0, began=2000.0))
    assert owner.is_dead(Clock(2061.0, began=2000.0))


def test_waiting_is_no_epoch(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trials.claims(lease=10)
    found.mark(trials.start())
    later(monkeypatch, 3000)
    found.waited()
    found.renew()
    assert trials.owner().expires - time.time() < 60


def test_a_release_that_was_interrupted_is_done_again(trials: Trials) -> None:
    """The third death was stored, and the connection lost before the trial was given up."""
    trials.start({"deaths": ["first", "second", "third"]})
    assert [each.number for each in trials.release(dead(), "fourth")] == [0]


def test_a_lease_that_ran_out_elsewhere_is_doubled(trials: Trials) -> None:
    """Epochs longer than the lease would cost one worker after the other its trial."""
    trials.owned(dead(), dead(), **ELSEWHERE, expires=time.time() - 1, lease=1000.0)
    found = trials.claims(lease=1000)
    [free] = found.free_of(found.under_way().running)
    found.mark(free.trial_id, free.owner)
    assert trials.owner().expires - time.time() > 1900
    assert trials.owner().least == 0  # no epoch has shown that it needs so much


def test_a_process_that_is_placed_as_another_takes_its_place(trials: Trials) -> None:
    trials.owned(dead(), dead(), **ELSEWHERE, place="cluster/1")
    trials.owned(dead(), dead(), **ELSEWHERE, place="cluster/2")
    assert trials.free(trials.claims(place="cluster/2")) == [1]
    assert trials.free() == []


def test_a_lease_covers_long_epochs(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trials.claims()
    found.mark(trials.start())
    later(monkeypatch, 3000)
    found.renew()
    assert trials.owner().expires - time.time() > 2.9 * 3000


def test_a_trial_is_given_up_at_the_third_death(trials: Trials) -> None:
    trials.start()
    for how in ("first", "second", "third"):
        process = dead()
        owner = Owner(host(), "boot", process, ME, 0.0)
        trial = trials.newest()
        attribute = owner.to_json() | {"deaths": claims.deaths_in(trial.owner)}
        trials.store.storage.set_trial_user_attr(trial.trial_id, claims.OWNER, attribute)
        given_up = trials.release(process, how)
        assert (len(given_up) == 1) == (how == "third")
    assert claims.deaths_in(given_up[0].owner) == ["first", "second", "third"]
    assert claims.deaths_in(trials.newest().owner) == ["first", "second", "third"]


def test_a_worker_that_ended_in_good_order_has_not_died_in_its_trial(trials: Trials) -> None:
    process = dead()
    trials.start(Owner(host(), "b", process, ME, 0.0).to_json())
    assert trials.release(process, None) == []
    assert claims.deaths_in(trials.newest().owner) == []
    assert claims.owner_in(trials.newest().owner) is None


def test_a_claim_keeps_the_deaths_before_it(trials: Trials) -> None:
    trial_id = trials.start({"deaths": ["killed by SIGSEGV"]})
    trials.claims().mark(trial_id, {"deaths": ["killed by SIGSEGV"]})
    assert claims.deaths_in(trials.newest().owner) == ["killed by SIGSEGV"]
