"""The command `study`, with a SIGKILL for its whole process group laid at a chosen moment.

Worker processes import this file too, so the moment is laid in each of them.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy import Table, event

from study.system import files

MOMENT = "FAULTS_MOMENT"
"""The environment variable `what:count`: die when it happens for the count-th time in a process."""

EPOCHS_FILE = "FAULTS_EPOCHS"
"""The environment variable that names the file of trained epochs, a line each."""

WAITS_FILE = "FAULTS_WAITS"
"""The environment variable that names the file of waits for other processes, a line of seconds each."""

MOMENTS = {
    # what: how often it may happen before the kill
    "create tables": 12,
    "create study": 3,
    "before report": 6,
    "after report": 6,
    "half checkpoints": 5,
    "after checkpoints": 5,
    "before tell": 2,
    "after tell": 2,
    "half predictions": 2,
    "after predictions": 2,
    "half models": 2,
    "after models": 2,
    "half html": 1,
    "after html": 1,
    "half json": 1,
}


def lay() -> None:
    """Let the moment that the environment names be deadly."""
    what, _, count = os.environ.get(MOMENT, "").partition(":")
    left = int(count or 0)

    def happens(moment: str) -> None:
        nonlocal left
        if moment == what:
            left -= 1
            if left == 0:
                os.killpg(0, signal.SIGKILL)

    write_whole = files.write_whole

    def write(file: Path, save: Callable[[Path], Any]) -> None:
        kind = file.parent.name if file.suffix in (".npz", ".keras") else file.suffix[1:]

        def save_half(draft: Path) -> None:
            save(draft)
            if what == f"half {kind}":
                whole = draft.read_bytes()
                draft.write_bytes(whole[: len(whole) // 2])
                happens(what)
                draft.write_bytes(whole)

        write_whole(file, save_half)
        happens(f"after {kind}")

    files.write_whole = write

    def around(owner: Any, name: str, word: str, both: bool = True) -> None:
        plain = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            happens(f"before {word}" if both else word)
            result = plain(*args, **kwargs)
            happens(f"after {word}")
            return result

        setattr(owner, name, call)

    around(optuna.Trial, "report", "report")
    around(optuna.Study, "tell", "tell")
    around(optuna, "create_study", "create study", both=False)
    event.listen(Table, "after_create", lambda *args, **kwargs: happens("create tables"))

    from study.execution.session import Session  # last: what it imports is to find the moments laid

    wait = Session.wait

    def timed_wait(*args: Any) -> None:
        began = time.monotonic()
        wait(*args)
        if WAITS_FILE in os.environ:
            with open(os.environ[WAITS_FILE], "a") as file:
                file.write(f"{time.monotonic() - began}\n")

    Session.wait = timed_wait  # type: ignore[method-assign]


lay()

if __name__ == "__main__":
    from study.cli import entry_point

    entry_point()
