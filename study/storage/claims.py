"""Who trains which trial. A running trial names its owner; another process takes it up only when its owner is dead.

On one machine the process decides: is it alive? On other machines a lease decides, which the owner renews after each
epoch. Where all processes share one file they are on one machine, whatever that or its containers are called.
Claims are made and ended under the study's lock (`StoredStudy.exclusively`), so no trial is claimed twice and no budget
is exceeded. A process that was only slow, and finds another in its place, has lost its trial and leaves it alone.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from optuna.trial import TrialState

from study.config import Resources
from study.records import OWNER
from study.storage import queries
from study.storage.database import Clock
from study.storage.presence import Presence
from study.storage.queries import Running, UnderWay
from study.storage.store import Store
from study.system.processes import Host, Life, Process, boot, host

LEASE_EPOCHS = 3
"""A lease covers at least so many of the longest epoch."""
MOST_DEATHS = 3
"""Workers that may die in a trial before it counts as failed."""
MOST_ENDINGS = 10
"""Processes in a row that may end in a trial before it has finished an epoch, where nobody watches over them. They are
more, for somebody may have killed each of them: a trial must not fail by that."""


class OwnershipLost(Exception):
    """Another process has taken up this one's trial, whose lease had run out."""


@dataclass(frozen=True)
class Owner:
    """Who trains a trial."""

    host: Host
    boot: str
    """Changes when the machine restarts: every process from before is dead."""
    process: Process
    supervisor: Process
    """Who replaces the process when it dies, and releases its trial; itself where nobody does."""
    expires: float
    """When the lease ends, seconds since 1970 (`Store.clock`). Only other machines ask."""
    lease: float = 0.0
    """How long it is, seconds."""
    least: float = 0.0
    """What its epochs need, seconds: no shorter lease counts."""
    place: str = ""
    """What a cluster has placed it as."""

    def life(self, presence: Presence | None) -> Life:
        """What is known of the process that trains its trial or, if it is dead, of the one that would release it.

        Args:
            presence: Of a database whose processes are all on this machine; None for a server's.
        """
        here, is_one_machine = host(), presence is not None
        if self.boot != boot():
            restarted = self.host.resembles(here) if is_one_machine else self.host == here
            return Life.DEAD if restarted else Life.UNKNOWN
        # Copies of a virtual machine may have the boot and the installation, but not the name in common.
        is_listed = self.host.namespace == here.namespace if is_one_machine else self.host == here
        if is_listed and (life := self._listed()) is not Life.DEAD:
            return life
        shown = None if presence is None else self._shown(presence)
        if shown is None:
            return Life.DEAD if is_listed else Life.UNKNOWN
        return Life.ALIVE if shown else Life.DEAD

    def is_dead(self, clock: Clock, presence: Presence | None = None, lease: float = math.inf) -> bool:
        """Whether nobody trains its trial any more or will release it.

        Args:
            clock: Of the database.
            presence: As of `life`.
            lease: What was given here, seconds; the shorter one counts.
        """
        return self.has_lost(self.life(presence), clock, lease)

    def has_lost(self, life: Life, clock: Clock, lease: float) -> bool:
        """The same where its `life` is known."""
        return life is Life.DEAD or (life is Life.UNKNOWN and clock.now > self.until(clock, lease))

    def until(self, clock: Clock, lease: float) -> float:
        """When it loses its trial unless it is heard of before, seconds since 1970."""
        # While the server was away nobody could renew a lease.
        return max(self.heard, clock.began) + self.term(lease)

    def term(self, lease: float) -> float:
        """How long its lease is where another one was given, seconds: the shorter one counts."""
        return min(self.lease, max(lease, self.least))

    @property
    def heard(self) -> float:
        """When it was last heard of, seconds since 1970."""
        return self.expires - self.lease

    def is_of_this_host(self) -> bool:
        """Whether its process is one of this host, which may have been given another name meanwhile."""
        return self.host == host() or (self.boot == boot() and self.host.namespace == host().namespace)

    def _listed(self) -> Life:
        """What the process table says."""
        life = self.process.life()
        return self.supervisor.life() if life is Life.DEAD else life

    def _shown(self, presence: Presence) -> bool | None:
        """What the signs of life say."""
        shown = {presence.shows(self.host.namespace, each) for each in (self.process, self.supervisor)}
        return True if True in shown else None if None in shown else False

    def to_json(self) -> dict[str, Any]:
        """The owner as JSON values."""
        return {
            "host": list(self.host),
            "boot": self.boot,
            "process": [self.process.pid, self.process.started],
            "supervisor": [self.supervisor.pid, self.supervisor.started],
            "expires": self.expires,
            "lease": self.lease,
            "least": self.least,
            "place": self.place,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The owner that `to_json` wrote."""
        return cls(
            host=Host(*values["host"]) if isinstance(values["host"], list) else Host(values["host"]),
            boot=values["boot"],
            process=Process(*values["process"]),
            supervisor=Process(*values["supervisor"]),
            expires=values["expires"],
            lease=values.get("lease", 0.0),
            least=values.get("least", 0.0),
            place=values.get("place", ""),
        )


class Claims:
    """The running trials of an Optuna study, and the one among them that this process trains.

    Args:
        store: Where the study is stored.
        study_name: Of the Optuna study.
        supervisor: Who watches over this process.
        lease: Seconds for which an owner on another machine counts as alive without news from it.
        place: What a cluster has placed this process as; only one process at a time has a place. Empty without one.
    """

    def __init__(
        self, store: Store, study_name: str, supervisor: Process, lease: float = Resources.lease, place: str = ""
    ) -> None:
        self._store = store
        self._study_name = study_name
        self._supervisor = supervisor
        self._lease = lease
        self._place = place
        self._me = Process.current()
        self._trial_id = -1
        self._deaths: list[str] = []
        self.endings = 0
        """Processes that have ended in the trial since its last finished epoch, one after the other."""
        self._written = ""
        self._renewed = self._heard = self._longest = self._doubled = 0.0

    def under_way(self) -> UnderWay:
        """What must be known of the study to claim one of its trials.

        Raises:
            StudyFailure: another tool has deleted it.
        """
        found = queries.under_way(self._store, self._study_name)
        if not found.is_there:
            self._store.refuse_loss(self._study_name.partition("/")[0])
        return found

    def held(self) -> list[Running]:
        """Running trials that another process trains."""
        running = self.under_way().running
        free = {trial.number for trial in self.free_of(running)}
        return [trial for trial in running if trial.number not in free]

    def free_of(self, running: Sequence[Running]) -> list[Running]:
        """Those of some running trials that nobody trains."""
        presence = self._store.presence
        owners = [(trial, owner_in(trial.owner)) for trial in running]
        known = [(trial, owner, owner.life(presence)) for trial, owner in owners if owner and not self._succeeds(owner)]
        unseen = any(life is Life.UNKNOWN for _, _, life in known)
        clock = self._store.clock() if unseen else Clock()
        held = {trial.number for trial, owner, life in known if not owner.has_lost(life, clock, self._lease)}
        return [trial for trial in running if trial.number not in held]

    def _succeeds(self, owner: Owner) -> bool:
        """Whether the owner was this process, or the one in whose place this one was put."""
        same = owner.host == host() and owner.process == self._me
        return same or (bool(self._place) and owner.place == self._place)

    def mark(self, trial_id: int, before: dict[str, Any] | None = None) -> None:
        """Name this process as the owner of a trial. Call it under the lock, before the trial is trained.

        Args:
            trial_id: The storage's identifier of the trial.
            before: The trial's owner attribute so far.
        """
        self._trial_id, self._deaths = trial_id, deaths_in(before or {})
        self._heard, self._longest, self._doubled = time.monotonic(), 0.0, 0.0
        last = owner_in(before or {})
        ended_here = last is not None and last.boot == boot() and not self._succeeds(last)
        self.endings = (before or {}).get("endings", 0) + 1 if ended_here else 0
        if last is not None and last.life(self._store.presence) is Life.UNKNOWN:
            # Its lease ran out, perhaps because its epochs are longer: the next owner must not lose it the same way.
            self._doubled = 2 * last.term(self._lease)
        if self._store.presence is not None:
            self._store.presence.show()
        owner = self._owner()
        self._store.storage.set_trial_user_attr(trial_id, OWNER, owner)
        self._written, self._renewed = json.dumps(owner), self._heard

    def hand_back(self) -> None:
        """Let others take up the trial.

        Raises:
            OwnershipLost: it is not this process's any more.
        """
        self._replace({"deaths": self._deaths})

    def renew(self) -> None:
        """Prolong the lease; called after each epoch.

        Raises:
            OwnershipLost: another process has taken up the trial.
        """
        self._longest, self.endings = max(self._longest, time.monotonic() - self._heard), 0
        self._replace(self._owner())
        self.waited()

    def waited(self) -> None:
        """What has passed since the last epoch was not training."""
        self._heard = time.monotonic()

    def renew_if_due(self) -> None:
        """Renew the lease when a third of it is over; called while this process waits, and before a file is written.

        Raises:
            OwnershipLost: as `renew`.
        """
        if time.monotonic() - self._renewed > self._lease / 3:
            self._replace(self._owner())

    def confirm_ownership(self) -> bool:
        """Called under the lock, before the trial is ended. False where it has ended already, and the answer to that
        was lost on its way.

        Raises:
            OwnershipLost: another process has taken up the trial.
        """
        self._replace(json.loads(self._written))
        return self._store.storage.get_trial(self._trial_id).state == TrialState.RUNNING

    def _owner(self) -> dict[str, Any]:
        least = LEASE_EPOCHS * self._longest
        lease = max(self._lease, least, self._doubled)
        expires = self._store.clock().now + lease
        owner = Owner(host(), boot(), self._me, self._supervisor, expires, lease, least, self._place)
        return owner.to_json() | {"deaths": self._deaths, "endings": self.endings}

    def _replace(self, owner: dict[str, Any]) -> None:
        """In one step, for another process may do the same."""
        written, began = json.dumps(owner), time.monotonic()
        if not queries.replace_attribute(self._store, self._trial_id, OWNER, self._written, written):
            raise OwnershipLost
        self._written, self._renewed = written, began
        if "process" in owner and time.monotonic() - began > self._lease / 3:
            self._replace(self._owner())  # the server was away meanwhile


def owner_in(attribute: dict[str, Any]) -> Owner | None:
    """Who trains a trial, by its owner attribute; None where nobody has claimed it or its owner was found dead."""
    return Owner.from_json(attribute) if "process" in attribute else None


def deaths_in(attribute: dict[str, Any]) -> list[str]:
    """How the workers died that trained a trial while their supervisor lived, by its owner attribute."""
    return list(attribute.get("deaths", []))


def owned_by(store: Store, study_name: str, process: Process) -> list[Running]:
    """The running trials of a process of this host."""
    return [trial for trial in queries.under_way(store, study_name).running if _is_owned_by(trial, process)]


def _is_owned_by(trial: Running, process: Process) -> bool:
    owner = owner_in(trial.owner)
    return owner is not None and owner.process == process and owner.is_of_this_host()


def release(store: Store, study_name: str, process: Process, how: str | None) -> list[Running]:
    """Let others take up what a dead process of this host trained. Its supervisor calls it, under the lock.

    Args:
        store: Where the study is stored.
        study_name: Of the Optuna study.
        process: That died.
        how: How it died; None where it ended in good order.

    Returns:
        The trials in which so many workers have died that they are given up.
    """
    given_up = []
    for trial in queries.under_way(store, study_name).running:
        owner, deaths = owner_in(trial.owner), deaths_in(trial.owner)
        if _is_owned_by(trial, process):
            deaths = [*deaths, how] if how else deaths
            store.storage.set_trial_user_attr(trial.trial_id, OWNER, {"deaths": deaths})
            owner = None
        if owner is None and len(deaths) >= MOST_DEATHS:
            given_up.append(Running(trial.number, trial.trial_id, {"deaths": deaths}))
    return given_up


def take_over(store: Store, study_name: str) -> list[Running]:
    """Let others take up every running trial, although its owner may be alive: the user says that nobody trains. A
    process that does train finds that the trial is not its own any more. Called under the lock.

    Returns:
        The trials that had an owner.
    """
    taken = []
    for trial in queries.under_way(store, study_name).running:
        if owner_in(trial.owner) is not None:
            store.storage.set_trial_user_attr(trial.trial_id, OWNER, {"deaths": deaths_in(trial.owner)})
            taken.append(trial)
    return taken
