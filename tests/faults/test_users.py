"""Two people and one folder: one looks, the other trains, in both orders."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
import users
from helpers import study_table
from launcher import MOMENT
from users import ALICE, BOB

pytestmark = pytest.mark.skipif("config.getoption('--postgresql')", reason="of SQLite's file")

LAUNCHER = str(Path(__file__).parent / "launcher.py")
RUN = ("run", "a", "--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "1", "--confirm", "0",
       "--dataset", "npz:tiny.npz", "--quiet")  # fmt: skip


class Folder:
    """A folder of Alice's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "runs"
        tiny.write_archive(folder / "tiny.npz").chmod(0o644)

    def command(self, user: int, *words: str, moment: str = "") -> tuple[int, str]:
        """A command of a user's, who keeps decoded data in a folder of his own."""
        more = ("--workers", "0") if words[0] in ("run", "resume") else ()
        data = str(self.folder / f"home-of-{user}" / "data")
        return users.run(user, self.folder, LAUNCHER, *words, *more, **{MOMENT: moment, "TFDS_DATA_DIR": data})

    def foreign(self, user: int) -> list[str]:
        """The files of the home that belong to others."""
        return [str(file) for file in self.home.rglob("*") if file.stat().st_uid != user]

    def open_to_all(self) -> None:
        """As `chmod -R a+w` does it."""
        for place in (self.home, *self.home.rglob("*")):
            place.chmod(place.stat().st_mode | 0o222)


@pytest.fixture
def folder() -> Iterator[Folder]:
    with users.shared() as shared:
        yield Folder(shared)


def looked_at(folder: Folder, user: int) -> None:
    """Everything that only reads, by a user."""
    for words in (("status",), ("best", "a"), ("export", "a", "-o", f"home-of-{user}/a.csv"),
                  ("report", "a", "-o", f"home-of-{user}/a.html")):  # fmt: skip
        code, said = folder.command(user, *words)
        assert code == 0, said


def test_one_looks_and_the_other_goes_on(folder: Folder) -> None:
    """After a kill, which leaves a log beside the database, and after an end in good order, which leaves none."""
    code, said = folder.command(ALICE, *RUN, moment="after report:3")
    assert code == -signal.SIGKILL, said
    folder.home.chmod(0o777)
    looked_at(folder, BOB)
    assert folder.foreign(ALICE) == []
    for words in (("resume", "a"), ("resume", "a", "--trials", "4")):
        code, said = folder.command(ALICE, *words)
        assert code == 0, said
        looked_at(folder, BOB)
        assert folder.foreign(ALICE) == []
        looked_at(folder, ALICE)
    assert [row[1] for row in study_table(folder.home, "a")["tiny:Tiny"]].count("RUNNING") == 0


def test_the_other_goes_on_where_he_may(folder: Folder) -> None:
    """Alice has opened her folder to all; what Bob leaves is hers to use as well."""
    code, said = folder.command(ALICE, *RUN, moment="after report:3")
    assert code == -signal.SIGKILL, said
    folder.open_to_all()
    looked_at(folder, ALICE)
    code, said = folder.command(BOB, "resume", "a")
    assert code == 0, said
    looked_at(folder, ALICE)
    locks = [file for file in folder.home.glob("study.*") if file.stat().st_uid == BOB]
    assert all(file.stat().st_mode & 0o666 == 0o666 for file in locks)
    foreign = folder.home / "a" / "models"
    assert foreign.stat().st_uid == BOB
    code, said = folder.command(ALICE, "resume", "a", "--trials", "4")
    assert (code, said) == (
        2,
        f"study: the home {folder.home} cannot be written ({foreign} belongs to {BOB}); make it writable or give "
        "another --home\n",
    )
    folder.open_to_all()
    code, said = folder.command(ALICE, "resume", "a", "--trials", "4")
    assert code == 0, said


def test_who_may_not_go_on_is_told_whom_to_ask(folder: Folder) -> None:
    code, said = folder.command(ALICE, *RUN)
    assert code == 0, said
    before = {file: file.stat().st_mtime_ns for file in folder.home.rglob("*")}
    for words in (("resume", "a", "--trials", "4"), ("evaluate", "a"), ("run", "b", "--dataset", "npz:tiny.npz")):
        code, said = folder.command(BOB, *words)
        assert code == 2
        assert said.count("\n") == 1
        assert f"the home {folder.home} cannot be written ({folder.home} belongs to {ALICE})" in said
    code, said = folder.command(BOB, "report", "a")
    assert code == 2
    assert said.count("\n") == 1
    assert f"{folder.home / 'a' / 'report.html'} belongs to {ALICE}" in said
    assert {file: file.stat().st_mtime_ns for file in folder.home.rglob("*")} == before


def test_root_looks_and_trains_and_the_owner_goes_on(folder: Folder) -> None:
    code, said = folder.command(ALICE, *RUN, moment="after report:3")
    assert code == -signal.SIGKILL, said
    looked_at(folder, 0)
    assert folder.foreign(ALICE) == []
    (folder.home / "study.processes").unlink(missing_ok=True)
    for lock in folder.home.glob("*.lock"):
        lock.unlink()
    code, said = folder.command(0, "resume", "a", "--allow-drift")  # root's Python may be another than Alice's
    assert code == 0, said
    assert all(file.stat().st_uid == ALICE for file in folder.home.glob("study.*"))
    for place in folder.foreign(ALICE):
        os.chown(place, ALICE, ALICE)
    code, said = folder.command(ALICE, "resume", "a", "--trials", "4")
    assert code == 0, said
