"""Who trains what. A running trial names its owner; it is taken up by another only when its owner is dead.

On one host the process decides: is it alive? Elsewhere a lease does, which its owner renews after each epoch. Claims
are made and ended under the study's lock (`storage.exclusively`), so the same trial is not claimed twice and no budget
is overdrawn. Whoever was only slow, and finds another in its place, has lost its trial and leaves it alone.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from study import queries
from study import storage as storage_room
from study.config import StudyConfig
from study.hosts import boot, host
from study.postgresql import Clock
from study.queries import Running, UnderWay
from study.records import OWNER

LEASE_EPOCHS = 3
"""A lease covers at least so many of the longest epoch."""
MOST_DEATHS = 3
"""Workers that may die in a trial before it counts as failed."""


class Lost(Exception):
    """Another has taken up this process's trial, which it had not heard of for longer than its lease."""


@dataclass(frozen=True)
class Process:
    """A process of this host."""

    pid: int
    started: float
    """When; tells it from a later process of the same number. On Linux ticks since the boot, which no clock moves."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process of a number.

        Raises:
            psutil.NoSuchProcess: there is none.
        """
        try:
            # Field 22 of proc(5)'s stat; the second is the command in parentheses. psutil tells it by the clock.
            return cls(pid, float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))
        except OSError:
            return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    @cache
    def current(cls) -> Self:
        """This one."""
        return cls.of(os.getpid())

    def is_alive(self) -> bool:
        """Whether it still runs."""
        try:
            return self == Process.of(self.pid) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@dataclass(frozen=True)
class Owner:
    """Who trains a trial."""

    host: str
    boot: str
    """Changes when the host starts anew: every process from before is dead."""
    process: Process
    supervisor: Process
    """Who replaces the process when it dies, and releases its trial; itself where nobody does."""
    expires: float
    """When the lease ends, seconds since 1970 (`storage.clock`). Asked on other hosts only."""
    lease: float = 0.0
    """How long it is, seconds."""
    place: str = ""
    """What a cluster has placed it as."""

    def is_dead(self, clock: Clock) -> bool:
        """Whether nobody trains its trial any more, nor will release it."""
        if self.host != host():
            # While the server was away nobody could renew a lease.
            return clock.now > max(self.expires, clock.began + self.lease)
        return self.boot != boot() or not (self.process.is_alive() or self.supervisor.is_alive())

    def to_json(self) -> dict[str, Any]:
        """The owner as JSON values."""
        return {
            "host": self.host,
            "boot": self.boot,
            "process": [self.process.pid, self.process.started],
            "supervisor": [self.supervisor.pid, self.supervisor.started],
            "expires": self.expires,
            "lease": self.lease,
            "place": self.place,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The owner that `to_json` wrote."""
        return cls(
            host=values["host"],
            boot=values["boot"],
            process=Process(*values["process"]),
            supervisor=Process(*values["supervisor"]),
            expires=values["expires"],
            lease=values.get("lease", 0.0),
            place=values.get("place", ""),
        )


class Claims:
    """The running trials of an Optuna study, and the one among them that this process trains.

    Args:
        study: Its study.
        supervisor: Who watches over this process.
        lease: Seconds that an owner elsewhere is believed to be alive without a word from it.
        place: What this process is placed as by a cluster, once at a time; empty where none does.
    """

    def __init__(
        self, study: optuna.Study, supervisor: Process, lease: float = StudyConfig.lease, place: str = ""
    ) -> None:
        self._storage = study._storage
        self._study_name = study.study_name
        self._supervisor = supervisor
        self._lease = lease
        self._place = place
        self._me = Process.current()
        self._trial_id = -1
        self._deaths: list[str] = []
        self._written = ""
        self._renewed = self._heard = self._longest = 0.0

    def under_way(self) -> UnderWay:
        """The study as it must be known to claim a trial of it."""
        return queries.under_way(self._storage, self._study_name)

    def free(self) -> list[Running]:
        """Running trials that nobody trains, by number."""
        return self.free_of(self.under_way().running)

    def held(self) -> list[Running]:
        """Running trials that another process trains."""
        running = self.under_way().running
        free = {trial.number for trial in self.free_of(running)}
        return [trial for trial in running if trial.number not in free]

    def free_of(self, running: Sequence[Any]) -> list[Any]:
        """Those of some running trials that nobody trains; the trials are Optuna's or `Running`."""
        owners = [(trial, owner_of(trial)) for trial in running]
        elsewhere = any(owner is not None and owner.host != host() for _, owner in owners)
        clock = storage_room.clock(self._storage) if elsewhere else Clock()
        return [trial for trial, owner in owners if owner is None or self._succeeds(owner) or owner.is_dead(clock)]

    def _succeeds(self, owner: Owner) -> bool:
        """Whether it was this process, or the one in whose place this one was put."""
        same = owner.host == host() and owner.process == self._me
        return same or (bool(self._place) and owner.place == self._place)

    def mark(self, trial_id: int, before: dict[str, Any] | None = None) -> None:
        """Name this process as the owner of a trial; called under the lock, before the trial is trained.

        Args:
            trial_id: The storage's number for it.
            before: Its attribute so far.
        """
        self._trial_id, self._deaths = trial_id, list((before or {}).get("deaths", []))
        self._heard, self._longest = time.monotonic(), 0.0
        last = owner_in(before or {})
        if last is not None and last.host != host():
            # Its lease ran out, perhaps because its epochs are longer: the next one shall not lose it the same way.
            self._longest = 2 * last.lease / LEASE_EPOCHS
        owner = self._owner()
        self._storage.set_trial_user_attr(trial_id, OWNER, owner)
        self._written, self._renewed = json.dumps(owner), self._heard

    def hand_back(self) -> None:
        """Let others take up the trial.

        Raises:
            Lost: it is not this process's any more.
        """
        self._replace({"deaths": self._deaths})

    def renew(self) -> None:
        """Prolong the lease; called after each epoch.

        Raises:
            Lost: another has taken up the trial.
        """
        self._longest = max(self._longest, time.monotonic() - self._heard)
        self._replace(self._owner())
        self.waited()

    def waited(self) -> None:
        """What has passed since the last epoch was no training."""
        self._heard = time.monotonic()

    def keep(self) -> None:
        """Renew the lease where a third of it is over; called where one waits, and before a file is written.

        Raises:
            Lost: as `renew`.
        """
        if time.monotonic() - self._renewed > self._lease / 3:
            self._replace(self._owner())

    def ends(self) -> bool:
        """Called under the lock, before the trial is ended: False where it has ended already, and the answer to that
        was lost on its way.

        Raises:
            Lost: another has taken up the trial.
        """
        self._replace(json.loads(self._written))
        return self._storage.get_trial(self._trial_id).state == TrialState.RUNNING

    def _owner(self) -> dict[str, Any]:
        lease = max(self._lease, LEASE_EPOCHS * self._longest)
        expires = storage_room.clock(self._storage).now + lease
        owner = Owner(host(), boot(), self._me, self._supervisor, expires, lease, self._place)
        return owner.to_json() | {"deaths": self._deaths}

    def _replace(self, owner: dict[str, Any]) -> None:
        """In one step, for another may do the same."""
        written, began = json.dumps(owner), time.monotonic()
        if not queries.replace_attribute(self._storage, self._trial_id, OWNER, self._written, written):
            raise Lost
        self._written, self._renewed = written, began
        if "process" in owner and time.monotonic() - began > self._lease / 3:
            self._replace(self._owner())  # the server was away meanwhile


def owner_of(trial: FrozenTrial | Running) -> Owner | None:
    """Who trains a trial; None where nobody has claimed it or its owner was found dead."""
    return owner_in(trial.owner if isinstance(trial, Running) else trial.user_attrs.get(OWNER, {}))


def owner_in(values: dict[str, Any]) -> Owner | None:
    """The same from the trial's attribute."""
    return Owner.from_json(values) if "process" in values else None


def deaths(trial: FrozenTrial) -> list[str]:
    """How the workers died that trained a trial while their supervisor lived."""
    return list(trial.user_attrs.get(OWNER, {}).get("deaths", []))


def release(study: optuna.Study, process: Process, how: str | None) -> list[FrozenTrial]:
    """Let others take up what a dead process of this host trained; called under the lock by its supervisor.

    `how` is how it died; None where it ended in good order.

    Returns:
        The trials in which so many have died that they are to be given up.
    """
    storage, given_up = study._storage, []
    for trial in queries.under_way(storage, study.study_name).running:
        owner, died = owner_of(trial), trial.owner.get("deaths", [])
        if owner is not None and owner.host == host() and owner.process == process:
            died = [*died, *([how] if how else [])]
            storage.set_trial_user_attr(trial.trial_id, OWNER, {"deaths": died})
            owner = None
        if owner is None and len(died) >= MOST_DEATHS:
            given_up.append(storage.get_trial(trial.trial_id))
    return given_up
