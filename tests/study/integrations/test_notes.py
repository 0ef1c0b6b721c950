"""Notes, trials and artifacts in Optuna's dashboard, on a real study, in a real browser."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from helpers import Command, wait

import study

TRIALS = 4


@pytest.fixture
def dashboard(command: Command, home: Path, archive: Path) -> Iterator[str]:
    """Its address, with one study."""
    words = ("--space", "tiny:Tiny", "--trials", str(TRIALS), "--epochs", "2", "--seeds", "1", "--pruner", "none")
    assert command("run", "a", "--dataset", f"npz:{archive}", *words)[0] == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("optuna-dashboard")), f"sqlite:///{home}/study.db",
         "--artifact-dir", str(home / "artifacts"), "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: answers(address))
        yield address
    finally:
        server.kill()
        server.wait()


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/api/studies", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_it_shows_trials_parameters_epochs_notes_and_artifacts(dashboard: str, browser: Any) -> None:
    listed = {
        each["study_name"]: each["study_id"]
        for each in requests.get(f"{dashboard}/api/studies").json()["study_summaries"]
    }
    assert set(listed) == {"a/tiny:Tiny", "a/confirmation", "a/finals"}

    browser.get_log("browser")  # what pages of other tests have said

    def text() -> str:
        return str(browser.find_element("tag name", "body").text)

    def shows(path: str, *words: str) -> None:
        browser.get(f"{dashboard}/dashboard{path}")
        wait(lambda: all(word in text() for word in words))

    shows("", "a/tiny:Tiny", "a/finals")
    search = f"/studies/{listed['a/tiny:Tiny']}"
    shows(f"{search}/note", "sampler tpe, pruner none, seed 0")
    shows(search, "Hyperparameter Importance", "Timeline", "batch_size")
    best = study.load("a").best()
    shows(f"{search}/trials?numbers={best['trial']}", "rate", "batch_size", "Intermediate Values", "record")
    finals = f"/studies/{listed['a/finals']}"
    shows(f"{finals}/note", "study report a")
    shows(f"{finals}/trials?numbers=0", "confusion.png", ".npz")
    assert shutil.which("chromium")
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
