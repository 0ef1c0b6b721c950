"""Who trains what. A running trial names its owner; it is taken up by another only when its owner is dead.

On one host the process decides: is it alive? Elsewhere a lease does, which its owner renews. Claims are made under
the study's lock (`storage.claim_lock`), so the same trial is not claimed twice and no budget is overdrawn.
"""

import os
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from study.records import OWNER

LEASE_SECONDS = 600.0
"""How long an owner on another host is believed to be alive without a word from it."""
LEASE_EPOCHS = 3
"""A lease covers at least so many of the longest epoch."""
MOST_DEATHS = 3
"""Workers that may die in a trial before it counts as failed."""


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
    """When the lease ends, seconds since 1970. Asked on other hosts only."""

    def is_dead(self) -> bool:
        """Whether nobody trains its trial any more, nor will release it."""
        if self.host != host():
            return time.time() > self.expires
        return self.boot != _boot() or not (self.process.is_alive() or self.supervisor.is_alive())

    def to_json(self) -> dict[str, Any]:
        """The owner as JSON values."""
        return {
            "host": self.host,
            "boot": self.boot,
            "process": [self.process.pid, self.process.started],
            "supervisor": [self.supervisor.pid, self.supervisor.started],
            "expires": self.expires,
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
        )


class Claims:
    """The running trials of an Optuna study.

    Args:
        study: Its study.
        supervisor: Who watches over this process.
    """

    def __init__(self, study: optuna.Study, supervisor: Process) -> None:
        self._study = study
        self._supervisor = supervisor
        self._me = Process.current()
        self._expires = 0.0
        self._heard = time.monotonic()
        self._longest = 0.0

    def free(self) -> list[FrozenTrial]:
        """Running trials that nobody trains, by number."""
        return list(filter(self.is_free, self._running()))

    def held(self) -> list[FrozenTrial]:
        """Running trials that another process trains."""
        return [trial for trial in self._running() if not self.is_free(trial)]

    def mark(self, trial: optuna.Trial) -> None:
        """Name this process as the owner of a trial; called under the lock, before the trial is trained."""
        self._heard, self._longest = time.monotonic(), 0.0
        self._write(trial)

    def hand_back(self, trial: optuna.Trial) -> None:
        """Let others take up a trial of one's own."""
        trial.set_user_attr(OWNER, {"deaths": deaths(trial)})

    def renew(self, trial: optuna.Trial) -> None:
        """Called after each epoch: prolongs the lease when a third of it is over."""
        now = time.monotonic()
        self._longest, self._heard = max(self._longest, now - self._heard), now
        if self._expires - time.time() < max(LEASE_SECONDS, LEASE_EPOCHS * self._longest) * 2 / 3:
            self._write(trial)

    def _write(self, trial: optuna.Trial) -> None:
        self._expires = time.time() + max(LEASE_SECONDS, LEASE_EPOCHS * self._longest)
        owner = Owner(host(), _boot(), self._me, self._supervisor, self._expires)
        trial.set_user_attr(OWNER, owner.to_json() | {"deaths": deaths(trial)})

    def _running(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def is_free(self, trial: FrozenTrial) -> bool:
        """Whether nobody trains a running trial."""
        owner = owner_of(trial)
        return owner is None or owner.process == self._me or owner.is_dead()


def owner_of(trial: FrozenTrial) -> Owner | None:
    """Who trains a trial; None where nobody has claimed it or its owner was found dead."""
    return owner_in(trial.user_attrs.get(OWNER, {}))


def owner_in(values: dict[str, Any]) -> Owner | None:
    """The same from the trial's attribute."""
    return Owner.from_json(values) if "process" in values else None


def deaths(trial: FrozenTrial | optuna.Trial) -> list[str]:
    """How the workers died that trained a trial while their supervisor lived."""
    return list(trial.user_attrs.get(OWNER, {}).get("deaths", []))


def release(study: optuna.Study, process: Process, how: str | None) -> list[FrozenTrial]:
    """Let others take up what a dead process of this host trained; called under the lock by its supervisor.

    `how` is how it died; None where it ended in good order.

    Returns:
        The trials in which so many have died that they are to be given up.
    """
    storage, given_up = study._storage, []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        owner = owner_of(trial)
        if owner is not None and owner.host == host() and owner.process == process:
            died = [*deaths(trial), *([how] if how else [])]
            storage.set_trial_user_attr(trial._trial_id, OWNER, {"deaths": died})
            if len(died) >= MOST_DEATHS:
                given_up.append(study.get_trials(deepcopy=False)[trial.number])
    return given_up


@cache
def host() -> str:
    """This machine, or the container that this is: one that shares the host's name has process numbers of its own."""
    try:
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))
