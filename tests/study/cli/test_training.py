"""The commands that train: what they refuse, that a refusal leaves nothing behind, and what they show."""

import json
import sqlite3
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import servers
import tiny
from helpers import Command
from refusals import refused, tree

from study.storage.address import Address
from study.storage.store import Store
from study.system import extras

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


@pytest.mark.parametrize(
    "words, said",
    [
        (("--space", "sparse"), "no search space 'sparse': give dense, paper, cnn or package.module:object"),
        (("--space", "nowhere.at.all:Space"), "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        (("--space", "tiny:nothing"), "the module 'tiny' has no 'nothing'"),
        (("--space", "tiny:no_space"), "it must be a keras_tuner.HyperModel (class or instance) or a function"),
        (("--space", "tiny:broken_defaults"), "cannot build its defaults: RuntimeError: nothing here"),
        (("--dataset", "mnits"), "there is no data set 'mnits': give digits, mnist, folder:DIR"),
        (("--dataset", "npz:none.npz"), "none.npz cannot be read: No such file or directory"),
        (("--sampler", "best"), "--sampler must be one of tpe, random, qmc, nsga2, gp, kt-random"),
        (("--sampler", "grid"), "--sampler grid is not available: Optuna's grid must be known before the first trial"),
        (("--direction", "minimize"), "--direction of val_accuracy is maximize; it was given minimize"),
        (("--pruner", "best"), "--pruner must be one of sha, median, none; it was given 'best'"),
        (
            ("--objective", "speed"),
            "--objective is val_accuracy, val_loss, val_balanced_accuracy, val_macro_f1, or a metric that the models "
            "report together with --direction",
        ),
        (("--trials", "0"), "--trials must be at least 1; it was given 0"),
        (("--trials", "many"), "Invalid value for '--trials': Input should be a valid integer"),
        (("--epochs", "-1"), "--epochs must be at least 1; it was given -1"),
        (("--seeds", "0"), "--seeds must be at least 1; it was given 0"),
        (("--workers", "-1"), "--workers must be at least 0; it was given -1"),
        (("--workers", "1000"), "--workers must be at most 256; it was given 1000"),
        (("--memory-limit", "much"), "--memory-limit is a size such as 4GB or 2GiB; it was given 'much'"),
        (("--memory-limit", "1MB", "--workers", "1"), "--memory-limit must be at least 1GB"),
        (("--memory-limit", "4GB", "--workers", "0"), "--memory-limit applies to worker processes"),
        (("--timeout", "soon"), "--timeout is a duration such as 90s, 30m or 1h30m; it was given 'soon'"),
        (("--storage", "nonsense"), "--storage is a database URL such as"),
        (("--storage", "sqlite://"), "a study is kept in a file"),
        (("--storage", "oracle9://user:secret@host/db"), "needs a driver"),
        (("--no-such-option",), "No such option: --no-such-option"),
        (("--storage", "postgresql://user:secret@host:abc/db"), "--storage is a database URL such as"),
        (("--storage", "sqlite:///none/study.db"), "there is no folder"),
        (("a/b",), "a study's name consists of letters, digits"),
        (("..",), "a study's name consists of letters, digits"),
    ],
)
def test_run_refuses(command: Command, home: Path, words: tuple[str, ...], said: str) -> None:
    before = tree(home.parent)
    error = refused(command, "run", *words)
    assert said in error
    assert "secret" not in error
    assert tree(home.parent) == before
    assert not home.exists()


def test_run_refuses_bad_archives(command: Command, home: Path) -> None:
    cases = {
        "it lacks x_train, y_train": {"x_test": np.zeros((9, 2, 2)), "y_test": np.zeros(9)},
        "has pixels that are NaN": {"x_train": np.full((90, 6, 6), np.nan)},
        "class 3 has 1": {"y_train": np.r_[3, np.arange(89) % 3]},
        "labels are of two kinds": {"y_train": (np.arange(90) % 3).astype(str)},
        "must be images": {"x_train": np.zeros((90, 35), np.uint8)},
    }
    for said, arrays in cases.items():
        file = home.parent / "bad.npz"
        np.savez(file, **arrays) if "lacks" in said else tiny.write_archive(file, **arrays)
        assert said in refused(command, "run", "--dataset", f"npz:{file}")
        assert [each.name for each in home.parent.iterdir()] == ["bad.npz"]


def test_run_refuses_mnist_without_network_and_files(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    began = time.monotonic()
    error = refused(command, "run", "--dataset", "mnist")
    assert time.monotonic() - began < 15
    assert "--manual-dir" in error
    assert "digits" in error
    assert not home.exists()


def test_run_refuses_a_manual_file_with_a_wrong_checksum(command: Command, home: Path) -> None:
    manual = home.parent / "manual"
    manual.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (manual / f"{name}-ubyte.gz").write_bytes(b"forged")
    error = refused(command, "run", "--dataset", "mnist", "--manual-dir", str(manual))
    assert "its SHA-256 is wrong" in error
    assert not home.exists()


def test_run_refuses_a_name_that_exists(command: Command, finished: Path, archive: Path) -> None:
    before = tree(finished)
    error = refused(command, "run", "a", "--dataset", f"npz:{archive}", *RUN)
    assert "the study 'a' exists (2 of 2 trials of tiny:Tiny); 'study resume a' continues it" in error
    assert {name: text for name, text in tree(finished).items() if "study.db" not in name} == {
        name: text for name, text in before.items() if "study.db" not in name
    }


@pytest.mark.parametrize("where", ["file/runs", "file"])
def test_a_home_that_cannot_be_written(command: Command, home: Path, where: str) -> None:
    (home.parent / "file").write_text("in the way")
    error = refused(command, "run", "--home", where)
    assert f"the home {home.parent / where} cannot be written" in error
    assert tree(home.parent) == {str(home.parent / "file"): b"in the way"}


@pytest.mark.parametrize("option", ["--sampler", "--epochs", "--space", "--pixels", "--pruner", "--seed"])
def test_resume_does_not_take_what_is_fixed(command: Command, home: Path, option: str) -> None:
    error = refused(command, "resume", "a", option, "random")
    assert f"{option} is fixed when a study starts; 'study resume' takes --trials, --timeout" in error
    assert not home.exists()


class Tired(Exception):
    """Of waiting."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_waits_for_a_study_that_is_not_there_yet(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, kind: str
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Tired

    storage: tuple[str, ...] = ()
    if kind == "postgresql":
        server = request.getfixturevalue("server")
        monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)
        storage = ("--storage", servers.without_password(servers.database(server.url, home)))
    monkeypatch.setattr("study.cli.training.time.sleep", sleep)
    with pytest.raises(Tired):
        command("worker", "a", "--wait", *storage)
    monkeypatch.undo()
    if kind == "sqlite":
        assert "no study named 'a': it has none" in refused(command, "worker", "a")
    assert not home.exists()


@pytest.mark.parametrize(
    "words, package",
    [
        (("run", "a", "--tensorboard", "logs"), "tensorboard"),
        (("run", "a", "--sampler", "gp"), "torch"),
        (("export", "a", "--to", "mlflow"), "mlflow"),
    ],
)
def test_what_is_not_installed_is_named(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], package: str
) -> None:
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    code, _, error = command(*words)
    assert code == 2
    assert f"needs {package}: pip install 'keras-study[" in error
    assert not home.exists()


def test_a_creation_that_was_interrupted_is_done_anew(command: Command, home: Path, archive: Path) -> None:
    home.mkdir()
    store = Store.open(Address.of(home), create=True)
    assert store is not None
    half_made = optuna.create_study(study_name="a/dense", storage=store.storage)
    half_made.set_user_attr("config", {})
    assert command("status")[1] == "there is no study yet; 'study run' starts one\n"
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    assert sorted(study.study_name for study in store.storage.get_all_studies()) == [
        "a/confirmation", "a/finals", "a/tiny:Tiny",
    ]  # fmt: skip


def test_the_database_is_run_as_it_should_be(finished: Path) -> None:
    with sqlite3.connect(finished / "study.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        attributes = connection.execute("SELECT key, value_json FROM study_user_attributes").fetchall()
    connection.close()
    assert {key for key, _ in attributes} == {"config", "fingerprint", "environment", "classes"}
    for _, text in attributes:
        json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
