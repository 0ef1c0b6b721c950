"""Folders for temporary files."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tiny

import study
from study.errors import StudyError
from study.system import temporary

LEAVE = "from study.system import temporary; (temporary.create() / 'model.bin').write_bytes(b'x'); print('left')"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process and those that it starts put temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_everything_in_the_folder_goes_with_it(place: Path) -> None:
    first, second = temporary.create(), temporary.create()
    assert first.parent == second.parent == place
    assert first.stat().st_mode & 0o777 == 0o700
    (first / "deep" / "er").mkdir(parents=True)
    (first / "deep" / "er" / "file").touch()
    temporary.remove(first)
    assert list(place.iterdir()) == [second]
    temporary.remove(first)  # again, as a worker and its supervisor may


def test_what_a_dead_process_left_is_removed_by_the_next(place: Path) -> None:
    (place / "study-of-mine").mkdir()
    subprocess.run([sys.executable, "-c", LEAVE], check=True, capture_output=True)
    assert len(list(place.iterdir())) == 2
    mine = temporary.create()
    assert set(place.iterdir()) == {mine, place / "study-of-mine"}
    temporary.create()
    assert mine.is_dir()  # its process is alive


@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_environment_is_as_it_was(
    variable: bool, fails: bool, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not variable:
        monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before = dict(os.environ)
    try:
        with temporary.own():
            inner = Path(tempfile.mkdtemp())
            assert inner.parent.parent == place
            assert os.environ["TMPDIR"] == str(inner.parent)
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert (dict(os.environ), tempfile.tempdir) == (before, str(place))
    assert list(place.iterdir()) == []


def test_no_place_for_temporary_files_is_a_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "none"))
    said = "no folder for temporary files can be created (No such file or directory); set TMPDIR to one that can be"
    with pytest.raises(StudyError, match=re.escape(said)), temporary.own():
        pass
    assert os.environ["TMPDIR"] == str(place)


def test_a_study_in_this_process_leaves_nothing(place: Path, home: Path, archive: Path) -> None:
    made = []

    def build(hp: Any) -> Any:
        made.append(Path(tempfile.mkdtemp()))
        return tiny.build_function(hp)

    words: dict[str, Any] = {"trials": 2, "epochs": 1, "seeds": 1, "confirm": 0, "quiet": True}
    study.run("a", spaces={"mine": build}, dataset=f"npz:{archive}", **words)
    assert {folder.parent.parent for folder in made} == {place}
    assert list(place.iterdir()) == []
    assert os.environ["TMPDIR"] == str(place)
