"""Names of files, and how paths are stored."""

from pathlib import Path

import pytest

from study import paths


def test_a_space_in_the_names_of_files() -> None:
    assert paths.file_name("package.module:Space") == "package.module-Space"
    assert paths.model_file("m:S") == "models/m-S.keras"
    assert paths.checkpoint_file("m:S", 7) == "checkpoints/m-S-7.npz"
    assert paths.weights_file("m:S", 7) == "models/m-S-7.weights.h5"
    assert paths.predictions_file("m:S", "tuned", 7, 2) == "predictions/m-S-tuned-7-seed2.npz"


@pytest.mark.parametrize("space", ["../../etc", "a/b", "a\\b", "<b>", "a b", "a\0b"])
def test_no_space_leads_out_of_its_folder(space: str) -> None:
    for file in (paths.model_file(space), paths.checkpoint_file(space, 0), paths.weights_file(space, 0)):
        assert len(Path(file).parts) == 2
        assert set(Path(file).name) <= set("abcdefghijklmnopqrstuvwxyz.-0123456789")


def test_paths_are_stored_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert paths.absolute(None) is None
    assert paths.absolute("data") == str(tmp_path / "data")
    assert paths.absolute(Path("~/data")) == "/home/somebody/data"
    assert paths.absolute_dataset("npz:images.npz") == f"npz:{tmp_path / 'images.npz'}"
    assert paths.absolute_dataset("npz:/elsewhere/images.npz") == "npz:/elsewhere/images.npz"
    for name in ("digits", "mnist", "npz", "other:thing"):
        assert paths.absolute_dataset(name) == name
