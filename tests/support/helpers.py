"""What tests read of a study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import servers

from study import results
from study import storage as storage_room
from study.config import StudyConfig
from study.records import LOOK

SERVER = "FAULTS_SERVER"
"""The environment variable with the URL of a PostgreSQL server, where studies are kept on one instead of in a file."""

SECONDS = 60
"""Until what a test waits for must have happened."""

Command = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, standard output, standard error."""


def storage_url(home: Path) -> str:
    """Where the studies of a home are kept: its SQLite file, or a database of its own on the server."""
    server = os.environ.get(SERVER)
    return servers.database(server, home) if server else storage_room.storage_url(home, None)


def opened(home: Path, name: str) -> tuple[storage_room.BaseStorage, StudyConfig]:
    """A study of a home."""
    return storage_room.open_study(storage_url(home), name)


def studies(home: Path) -> list[str]:
    """The studies of a home."""
    return list(storage_room.read_configs(storage_room.open_storage(storage_url(home))))


def placed(home: Path, words: Iterable[str]) -> tuple[str, ...]:
    """A command with the storage that it is to use, where that is not the home's own."""
    words = tuple(words)
    stores = words[:1] not in (("train",), ("spaces",), ("datasets",)) and "--storage" not in words
    return (*words, "--storage", storage_url(home)) if SERVER in os.environ and words and stores else words


def study_table(home: Path, name: str) -> dict[str, list[Any]]:
    """What must be the same for the same study: numbers, parameters, states, values, intermediate values, real
    values and looks of every trial of each space."""
    return table_at(storage_url(home), name)


def table_at(url: str, name: str) -> dict[str, list[Any]]:
    """The same of a study in the storage of that URL."""
    storage, config = storage_room.open_study(url, name)
    return {
        space: [
            (
                trial.number,
                trial.state.name,
                trial.value,
                trial.params,
                trial.intermediate_values,
                kept.values if (kept := results.record(trial)) else None,
                trial.user_attrs.get(LOOK),
            )
            for trial in results.trials(storage, config, space)
        ]
        for space in config.spaces
    }


def stored_config(home: Path, name: str) -> StudyConfig:
    """The definition of a study as it is stored."""
    return opened(home, name)[1]


def start(home: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """The command `study` in a real process, the leader of its own group; `variables` are its environment's.

    `run` has one worker where nothing else is said, whatever the machine.
    """
    if words[:1] == ("run",) and "--workers" not in words:
        words = (*words, "--workers", "1")
    tests = Path(__file__).parents[1]
    paths = [str(tests / "support"), str(tests / "faults"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "study", *placed(home, words)], cwd=home.parent, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def wait_for_line(process: subprocess.Popen[str], begins: str, count: int) -> None:
    """Until the process has printed that many such lines."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        count -= line.startswith(begins)
        if not count:
            return
    raise AssertionError(f"the process ended early: {''.join(seen)}")


def wait(what: Callable[[], Any]) -> Any:
    """Until it is true."""
    end = time.monotonic() + SECONDS
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found
