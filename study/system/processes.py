"""Identifies this machine, its current run since the last boot, and its processes, even when a PID is used again."""

import hashlib
import os
import platform
import re
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

import psutil

MACHINE_ID = re.compile("[0-9a-f]{32}")
"""An image from which containers or machines are made may say "uninitialized" instead."""


class Host(NamedTuple):
    """Where processes have their numbers: a machine, or a container on one."""

    name: str
    """Of the network; it may change at any time."""
    namespace: str = ""
    """Of the process numbers: a container has its own. Empty where the system has no namespaces."""
    installation: str = ""
    """The ID of the installed system (machine-id(5)); empty where it has none."""

    def resembles(self, other: "Host") -> bool:
        """Whether both have the name or the installed system of one machine."""
        return self.name == other.name or bool(self.installation and self.installation == other.installation)


@cache
def host() -> Host:
    """Where this process has its number."""
    namespace = installation = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    with suppress(OSError):
        found = Path("/etc/machine-id").read_text().strip()
        installation = found if MACHINE_ID.fullmatch(found) else ""
    return Host(platform.node(), namespace, installation)


@cache
def short_host() -> str:
    """A hash that can be part of a file's name: 8 hexadecimal digits, the same when a machine is renamed."""
    _, namespace, installation = found = host()
    identity = f"{namespace} {installation}" if installation else " ".join(found)
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


@cache
def boot() -> str:
    """Identifies the current run of this machine: it changes with every reboot, and containers share it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))


class Life(Enum):
    """What is known of a process."""

    ALIVE = "it runs"
    STOPPED = "it was stopped, by Ctrl-Z for example, and may go on"
    DEAD = "it has ended"
    UNKNOWN = "it cannot be seen from here"


@dataclass(frozen=True)
class Process:
    """A process of this host."""

    pid: int
    started: float
    """When it started: on Linux in clock ticks since the boot, which no change of the clock moves."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process of that number; raises `psutil.NoSuchProcess` where there is none."""
        try:
            # Field 22 of proc(5)'s stat; the second field is the command in parentheses. psutil would use the clock.
            return cls(pid, float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]))
        except OSError:
            return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    @cache
    def current(cls) -> Self:
        """This process."""
        return cls.of(os.getpid())

    def life(self) -> Life:
        """What the process table says of it."""
        try:
            status = psutil.Process(self.pid).status() if self == Process.of(self.pid) else psutil.STATUS_DEAD
        except psutil.NoSuchProcess:
            return Life.DEAD
        except psutil.AccessDenied:
            return Life.ALIVE
        if status == psutil.STATUS_STOPPED:
            return Life.STOPPED
        return Life.DEAD if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else Life.ALIVE

    def is_alive(self) -> bool:
        """Whether it still runs, or may go on."""
        return self.life() is not Life.DEAD


def worker() -> str:
    """What records call this process: host and process."""
    return f"{platform.node()}:{Process.current().pid}"
