"""Hosts in miniature: process numbers and, on demand, a network of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import servers
from helpers import with_defaults

ANOTHER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""What a command starts with that is to run on a host of its own."""
ADDRESS = "10.213.{}.{}"


def need() -> None:
    """Skip a test where there can be no such host."""
    if subprocess.run([*ANOTHER, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may have a namespace of its own here")


def start(home: Path, *words: str, network: str = "", **variables: str) -> subprocess.Popen[str]:
    """The command `study` on a host of its own, with the defaults of tests; `network` is the name of a namespace."""
    tests = Path(__file__).parents[1]
    paths = [str(tests / "support"), str(tests / "faults"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **variables}
    taken, password = servers.hidden(with_defaults(words, workers=1))
    inside = ("ip", "netns", "exec", network) if network else ()
    return subprocess.Popen(
        [*inside, *ANOTHER, sys.executable, "-m", "study", *taken], cwd=home.parent, env=environment | password,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


class Network:
    """A network namespace with a cable to this host, which can be unplugged."""

    def __init__(self, number: int) -> None:
        self.name, self._cable = f"study{os.getpid()}x{number}", f"v{os.getpid()}x{number}"
        self.here, there = ADDRESS.format(number, 1), ADDRESS.format(number, 2)
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        self._ip("address", "add", f"{self.here}/24", "dev", self._cable)
        self._ip("link", "set", self._cable, "up")
        for words in (("address", "add", f"{there}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("link", "set", "lo", "up")):  # fmt: skip
            self._ip("-netns", self.name, *words)

    def unplug(self) -> None:
        """Nothing arrives any more, on either side."""
        self._ip("link", "set", self._cable, "down")

    def plug_in(self) -> None:
        """Everything arrives again."""
        self._ip("link", "set", self._cable, "up")

    def remove(self) -> None:
        """Leave nothing behind."""
        self._ip("netns", "delete", self.name)

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def network(number: int) -> Iterator[Network]:
    """A network for the length of a test, which is skipped where there can be none."""
    try:
        made = Network(number)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network can be made here: {getattr(error, 'stderr', error)}")
    try:
        yield made
    finally:
        made.remove()
