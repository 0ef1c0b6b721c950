"""Which machine this is."""

import hashlib
import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil


@cache
def host() -> str:
    """This machine, or the container that this is: one that shares the host's name has process numbers of its own, and
    machines of one name are told by their installation."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    with suppress(OSError):
        parts.append(Path("/etc/machine-id").read_text().strip())
    return " ".join(parts)


@cache
def short_host() -> str:
    """The same as a part of a file's name."""
    return hashlib.sha256(host().encode()).hexdigest()[:8]


@cache
def boot() -> str:
    """Changes when the machine starts anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))
