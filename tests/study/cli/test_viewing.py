"""The commands that read what is stored."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import made
import optuna
import pandas
import pytest
from helpers import Command, wait
from refusals import refused

import study
from study.errors import StudyError
from study.integrations import dashboard

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


def test_other_peoples_studies_in_the_database_are_passed_over(command: Command, home: Path) -> None:
    home.mkdir()
    for name in ("mine", "other/finals"):
        optuna.create_study(study_name=name, storage=f"sqlite:///{home}/study.db")
    assert command("status") == (0, "there is no study yet; 'study run' starts one\n", "")


def test_the_commands_after_a_run(command: Command, home: Path, archive: Path) -> None:
    code, output, error = command(
        "run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "2", "--epochs", "1",
        "--seeds", "2",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "tiny:Tiny  trial 1" in output
    assert "tiny:Tiny baseline" in output
    assert output.endswith(f"report: {Path('runs')}/a/report.html\n")

    code, output, _ = command("status")
    assert "a: npz:" in output
    assert "0 running, 0 waiting; best" in output
    state = json.loads(command("status", "a", "--json")[1])
    assert state["spaces"][0]["finished"] == 2
    assert state["finals"] in (2, 4)  # the winner may be the baseline
    assert [each["name"] for each in json.loads(command("status", "--json")[1])] == ["a"]

    winner = json.loads(command("best", "a", "--json")[1])
    assert winner["space"] == "tiny:Tiny"
    assert Path(winner["model"]).is_file()
    assert set(winner["values"]) >= {"rate", "batch_size"}
    assert "batch_size: " in command("best", "a")[1]
    assert "--space must be one of tiny:Tiny; it was given 'dense'" in refused(command, "best", "a", "--space", "dense")

    for suffix, read in ((".csv", pandas.read_csv), (".json", pandas.read_json), (".parquet", pandas.read_parquet)):
        assert command("export", "a", "-o", f"trials{suffix}")[0] == 0
        frame = read(f"trials{suffix}")
        assert frame["number"].tolist() == [0, 1]
        assert {"state", "value", "hp.rate", "hp.batch_size"} <= set(frame.columns)
    assert "exported to a .csv, .parquet or .json file" in refused(command, "export", "a", "-o", "trials.xls")
    assert "cannot be written" in refused(command, "export", "a", "-o", "none/trials.csv")
    assert "cannot be written" in refused(command, "report", "a", "-o", "trials.csv/report.html")
    assert "-o names the HTML file" in refused(command, "report", "a", "-o", "report.json")
    assert "--seeds counts from the start and may only grow; a has 2" in refused(command, "resume", "a", "--seeds", "1")

    shutil.rmtree(home / "a")
    assert command("report", "a", "-o", "elsewhere/page.html") == (0, "report: elsewhere/page.html\n", "")
    assert Path("elsewhere/page.html").is_file()
    assert json.loads(Path("elsewhere/page.json").read_text())["study"] == "a"

    assert "each study is compared once; it was given a, a" in refused(command, "report", "a", "a")
    assert "no study named 'b'" in refused(command, "report", "a", "b")
    assert command("run", "b", "--dataset", f"npz:{archive}", *RUN, "--quiet")[0] == 0
    assert command("report", "a", "b") == (0, f"report: {Path('runs')}/a+b.html\n", "")
    assert json.loads((home / "a+b.json").read_text())["studies"] == ["a", "b"]
    assert command("report", "a", "--assets", "directory")[0] == 0
    assert (home / "a" / "report.html").stat().st_size < 1_000_000
    assert list((home / "a").glob("plotly-*.min.js"))
    assert "Invalid value for '--assets'" in refused(command, "report", "a", "--assets", "cdn")


def test_spaces_and_datasets_are_listed(command: Command) -> None:
    assert [line.split()[0] for line in command("spaces")[1].splitlines()] == [
        "dense", "paper", "cnn", "package.module:object",
    ]  # fmt: skip
    assert [line.split()[0] for line in command("datasets")[1].splitlines()] == [
        "digits",
        "mnist",
        "folder:DIR",
        "npz:FILE",
        "csv:FILE",
        "...",
    ]


def test_reading_a_study_imports_neither_keras_nor_tensorflow(home: Path, finished: Path) -> None:
    code = (
        "import sys; from study.cli import main\n"
        "codes = [main(words.split()) for words in ('status', 'best a', 'report a', 'export a -o a.csv')]\n"
        "assert codes == [0, 0, 0, 0], codes\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=home.parent, capture_output=True)


def test_a_space_is_listed_with_what_is_searched_and_its_baseline(command: Command) -> None:
    code, output, _ = command("spaces", "dense")
    assert code == 0
    header, *lines = output.splitlines()
    assert header.split() == ["Hyperparameter", "Searched", "Baseline"]
    rate = next(line for line in lines if line.startswith("learning_rate"))
    assert rate.split()[1:] == ["0.0003", "to", "0.01,", "log", "0.001"]
    assert lines[-1] == "As for images of 28 x 28 x 1 in 10 classes. The baseline is trained for 6 epochs."
    assert "did you mean dense?" in refused(command, "spaces", "dens")


def test_the_version_is_printed(command: Command) -> None:
    assert command("--version") == (0, f"study {study.__version__}\n", "")


@pytest.mark.parametrize(
    "words, hint",
    [
        (("run", "x", "--space", "dens"), "did you mean dense?"),
        (("run", "x", "--space", "dense,cnn"), "repeat --space for several: --space dense --space cnn"),
        (("run", "x", "--space", "dense", "cnn"), "repeat --space for several: --space dense --space cnn"),
        (("run", "x", "--dataset", "MNIST"), "did you mean mnist?"),
        (("run", "x", "--sampler", "TPE"), "did you mean tpe?"),
        (("spacs",), "Did you mean 'spaces'?"),
        (("report", "maed"), "did you mean made?"),
        (("status", "maed"), "--home names another folder"),
    ],
)
def test_what_was_mistaken_is_guessed(command: Command, home: Path, words: tuple[str, ...], hint: str) -> None:
    made.study(home, {"dense": []}).store.storage.engine.dispose()
    assert hint in refused(command, *words)


@pytest.mark.parametrize(
    "typed, found", [("study run --space d", "dense"), ("study report ma", "made"), ("study res", "resume")]
)
def test_the_shell_completes(home: Path, typed: str, found: str) -> None:
    made.study(home, {"dense": []}).store.storage.engine.dispose()
    words = typed.split()
    asked = {"_STUDY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    completed = subprocess.run(
        [sys.executable, "-m", "keras_study"], cwd=home.parent, env=os.environ | asked, capture_output=True, text=True
    )
    assert completed.stdout.split() == [found]


def test_the_dashboard_shows_the_study(home: Path) -> None:
    stored = made.study(home, {"dense": []})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StudyError, match=r"cannot be used .*; give another --port"):
            dashboard.serve(stored.store, port)
    stored.store.storage.engine.dispose()
    words = [sys.executable, "-m", "keras_study", "dashboard", "made", "--port", str(port)]
    with subprocess.Popen(
        words, cwd=home.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as served:
        page = f"http://127.0.0.1:{port}/api/studies"
        found = json.loads(wait(lambda: answered(page)))["study_summaries"]
        with ThreadPoolExecutor(1) as browser:  # which goes on asking until nobody answers
            browser.submit(lambda: all(iter(lambda: answered(page), None)))
            time.sleep(0.5)
            try:
                served.send_signal(signal.SIGINT)
                output, _ = served.communicate(timeout=60)
            finally:
                served.kill()
    assert {each["study_name"] for each in found} >= {"made/dense", "made/finals"}
    assert (served.returncode, output) == (0, f"open http://127.0.0.1:{port}/ and choose made/...; Ctrl-C ends it\n")


def answered(page: str) -> str | None:
    try:
        with urllib.request.urlopen(page) as answer:
            return str(answer.read().decode())
    except OSError:
        return None
