"""Signs of life of real processes, in containers too."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import containers
import pytest
import users
from users import ALICE, BOB

from study.errors import StudyError
from study.storage.presence import Presence
from study.system.processes import Process, host

SHOW = """
import json, sys
from pathlib import Path
from study.storage.presence import Presence
from study.system.processes import Process, host
presence = Presence.of(Path(sys.argv[1]), None)
presence.show()
print(json.dumps([host().namespace, Process.current().pid, Process.current().started]), flush=True)
input()
"""
LOOK = """
import json, sys
from pathlib import Path
from study.storage.presence import Presence
from study.system.processes import Process
namespace, *process = json.loads(sys.argv[2])
print(Presence.of(Path(sys.argv[1]), None).shows(namespace, Process(*process)))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "study.processes"


def shown(process: "subprocess.Popen[str]") -> str:
    """Who a process is that shows itself."""
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("["), said + process.stdout.read()
    return said.strip()


def seen(file: Path, who: str) -> bool | None:
    """Whether this process sees it."""
    namespace, *process = json.loads(who)
    return Presence.of(file, None).shows(namespace, Process(*process))


def test_a_process_is_seen_as_long_as_it_lives(file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    who = shown(process)
    namespace, pid, started = json.loads(who)
    assert (namespace, Process(pid, started)) == (host().namespace, Process.of(process.pid))
    assert seen(file, who) is True
    assert seen(file, who) is True
    assert Presence.of(file, None).shows(namespace, Process(pid, started + 1)) is False
    process.kill()
    process.communicate()
    assert seen(file, who) is False
    assert file.stat().st_size == 0


def test_a_process_of_another_container_is_seen_too(file: Path) -> None:
    containers.need()
    first = containers.start(containers.words("pod-a"), file.parent, "-c", SHOW, str(file))
    who = shown(first)
    assert json.loads(who)[0] != host().namespace

    def look() -> str:
        command = [*containers.words("pod-b"), sys.executable, "-c", LOOK, str(file), who]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert (look(), seen(file, who)) == ("True", True)
    containers.kill(first)
    assert (look(), seen(file, who)) == ("False", False)


def test_to_look_at_others_ends_no_sign_of_ones_own(file: Path, tmp_path: Path) -> None:
    """POSIX locks end with any descriptor of their file: a process must not open a second one."""
    presence = Presence.of(file, None)
    assert presence.shows("pid:[1]", Process(1, 1.0)) is None
    presence.show()
    presence.show()
    who = json.dumps([host().namespace, Process.current().pid, Process.current().started])
    for _ in range(3):
        assert Presence.of(file, None).shows("pid:[1]", Process(1, 1.0)) is False
    command = [sys.executable, "-c", LOOK, str(file), who]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_where_no_file_is_nobody_can_tell(file: Path) -> None:
    assert Presence.of(file, None).shows("pid:[1]", Process(1, 1.0)) is None
    assert not file.exists()


def test_a_copied_home_has_nobody_at_work(file: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    who = shown(process)
    (tmp_path / "copy").mkdir()
    copy = shutil.copy(file, tmp_path / "copy")
    assert (seen(file, who), seen(copy, who)) == (True, False)
    process.communicate()


def test_who_may_not_write_may_look() -> None:
    with users.shared() as folder:
        file = folder / "study.processes"
        process = users.start(ALICE, folder, "-c", SHOW, str(file))
        who = shown(process)
        assert file.stat().st_uid == ALICE
        assert users.run(BOB, folder, "-c", LOOK, str(file), who) == (0, "True\n")
        code, said = users.run(BOB, folder, "-c", SHOW, str(file))
        assert code == 1
        assert f"StudyError: {file} cannot be written: Permission denied ({file} belongs to {ALICE}); make it" in said
        process.communicate()
        assert users.run(BOB, folder, "-c", LOOK, str(file), who) == (0, "False\n")


def test_its_file_has_the_rights_of_the_database(file: Path, tmp_path: Path) -> None:
    database = tmp_path / "study.db"
    database.touch()
    database.chmod(0o664)
    Presence(file, database).show()
    assert file.stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("where", ["none/study.processes", "file/study.processes"])
def test_a_file_that_cannot_be_created_is_named(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=rf"{tmp_path}/{where} cannot be written: "):
        Presence.of(tmp_path / where, None).show()
    assert sorted(os.listdir(tmp_path)) == ["file"]
