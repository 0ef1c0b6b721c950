"""A home that other people on the machine read, or may write into."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import users
from optuna.trial import TrialState
from users import ALICE, BOB

WRITE = """
import os, sys
from pathlib import Path
from study.storage.address import Address
from study.storage.store import Store
study = Store.open(Address.of(Path("runs"))).study("made")
study.exclusively(lambda: study.part("dense").set_user_attr("by", sys.argv[1]))
print(sys.argv[1], flush=True)
if sys.argv[2] == "wait":
    input()
if sys.argv[2] == "die":
    os.kill(os.getpid(), 9)
"""


READ = """
from pathlib import Path
from study.storage.address import Address
from study.storage.store import open_study
study = open_study(Address.of(Path("runs")), "made")
while True:
    print(study.load("dense").user_attrs["by"], flush=True)
    input()
"""


CHECK = """
from pathlib import Path
from study.errors import StudyError
from study.storage.address import Address
try:
    Address.of(Path("runs")).check_writable("made")
    print("nothing")
except StudyError as error:
    print(error)
"""


READING = (("status",), ("status", "made"), ("best", "made"), ("export", "made", "-o", "FOLDER/trials.csv"),
           ("report", "made", "-o", "FOLDER/page.html"))  # fmt: skip


class Shared:
    """A home of Alice's that everybody may write into; what is in it belongs to her and is read by all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "runs"
        complete = (TrialState.COMPLETE, 0.9, made.trial_record())
        study = made.study(self.home, {"dense": [complete] * 3})
        study.store.storage.remove_session()
        study.store.storage.engine.dispose()
        (self.home / "study.made.lock").touch()
        for file in self.home.iterdir():
            os.chown(file, ALICE, ALICE)
            file.chmod(0o644)
        os.chown(self.home, ALICE, ALICE)
        self.home.chmod(0o777)

    def files(self) -> dict[str, int]:
        """Whom the files of the home belong to."""
        return {file.name: file.stat().st_uid for file in self.home.iterdir()}

    def writes(self, user: int, what: str, how: str = "") -> tuple[int, str]:
        """Store something as a user."""
        return users.run(user, self.folder, "-c", WRITE, what, how)

    def command(self, user: int, *words: str) -> tuple[int, str]:
        """A command of a user's; `FOLDER` is one of his own."""
        own = self.folder / f"home-of-{user}"
        return users.run(user, self.folder, "-m", "study", *(word.replace("FOLDER", str(own)) for word in words))


@pytest.fixture
def shared() -> Iterator[Shared]:
    with users.shared() as folder:
        yield Shared(folder)


def test_somebody_else_who_reads_leaves_nothing_and_locks_nobody_out(shared: Shared) -> None:
    before = shared.files()
    for words in READING:
        code, said = shared.command(BOB, *words)
        assert code == 0, said
        assert shared.files() == before, words
    assert shared.writes(ALICE, "mine") == (0, "mine\n")
    assert set(shared.files().values()) == {ALICE}


def test_somebody_else_reads_what_is_written_just_now(shared: Shared) -> None:
    writer = users.start(ALICE, shared.folder, "-c", WRITE, "mine", "wait")
    assert writer.stdout is not None
    assert writer.stdout.readline() == "mine\n"
    during = shared.files()
    assert {"study.db-wal", "study.db-shm"} <= during.keys()
    assert read(shared) == "mine\n"
    assert shared.files() == during
    writer.communicate()
    assert "study.db-wal" not in shared.files()


def test_somebody_else_reads_what_a_killed_process_has_left(shared: Shared) -> None:
    assert shared.writes(ALICE, "mine", "die") == (-signal.SIGKILL, "mine\n")
    left = shared.files()
    assert {"study.db-wal", "study.db-shm"} <= left.keys()
    assert read(shared) == "mine\n"
    assert shared.files() == left
    assert shared.writes(ALICE, "again")[0] == 0


def test_a_study_that_somebody_else_has_opened_is_read_again_at_each_call(shared: Shared) -> None:
    assert shared.writes(ALICE, "mine")[0] == 0
    reader = users.start(BOB, shared.folder, "-c", READ)
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "mine\n"
    assert shared.writes(ALICE, "again")[0] == 0
    reader.stdin.write("\n")
    reader.stdin.flush()
    assert reader.stdout.readline() == "again\n"
    reader.kill()
    reader.communicate()


def read(shared: Shared) -> str:
    """What Bob reads."""
    reader = users.start(BOB, shared.folder, "-c", READ)
    assert reader.stdout is not None
    said = reader.stdout.readline()
    reader.kill()
    reader.communicate()
    return said


def test_root_who_reads_takes_nothing_from_its_owner(shared: Shared) -> None:
    assert shared.command(0, "status", "made")[0] == 0
    assert shared.writes(ALICE, "mine")[0] == 0
    assert set(shared.files().values()) == {ALICE}


def test_one_may_write_after_the_other_where_both_may(shared: Shared) -> None:
    for file in shared.home.iterdir():
        file.chmod(0o666)
    for user in (ALICE, BOB, ALICE):
        assert shared.writes(user, str(user)) == (0, f"{user}\n")
    lock = shared.home / "study.made.lock"
    lock.unlink()
    for user in (BOB, ALICE):
        assert shared.writes(user, str(user)) == (0, f"{user}\n")
    assert (lock.stat().st_uid, lock.stat().st_mode & 0o777) == (BOB, 0o666)


def test_a_lock_of_somebody_else_is_named(shared: Shared) -> None:
    (shared.home / "study.db").chmod(0o666)
    code, said = shared.writes(BOB, "mine")
    assert code == 1
    lock = shared.home / "study.made.lock"
    assert f"StudyError: {lock} cannot be written: Permission denied ({lock} belongs to {ALICE}); make it" in said


@pytest.mark.parametrize("closed", ["study.db", ""])
def test_what_somebody_else_may_not_read_is_named(shared: Shared, closed: str) -> None:
    where = shared.home / closed
    where.chmod(0o600 if closed else 0o700)
    for words in (("status",), ("best", "made")):
        assert shared.command(BOB, *words) == (
            2,
            f"study: the storage {shared.home / 'study.db'} cannot be read ({where} belongs to {ALICE}); make it "
            "readable, or give another --home\n",
        )


def test_whatever_somebody_else_may_not_write_is_named(shared: Shared) -> None:
    folders = ("", "made", "made/checkpoints", "made/models", "made/predictions", "artifacts")
    files = ("study.db", "study.db-wal", "study.db-shm", "study.lock", "study.made.lock", "study.processes")
    for place in folders:
        (shared.home / place).mkdir(exist_ok=True)
        (shared.home / place).chmod(0o777)
    for place in files:
        (shared.home / place).touch()
        (shared.home / place).chmod(0o666)
    assert users.run(BOB, shared.folder, "-c", CHECK) == (0, "nothing\n")
    for place in (*folders, *files):
        path = shared.home / place
        os.chown(path, ALICE, ALICE)
        mode = path.stat().st_mode
        path.chmod(mode & 0o755)
        said = f"the home {shared.home} cannot be written ({path} belongs to {ALICE}); make it writable or give another"
        assert users.run(BOB, shared.folder, "-c", CHECK) == (0, f"{said} --home\n")
        path.chmod(mode)


def test_a_command_that_trains_says_so_before_it_begins(shared: Shared) -> None:
    before = shared.files()
    database = shared.home / "study.db"
    for words in (("resume", "made"), ("evaluate", "made"), ("worker", "made"), ("run", "made"), ("run", "other")):
        assert shared.command(BOB, *words) == (
            2,
            f"study: the home {shared.home} cannot be written ({database} belongs to {ALICE}); make it writable or "
            "give another --home\n",
        )
    assert shared.files() == before
