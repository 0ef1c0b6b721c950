"""What memory is left, in and out of a container; the control groups are files as Linux writes them."""

from pathlib import Path

import psutil
import pytest

from study.system import memory

GIB = 2**30
VERSION_2 = ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")
VERSION_1 = ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def write_group(root: Path, path: str, names: tuple[str, ...], limit: str, held: int, cache: int) -> None:
    mount, limit_file, usage_file, counter = names
    folder = root / mount / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / usage_file).write_text(f"{held}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{counter} {cache}\n")


def write_membership(root: Path, line: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"1:cpu:/elsewhere\n{line}\n")


@pytest.mark.parametrize("names, line", [(VERSION_2, "0::/a/b"), (VERSION_1, "4:hugetlb,memory:/a/b")])
def test_the_narrowest_group_counts(tmp_path: Path, names: tuple[str, ...], line: str) -> None:
    write_membership(tmp_path, line)
    write_group(tmp_path, "", names, "max" if names == VERSION_2 else str(2**63 - 4096), 0, 0)
    write_group(tmp_path, "a", names, str(GIB), GIB * 3 // 4, GIB // 8)
    write_group(tmp_path, "a/b", names, str(GIB // 2), GIB // 16, 0)
    assert memory.available(tmp_path) == GIB * 3 // 8  # a: a quarter, and an eighth that its page cache gives back
    write_group(tmp_path, "a/b", names, str(GIB // 2), GIB // 2 + 1, 0)
    assert memory.available(tmp_path) == 0


def test_a_path_of_the_host_is_not_found_in_a_container(tmp_path: Path) -> None:
    write_membership(tmp_path, "0::/machine/container")
    write_group(tmp_path, "", VERSION_2, str(GIB // 4), 0, 0)
    assert memory.available(tmp_path) == GIB // 4


@pytest.mark.parametrize("line", ["", "0::/", "0::/a", "garbage"])
def test_without_a_limit_it_is_the_machines(tmp_path: Path, line: str) -> None:
    write_membership(tmp_path, line)
    write_group(tmp_path, "a", VERSION_2, "max", 5, 0)
    assert 0 < memory.available(tmp_path) <= psutil.virtual_memory().total
    assert 0 < memory.available(tmp_path / "none") <= psutil.virtual_memory().total


def test_this_process_has_some() -> None:
    assert 0 < memory.available() <= psutil.virtual_memory().total
