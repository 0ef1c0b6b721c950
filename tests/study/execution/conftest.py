"""What the tests of execution share."""

import subprocess
import sys

import pytest

from study.system.processes import Process


@pytest.fixture
def dead() -> Process:
    """A process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    found = Process.of(process.pid)
    process.wait()
    return found
