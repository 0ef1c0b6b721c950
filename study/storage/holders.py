"""Who holds the trials that a process waits for, in words."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from study.storage import queries
from study.storage.claims import Owner, owner_in
from study.storage.database import Clock
from study.storage.store import StoredStudy
from study.system.processes import Life, Process

LOOK_SECONDS = 1.0
"""Between two looks."""
MOST_NAMED = 3


class Holder(NamedTuple):
    """Who holds a trial."""

    trial: str
    owner: Owner
    life: Life

    @property
    def key(self) -> tuple[object, ...]:
        """What stays the same while it trains one trial after the other."""
        return self.owner.process, self.owner.host, self.owner.boot, self.life


class Holders:
    """The owners of a study's running trials, as far as they do not belong to the same command.

    Args:
        study: Whose.
        supervisor: Of this command's processes.
        place: What a cluster has placed this process as; empty without one.
        lease: That was given here, seconds.
    """

    def __init__(self, study: StoredStudy, supervisor: Process, place: str, lease: float) -> None:
        self._study = study
        self._supervisor = supervisor
        self._session = place.rpartition("/")[0]
        self._lease = lease
        self._named: set[tuple[object, ...]] = set()
        self._looked = -LOOK_SECONDS

    def news(self) -> str | None:
        """A line on those that were not named before; None where there are none."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return None
        self._looked = time.monotonic()
        others = [each for each in self._others() if each.key not in self._named]
        if not others:
            return None
        clock = self._study.store.clock()
        new = [each for each in others if not each.owner.has_lost(each.life, clock, self._lease)]
        if not new:
            return None
        self._named |= {each.key for each in new}
        named = [self._words(each, clock) for each in new[:MOST_NAMED]]
        more = [f"{len(new) - MOST_NAMED} more"] if len(new) > MOST_NAMED else []
        line = f"waiting for {'; '.join(named + more)}"
        if all(each.life is Life.ALIVE and each.owner.is_of_this_host() for each in new):
            return line
        return f"{line}; where nobody trains any more, 'study resume {self._study.name} --take-over' goes on at once"

    def _others(self) -> Iterator[Holder]:
        store, definition = self._study.store, self._study.definition
        for part in definition.parts:
            for trial in queries.under_way(store, definition.study_name(part)).running:
                owner = owner_in(trial.owner)
                if owner is not None and not self._is_ours(owner):
                    yield Holder(f"{part} trial {trial.number}", owner, owner.life(store.presence))

    def _is_ours(self, owner: Owner) -> bool:
        placed_together = bool(self._session) and owner.place.rpartition("/")[0] == self._session
        return placed_together or (owner.supervisor == self._supervisor and owner.is_of_this_host())

    def _words(self, holder: Holder, clock: Clock) -> str:
        trial, owner, life = holder
        pids = dict.fromkeys((owner.process.pid, owner.supervisor.pid))
        who = f"process {owner.process.pid}" if len(pids) == 1 else "process {} of command {}".format(*pids)
        if not owner.is_of_this_host():
            who += f" on {owner.host.name}"
        if life is Life.STOPPED:
            return f"{trial}: {who} holds it and is stopped, 'kill -CONT {' '.join(map(str, pids))}' lets it go on"
        if life is Life.ALIVE:
            return f"{trial}: {who} trains it"
        left = owner.until(clock, self._lease) - clock.now
        at = time.strftime("%H:%M:%S", time.localtime(time.time() + left))
        silent = max(clock.now - owner.heard, 0.0)
        return f"{trial}: {who} holds it, silent for {silent:.0f} s, and loses it in {left:.0f} s, at {at}"
