"""What the tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "")

from study import environment

environment.import_tensorflow()

import tiny

from study import cli, results
from study import storage as storage_room
from study.config import StudyConfig

Command = Callable[..., tuple[int, str, str]]


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


def study_table(home: Path, name: str) -> dict[str, list[Any]]:
    """What must be the same for the same study: numbers, parameters, states, values, intermediate values and real
    values of every trial of each space."""
    storage, config = storage_room.open_study(storage_room.storage_url(home, None), name)
    return {
        space: [
            (
                trial.number,
                trial.state.name,
                trial.value,
                trial.params,
                trial.intermediate_values,
                kept.values if (kept := results.record(trial)) else None,
            )
            for trial in results.trials(storage, config, space)
        ]
        for space in config.spaces
    }


def stored_config(home: Path, name: str) -> StudyConfig:
    """The definition of a study as it is stored."""
    return storage_room.open_study(storage_room.storage_url(home, None), name)[1]
