"""Files on a disk that are whole or not there. Those in an object store are in test_object_store.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import StudyError
from study.system import extras, files
from study.system.processes import short_host


def test_a_place_is_a_path_or_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("some/runs", "file://some/runs", Path("some/runs")):
        assert files.folder(given) == Path("some/runs").absolute()
        assert files.is_local(files.folder(given))
    monkeypatch.setitem(extras.NEEDED, "--home URL", ("no_such_package", "objects"))
    with pytest.raises(StudyError, match=r"pip install 'keras-study\[objects\]'"):
        files.folder("s3://bucket/runs")


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "a.txt"
    files.write_whole(file, lambda draft: draft.write_text("first"))

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_whole(file, fail)
    assert file.read_text() == "first"
    files.write_whole(file, lambda draft: draft.write_text("second"))
    assert file.read_text() == "second"
    assert files.inside(file.parent) == [file]


def test_drafts_of_dead_processes_of_this_host_are_deleted(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = tmp_path / f"draft-{short_host()}-{process.pid}-a.npz"
    kept = [
        tmp_path / f"draft-{short_host()}-{os.getpid()}-a.npz",
        tmp_path / f"draft-00000000-{process.pid}-a.npz",
        tmp_path / "a.npz",
    ]
    for file in (dead, *kept):
        file.touch()
    files.sweep_drafts(tmp_path)
    assert sorted(files.inside(tmp_path)) == sorted(kept)


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert files.inside(tmp_path / "none") == []
    assert not files.exists(tmp_path / "none")
    files.remove(tmp_path / "none")
    files.sweep_drafts(tmp_path / "none")
