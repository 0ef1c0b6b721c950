"""What tests read of a study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import servers
import tiny
from optuna.trial import FrozenTrial

from study import cli
from study.config import Definition
from study.records import OWNER
from study.storage import claims, results
from study.storage.address import Address
from study.storage.store import Store, StoredStudy

SERVER = "FAULTS_SERVER"
"""The environment variable with the URL of a PostgreSQL server, where studies are kept on one instead of in a file."""

SECONDS = 60
"""Until what a test waits for must have happened."""

Command = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, standard output, standard error."""


def address_of(home: Path) -> Address:
    """Where the studies of a home are kept: its SQLite file, or a database of its own on the server."""
    server = os.environ.get(SERVER)
    return Address.of(home, servers.database(server, home) if server else None)


def storage_url(home: Path) -> str:
    """The database of a home as `--storage` takes it: the password of a server is in PGPASSWORD."""
    return servers.without_password(address_of(home).url.render_as_string(hide_password=False))


def opened(home: Path, name: str) -> StoredStudy:
    """A study of a home."""
    return opened_at(address_of(home), name)


def opened_at(address: Address, name: str) -> StoredStudy:
    """A study at an address."""
    store = Store.open(address)
    assert store is not None
    return store.study(name)


def studies(home: Path) -> list[str]:
    """The studies of a home."""
    store = Store.open(address_of(home))
    return [] if store is None else list(store.studies())


def placed(home: Path, words: Iterable[str]) -> tuple[str, ...]:
    """A command with the storage that it is to use, where that is not the home's own."""
    words = tuple(words)
    stores = words[:1] not in (("train",), ("spaces",), ("datasets",)) and "--storage" not in words
    return (*words, "--storage", storage_url(home)) if SERVER in os.environ and words and stores else words


def study_table(home: Path, name: str) -> dict[str, list[Any]]:
    """What must be the same for the same study: numbers, parameters, states, values, intermediate values
    and hyperparameters of every trial of each space."""
    return table_of(opened(home, name))


def table_of(study: StoredStudy) -> dict[str, list[Any]]:
    """The same of an opened study."""
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
            for trial in results.trials(study, space)
        ]
        for space in study.definition.spaces
    }


def owner_of(trial: FrozenTrial) -> claims.Owner | None:
    """Who trains a trial."""
    return claims.owner_in(trial.user_attrs.get(OWNER, {}))


def stored_definition(home: Path, name: str) -> Definition:
    """The definition of a study as it is stored."""
    return opened(home, name).definition


def with_defaults(words: tuple[str, ...], workers: int) -> tuple[str, ...]:
    """A command's words; `run` has so many workers, whatever the machine, and confirms no winner, which takes time,
    where nothing else is said."""
    defaults = {"--workers": str(workers), "--confirm": "0"} if words[:1] == ("run",) else {}
    missing = {name: value for name, value in defaults.items() if name not in words}
    return (*words, *(word for pair in missing.items() for word in pair))


def trained(folder: Path, *words: str) -> Path:
    """The home of a study `a` of the tiny archive, trained in this process, for several tests to read or copy; the data
    are beside it."""
    words = ("run", "a", "--dataset", f"npz:{tiny.write_archive(folder / 'tiny.npz')}", *words, "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TFDS_DATA_DIR", str(folder / "data"))
        assert cli.main([*with_defaults(words, workers=0)]) == 0
    return folder / "runs"


def start(home: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """The command `study` in a real process, the leader of its own group, with the defaults of tests; `variables` are
    its environment's."""
    words = with_defaults(words, workers=1)
    tests = Path(__file__).parents[1]
    paths = [str(tests / "support"), str(tests / "faults"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **variables}
    words, password = servers.hidden(placed(home, words))
    return subprocess.Popen(
        [sys.executable, "-m", "study", *words], cwd=home.parent, env=environment | password, text=True,
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
