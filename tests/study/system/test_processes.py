"""Which machine this is, and which processes are alive."""

import re
import signal
import subprocess
import sys
import time

import containers
import psutil
import pytest

from study.system import processes
from study.system.processes import Host, Life, Process

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


def test_a_stopped_process_is_no_dead_one() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = Process.of(process.pid)
        assert found.life() is Life.ALIVE
        process.send_signal(signal.SIGSTOP)
        while found.life() is Life.ALIVE:
            time.sleep(0.01)
        assert found.life() is Life.STOPPED
        assert found.is_alive()
        process.send_signal(signal.SIGCONT)
        while found.life() is Life.STOPPED:
            time.sleep(0.01)
        assert found.life() is Life.ALIVE
    assert found.life() is Life.DEAD


TELL = "from study.system.processes import *; print(*host(), short_host(), boot(), sep='\\n')"


def told(*words: str) -> list[str]:
    """What a process says: name, namespace, installation, short name, boot."""
    command = [*words, sys.executable, "-c", TELL]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_processes_of_a_machine_agree_on_it() -> None:
    assert told() == [*processes.host(), processes.short_host(), processes.boot()]
    assert re.fullmatch("[0-9a-f]{8}", processes.short_host())


def test_a_container_has_the_boot_of_its_machine_and_processes_of_its_own() -> None:
    containers.need()
    name, namespace, installation, short, boot = told(*containers.words("pod"))
    assert name == "pod"
    assert namespace != processes.host().namespace
    assert short != processes.short_host()
    assert (installation, boot) == (processes.host().installation, processes.boot())


def test_a_machine_that_is_renamed_stays_the_same() -> None:
    containers.need()
    if not processes.host().installation:
        pytest.skip("this machine has no /etc/machine-id")
    name, *others = told(*containers.renamed("laptop"))
    assert name == "laptop"
    assert others == [*processes.host()[1:], processes.short_host(), processes.boot()]


def test_what_tells_that_a_host_is_a_machine_of_before_the_reboot() -> None:
    here = Host("here", "pid:[1]", "system")
    assert here.resembles(Host("here"))
    assert here.resembles(Host("renamed", "pid:[2]", "system"))
    assert not here.resembles(Host("elsewhere", "pid:[1]", "another"))
    assert not Host("here").resembles(Host("elsewhere"))
