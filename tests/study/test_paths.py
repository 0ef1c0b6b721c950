"""Names of files, and how paths are stored."""

from pathlib import Path

import pytest

from study import paths
from study.errors import StudyError
from study.storage.address import Address
from study.system.files import folder


def test_a_space_in_the_names_of_files() -> None:
    assert paths.file_name("package.module:Space") == "package.module-Space"
    assert paths.model_file("m:S", 7) == "models/m-S-trial7.keras"
    assert paths.checkpoint_file("m:S", 7) == "checkpoints/m-S-7.npz"
    assert paths.weights_file("m:S", 7) == "models/m-S-7.weights.h5"
    assert paths.predictions_file("m:S", "tuned", 7, 2) == "predictions/m-S-tuned-7-seed2.npz"


@pytest.mark.parametrize("space", ["../../etc", "a/b", "a\\b", "<b>", "a b", "a\0b"])
def test_no_space_leads_out_of_its_folder(space: str) -> None:
    for file in (paths.model_file(space, 0), paths.checkpoint_file(space, 0), paths.weights_file(space, 0)):
        assert len(Path(file).parts) == 2
        assert set(Path(file).name) <= set("abcdefghijklmnopqrstuvwxyz.-0123456789")


def test_paths_are_stored_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert paths.absolute(None) is None
    assert paths.absolute("data") == str(tmp_path / "data")
    assert paths.absolute(Path("~/data")) == "/home/somebody/data"
    assert paths.absolute_dataset("npz:images.npz") == f"npz:{tmp_path / 'images.npz'}"
    assert paths.absolute_dataset("folder:photos") == f"folder:{tmp_path / 'photos'}"
    assert paths.absolute_dataset("csv:~/a.csv") == "csv:/home/somebody/a.csv"
    for path, kind in ((tmp_path, "folder"), (Path("a.csv"), "csv"), (Path("a.npz"), "npz")):
        assert paths.absolute_dataset(path) == f"{kind}:{tmp_path / path}"
    assert paths.absolute_dataset("npz:/elsewhere/images.npz") == "npz:/elsewhere/images.npz"
    for name in ("digits", "mnist", "npz", "other:thing"):
        assert paths.absolute_dataset(name) == name


def test_a_path_of_nobody_or_of_a_deleted_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StudyError, match="there is no home folder for the beginning of '~nobody-here/runs'"):
        paths.whole("~nobody-here/runs")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StudyError, match="the working directory was deleted, and 'runs' with it"):
        paths.whole("runs")
    assert paths.whole("/elsewhere") == Path("/elsewhere")


def test_an_archive_may_be_given_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert paths.absolute_dataset(Path("images.npz")) == f"npz:{tmp_path / 'images.npz'}"
    assert paths.absolute_dataset("npz:~/images.npz") == "npz:/home/somebody/images.npz"


def test_readers_see_a_path_as_they_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paths.relative(tmp_path / "runs" / "a") == "runs/a"
    assert paths.relative(Path("/elsewhere/runs")) == "/elsewhere/runs"


def test_homes_and_databases_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    address = Address.of(Path("runs"))
    assert (address.home, address.url.database) == (tmp_path / "runs", str(tmp_path / "runs" / "study.db"))
    assert Address.of(Path("~/runs"), "sqlite:///~/all.db").url.database == "/home/somebody/all.db"
    assert Address.of(Path("~/runs"), "sqlite:///all.db").url.database == str(tmp_path / "all.db")
    assert folder("~/runs") == folder("file:///home/somebody/runs") == Path("/home/somebody/runs")
    assert Address.of(Path("runs"), "sqlite:///runs/study.db").is_default
