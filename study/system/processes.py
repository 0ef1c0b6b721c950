"""Identifies this machine, its current run since the last boot, and its processes, even when a PID is used again."""

import hashlib
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import psutil


@cache
def host() -> str:
    """Identifies this machine, or this container."""
    parts = [platform.node()]
    with suppress(OSError):  # a container may share its host's name, but numbers its processes itself
        parts.append(os.readlink("/proc/self/ns/pid"))
    with suppress(OSError):  # the ID of the installation, for machines of the same name
        parts.append(Path("/etc/machine-id").read_text().strip())
    return " ".join(parts)


@cache
def short_host() -> str:
    """A hash of `host()` that can be part of a file's name: 8 hexadecimal digits."""
    return hashlib.sha256(host().encode()).hexdigest()[:8]


@cache
def boot() -> str:
    """Identifies the current run of this machine: it changes with every reboot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))


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

    def is_alive(self) -> bool:
        """Whether it still runs."""
        try:
            return self == Process.of(self.pid) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
