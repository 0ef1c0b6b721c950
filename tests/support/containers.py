"""Containers in miniature: another host name, process numbers of their own, and no network."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

NAMED = ("sh", "-c", 'hostname "$0" && exec "$@"')


def words(name: str) -> list[str]:
    """What a command starts with that is to run in a container of that name."""
    return ["unshare", "--uts", "--pid", "--net", "--fork", "--mount-proc", "--kill-child", *NAMED, name]


def renamed(name: str) -> list[str]:
    """What a command starts with that is to run on this machine, but under another name."""
    return ["unshare", "--uts", *NAMED, name]


def need() -> None:
    """Skip a test where there can be no container."""
    if subprocess.run([*words("pod"), "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may have namespaces of its own here")


def start(where: Sequence[str], folder: Path, *command: str, **variables: str) -> "subprocess.Popen[str]":
    """Python in a container; `kill` ends all of it."""
    tests = Path(__file__).parents[1]
    paths = [str(tests / "support"), str(tests / "faults"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **variables}
    return subprocess.Popen(
        [*where, sys.executable, *command], cwd=folder, env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def kill(process: "subprocess.Popen[str]") -> str:
    """End a container at once, with everything in it; what it had printed."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0] or ""


def member(process: "subprocess.Popen[str]", number: int) -> psutil.Process:
    """The process of a container that has that number within it."""
    for each in psutil.Process(process.pid).children(recursive=True):
        status = Path(f"/proc/{each.pid}/status").read_text()
        numbers = next(line.split() for line in status.splitlines() if line.startswith("NSpid:"))
        if int(numbers[-1]) == number:
            return each
    raise LookupError(number)
