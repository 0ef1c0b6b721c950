"""The memory that is left: the machine's, or less where a container has a limit of its own."""

from collections.abc import Iterator
from pathlib import Path

import psutil


def available(root: Path = Path("/")) -> int:
    """Bytes that this process may still take: of the machine, and of every control group that it is in.

    Args:
        root: Where `proc` and `sys` are found.
    """
    return min([int(psutil.virtual_memory().available), *_left_in_groups(root)])


def _left_in_groups(root: Path) -> Iterator[int]:
    """Of each Linux control group with a limit; what its page cache holds can be had at once."""
    for folder, limit, usage, cache in _groups(root):
        try:
            held = int((folder / usage).read_text())
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield max(int((folder / limit).read_text()) - held + int(counts.get(cache, 0)), 0)
        except (OSError, ValueError):  # no such group, or no limit
            continue


def _groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """The folder of each group, and what is called limit, usage and reclaimable page cache there."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers == "":  # version 2
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        own = mount / path.lstrip("/")
        # Within a container the path is often that on the host; the mount itself is then the container's group.
        for folder in (own, *own.parents):
            if folder.is_relative_to(mount):
                yield folder, *names
