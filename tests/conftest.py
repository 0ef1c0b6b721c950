"""What the tests share."""

import os
from pathlib import Path

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")

from study import environment

environment.import_tensorflow()

import tiny
from helpers import Command

from study import cli


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the default home in it; nothing is cached outside of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "runs"


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in that directory: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main([*map(str, words)])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A tiny image data set."""
    return tiny.write_archive(tmp_path / "tiny.npz")
