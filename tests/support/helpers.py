"""What tests read of a study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study import results
from study import storage as storage_room
from study.config import StudyConfig
from study.records import LOOK

SECONDS = 60
"""Until what a test waits for must have happened."""

Command = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, standard output, standard error."""


def study_table(home: Path, name: str) -> dict[str, list[Any]]:
    """What must be the same for the same study: numbers, parameters, states, values, intermediate values, real
    values and looks of every trial of each space."""
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
                trial.user_attrs.get(LOOK),
            )
            for trial in results.trials(storage, config, space)
        ]
        for space in config.spaces
    }


def stored_config(home: Path, name: str) -> StudyConfig:
    """The definition of a study as it is stored."""
    return storage_room.open_study(storage_room.storage_url(home, None), name)[1]


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
        [sys.executable, "-m", "study", *words], cwd=home.parent, env=environment, text=True,
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
