"""Optuna's own tools beside us: one of a study's Optuna studies is deleted or renamed, and every command says so."""

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest
from helpers import Command, address_of, opened, start, storage_url, study_table, wait_for_line
from marks import ON_SQLITE_ALONE
from optuna.storages import RDBStorage

import study
from study.errors import StudyError
from study.storage import results

RUN = ("--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "1", "--confirm", "3", "--quiet")
PARTS = ("tiny:Tiny", "confirmation", "finals")
COMMANDS = (
    ("status", "a"), ("resume", "a"), ("resume", "a", "--trials", "9"), ("evaluate", "a"), ("worker", "a"),
    ("report", "a"), ("best", "a"), ("export", "a", "-o", "a.csv"), ("run", "a", *RUN),
)  # fmt: skip


@pytest.fixture
def storage(command: Command, home: Path, archive: Path) -> RDBStorage:
    """That of a study that is done."""
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    return opened(home, "a").store.storage


def rename(storage: RDBStorage, old: str, new: str) -> None:
    """As optuna-dashboard does it."""
    body = json.dumps({"study_name": new}).encode()
    asked: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/studies/{storage.get_study_id_from_name(old)}/rename",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(asked)
    answers: list[str] = []
    b"".join(optuna_dashboard.wsgi(storage)(asked, lambda status, *_: answers.append(status)))
    assert answers == ["201 Created"]


def said(command: Command, home: Path) -> str:
    """The one line with which everything refuses."""
    with pytest.raises(StudyError) as caught:
        study.load("a", storage=storage_url(home))
    for words in COMMANDS:
        assert command(*words) == (2, "", f"study: {caught.value}\n"), words
    code, output, error = command("status")
    assert (code, error) == (0, f"study: {caught.value}\n")
    assert "a:" not in output
    return str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_a_renamed_one_is_named_and_nothing_is_lost(
    command: Command, home: Path, storage: RDBStorage, part: str
) -> None:
    before = study_table(home, "a")
    rename(storage, f"a/{part}", "the best")
    line = said(command, home)
    assert f"the study 'a' has lost its Optuna study 'a/{part}', which another tool deleted or renamed" in line
    assert line.endswith("'the best' may be it: rename it back")
    rename(storage, "the best", f"a/{part}")
    assert command("status", "a")[0] == 0
    assert study_table(home, "a") == before
    assert command("resume", "a", "--trials", "4", "--quiet")[0] == 0
    assert study_table(home, "a")["tiny:Tiny"][:3] == before["tiny:Tiny"]


def test_a_search_that_was_deleted_leaves_the_rest(
    command: Command, home: Path, archive: Path, storage: RDBStorage
) -> None:
    delete(home, "a/tiny:Tiny")
    line = said(command, home)
    assert line.endswith("the rest of it is kept; put a copy of the database in its place, or start a study with "
                         "another NAME")  # fmt: skip
    names = [each.study_name for each in storage.get_all_studies()]
    assert sorted(names) == ["a/confirmation", "a/finals"]
    assert command("run", "b", "--dataset", f"npz:{archive}", *RUN, "--trials", "1")[0] == 0
    code, output, error = command("status")
    assert (code, output.startswith("b: "), "has lost its Optuna study 'a/tiny:Tiny'" in error) == (0, True, True)


@pytest.mark.parametrize("part", ["confirmation", "finals"])
@pytest.mark.usefixtures("storage")
def test_what_was_deleted_of_the_rest_is_made_again(command: Command, home: Path, part: str) -> None:
    before = everything(home)
    delete(home, f"a/{part}")
    made = re.search(r"; after '(.*)', 'study resume a' trains it again$", said(command, home))
    assert made is not None
    optuna_command(home, *shlex.split(made[1])[1:])
    assert command("resume", "a", "--quiet")[0] == 0
    assert everything(home) == before
    assert command("best", "a")[0] == 0


def everything(home: Path) -> tuple[Any, ...]:
    """What must be the same when it is made again."""
    found = opened(home, "a")
    confirmed = {(each.trial, each.seed_index): each.curve for each in results.confirmations(found)}
    tested = {(each.finalist, each.seed_index): each.errors for each in results.finals(found)}
    assert confirmed
    assert tested
    return study_table(home, "a"), confirmed, tested


def delete(home: Path, name: str) -> None:
    optuna_command(home, "delete-study", "--study-name", name, "--storage", "URL")


def optuna_command(home: Path, *words: str) -> None:
    """Optuna's command line, with the URL of the storage."""
    taken = list(words)
    taken[taken.index("--storage") + 1] = address_of(home).url.render_as_string(hide_password=False)
    subprocess.run([Path(sys.executable).parent / "optuna", *taken], check=True, capture_output=True)


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=ON_SQLITE_ALONE)])
@pytest.mark.parametrize("part", PARTS)
def test_one_that_is_deleted_while_it_is_used_ends_the_work_in_a_line(home: Path, part: str, workers: str) -> None:
    words = ("--space", "fault_space:Paced", "--trials", "6", "--epochs", "4", "--seeds", "1", "--pruner", "none")
    words = (*words, "--confirm", "1", "--workers", workers)
    gone = part.replace("tiny:Tiny", "fault_space:Paced")
    process = start(home, "run", "a", *words)
    wait_for_line(process, "fault_space:Paced  trial 0", 1)
    optuna.delete_study(study_name=f"a/{gone}", storage=opened(home, "a").store.storage)
    output, _ = process.communicate(timeout=120)
    assert process.returncode in (1, 2), output
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if line.startswith("study: ")]
    assert len(lines) == 1
    assert f"has lost its Optuna study 'a/{gone}'" in lines[0]
