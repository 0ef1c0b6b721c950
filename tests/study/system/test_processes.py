"""Which machine this is, and which processes are alive."""

import re
import subprocess
import sys
import time

import psutil

from study.system import processes
from study.system.processes import Process

ME = Process.current()


def test_a_process_is_alive_as_long_as_it_runs() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = Process.of(process.pid)
        assert ME.is_alive()
        assert found.is_alive()
    assert not found.is_alive()


def test_a_pid_that_is_used_again_is_another_process() -> None:
    assert not Process(ME.pid, ME.started - 1).is_alive()


def test_a_killed_process_is_dead_before_anybody_has_waited_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.of(process.pid)
    assert found.is_alive()
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not found.is_alive()
    process.communicate()


def test_the_processes_of_a_machine_agree_on_it() -> None:
    code = "from study.system.processes import *; print(host(), short_host(), boot(), sep='\\n')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [processes.host(), processes.short_host(), processes.boot()]
    assert re.fullmatch("[0-9a-f]{8}", processes.short_host())
