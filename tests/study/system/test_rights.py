"""Who may write what; another person looks in a process of its own."""

import os
from pathlib import Path

import pytest
import users
from users import ALICE, BOB

from study.system import rights

LOOK = (
    "import sys; from pathlib import Path; from study.system import rights; print(rights.obstacle(Path(sys.argv[1])))"
)


def test_what_is_in_the_way_of_a_file_or_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert rights.obstacle(tmp_path / "a" / "b", is_folder=True) is None
    assert rights.obstacle(tmp_path / "a" / "b") is None
    assert rights.obstacle(file) is None
    for path, is_folder in ((file, True), (file / "a", True), (file / "a", False)):
        assert rights.obstacle(path, is_folder=is_folder) == f"{file} is in the way"
    assert rights.obstacle(tmp_path) == f"{tmp_path} is in the way"


def test_somebody_elses_file_is_named_with_its_owner() -> None:
    with users.shared() as folder:

        def seen(by: int, path: Path) -> str:
            """What keeps somebody from writing a file."""
            return users.run(by, folder, "-c", LOOK, str(path))[1].strip()

        file = folder / "file"
        file.touch()
        os.chown(file, ALICE, ALICE)
        assert seen(BOB, file) == f"{file} belongs to {ALICE}"
        assert seen(ALICE, file) == "None"
        file.chmod(0o666)
        assert seen(BOB, file) == "None"
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        os.chown(closed, ALICE, ALICE)
        assert seen(BOB, closed / "a" / "file") == f"{closed} belongs to {ALICE}"
        folder.chmod(0o755)
        assert seen(BOB, folder / "new") == f"{folder} belongs to {rights.user_of(folder)}"


def test_a_file_is_given_the_rights_of_another(tmp_path: Path) -> None:
    model, file = tmp_path / "model", tmp_path / "file"
    model.touch(0o640)
    file.touch(0o600)
    rights.give_rights_of(model, file)
    assert file.stat().st_mode & 0o777 == model.stat().st_mode & 0o777 == 0o640
    rights.give_rights_of(tmp_path / "none", file)
    rights.give_rights_of(model, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif("os.geteuid() != 0", reason="only root can give a file away")
def test_what_root_creates_belongs_to_whom_the_database_belongs_to(tmp_path: Path) -> None:
    model, file, other = tmp_path / "model", tmp_path / "file", tmp_path / "other"
    for each in (model, file, other):
        each.touch()
    os.chown(model, ALICE, ALICE)
    os.chown(other, BOB, BOB)
    rights.give_rights_of(model, file)
    rights.give_rights_of(model, other)
    assert [(each.stat().st_uid, each.stat().st_gid) for each in (file, other)] == [(ALICE, ALICE), (BOB, BOB)]
