"""The commands: what they print, what they refuse, and that a refusal leaves nothing behind."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
import tiny
from helpers import Command, study_table

from study import storage as storage_room

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


def refused(command: Command, *words: str) -> str:
    """The one line of a refusal."""
    code, output, error = command(*words)
    assert code == 2, (output, error)
    assert output.replace("loading TensorFlow and the data ...\n", "") == ""
    assert error.startswith("study: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize(
    "words, said",
    [
        (("--space", "sparse"), "no search space 'sparse': give dense, paper, cnn or package.module:object"),
        (("--space", "nowhere.at.all:Space"), "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        (("--space", "tiny:nothing"), "the module 'tiny' has no 'nothing'"),
        (("--space", "tiny:no_space"), "it must be a keras_tuner.HyperModel (class or instance) or a function"),
        (("--space", "tiny:broken_defaults"), "cannot build its defaults: RuntimeError: nothing here"),
        (("--dataset", "mnits"), "there is no data set 'mnits': give digits, mnist, npz:FILE"),
        (("--dataset", "npz:none.npz"), "none.npz cannot be read: No such file or directory"),
        (("--sampler", "best"), "--sampler must be one of tpe, random, qmc, nsga2, gp, kt-random"),
        (("--sampler", "grid"), "--sampler grid cannot be had: Optuna's grid must be given whole"),
        (("--direction", "minimize"), "--direction of val_accuracy is maximize; it was given minimize"),
        (("--pruner", "best"), "--pruner must be one of median, sha, none; it was given 'best'"),
        (
            ("--objective", "speed"),
            "--objective is val_accuracy or val_loss, or a metric that the models report together with --direction",
        ),
        (("--trials", "0"), "--trials must be at least 1; it was given 0"),
        (("--trials", "many"), "Invalid value for '--trials': Input should be a valid integer"),
        (("--epochs", "-1"), "--epochs must be at least 1; it was given -1"),
        (("--seeds", "0"), "--seeds must be at least 1; it was given 0"),
        (("--workers", "-1"), "--workers must be at least 0; it was given -1"),
        (("--workers", "1000"), "--workers must be at most 256; it was given 1000"),
        (("--memory-limit", "much"), "--memory-limit is a size such as 4GB or 2GiB; it was given 'much'"),
        (("--memory-limit", "1MB", "--workers", "1"), "--memory-limit must be at least 1GB"),
        (("--memory-limit", "4GB", "--workers", "0"), "--memory-limit is a worker process's"),
        (("--timeout", "soon"), "--timeout is a duration such as 90s, 30m or 1h30m; it was given 'soon'"),
        (("--storage", "nonsense"), "--storage is a database URL such as"),
        (("--storage", "sqlite://"), "a study is kept in a file"),
        (("--storage", "oracle9://user:secret@host/db"), "needs a driver"),
        (("--no-such-option",), "No such option: --no-such-option"),
        (("--storage", "postgresql://user:secret@host:abc/db"), "--storage is a database URL such as"),
        (("--storage", "sqlite:///none/study.db"), "there is no folder"),
        (("a/b",), "a study's name is letters, digits"),
        (("..",), "a study's name is letters, digits"),
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
        "it lacks x_test, y_test": {"x_train": np.zeros((9, 2, 2)), "y_train": np.zeros(9)},
        "has pixels that are NaN": {"x_train": np.full((90, 6, 6), np.nan)},
        "class 3 has 1": {"y_train": np.r_[3, np.arange(89) % 3]},
        "must be integer labels": {"y_train": (np.arange(90) % 3).astype(str)},
        "must be images": {"x_train": np.zeros((90, 36), np.uint8)},
    }
    for said, arrays in cases.items():
        file = home.parent / "bad.npz"
        np.savez(file, **arrays) if "x_test" in said else tiny.write_archive(file, **arrays)
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


def test_run_refuses_a_name_that_exists(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    before = tree(home)
    error = refused(command, "run", "a", "--dataset", f"npz:{archive}", *RUN)
    assert "the study 'a' exists (2 of 2 trials of tiny:Tiny); 'study resume a' goes on with it" in error
    assert {name: text for name, text in tree(home).items() if "study.db" not in name} == {
        name: text for name, text in before.items() if "study.db" not in name
    }


def test_studies_that_do_not_exist_name_those_that_do(command: Command, home: Path, archive: Path) -> None:
    for words in (("resume",), ("report",), ("best",), ("status",), ("evaluate",), ("export", "-o", "x.csv")):
        assert "no study named 'b': it has none; 'study run' begins one" in refused(command, words[0], "b", *words[1:])
    assert not home.exists()
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    for words in (("resume",), ("report",), ("best",), ("status",), ("evaluate",), ("export", "-o", "x.csv")):
        assert "no study named 'b': it has a" in refused(command, words[0], "b", *words[1:])


@pytest.mark.parametrize("where", ["file/runs", "file"])
def test_a_home_that_cannot_be_written(command: Command, home: Path, where: str) -> None:
    (home.parent / "file").write_text("in the way")
    error = refused(command, "run", "--home", where)
    assert f"the home {where} cannot be written" in error
    assert tree(home.parent) == {str(home.parent / "file"): b"in the way"}


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_home_without_the_right_to_write(home: Path) -> None:
    """As another user where the tests run as root: permissions do not bind root."""
    home.mkdir()
    home.chmod(0o555)
    home.parent.chmod(0o755)
    user = ["setpriv", "--reuid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
    code = (
        "import os, sys; os.chdir('/'); from pathlib import Path; from study.storage import check_places\n"
        "try: check_places(Path(sys.argv[1]), 'a', None)\nexcept Exception as error: print(type(error).__name__, error)"
    )
    for folder in home.parents:
        if not os.stat(folder).st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    if any(not os.stat(folder).st_mode & 0o001 for folder in Path(sys.prefix).parents):
        pytest.skip("the environment's folder is closed to other users")
    output = subprocess.run([*user, sys.executable, "-c", code, str(home)], capture_output=True, text=True)
    assert output.stdout.startswith(f"StudyError the home {home} cannot be written"), output


@pytest.mark.parametrize("words", [("run",), ("status",), ("resume", "a"), ("report", "a")])
def test_a_file_that_is_no_database(command: Command, home: Path, words: tuple[str, ...]) -> None:
    home.mkdir()
    (home / "study.db").write_text("dear diary, this is no database")
    error = refused(command, *words)
    assert "study.db is no SQLite database; move it away or give another --home or --storage" in error
    assert tree(home) == {str(home / "study.db"): b"dear diary, this is no database"}


def test_a_damaged_database(command: Command, home: Path) -> None:
    home.mkdir()
    (home / "study.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 500)
    error = refused(command, "status")
    assert "is damaged" in error or "is no SQLite database" in error


@pytest.mark.parametrize("option", ["--sampler", "--epochs", "--space", "--dataset", "--pruner", "--seed"])
def test_resume_does_not_take_what_is_fixed(command: Command, home: Path, option: str) -> None:
    error = refused(command, "resume", "a", option, "random")
    assert f"{option} is fixed when a study starts; 'study resume' takes --trials, --timeout" in error
    assert not home.exists()


def test_a_database_that_fails_while_it_is_used(command: Command, home: Path, archive: Path) -> None:
    """Whatever the database says comes as one line, and what was finished is kept."""
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    with sqlite3.connect(home / "study.db") as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON trial_params BEGIN INSERT INTO gone VALUES (1); END")
    connection.close()
    code, _, error = command("resume", "a", "--trials", "3", "--quiet")
    assert code == 1
    assert "the storage failed: OperationalError: no such table: main.gone; what is finished is kept" in error
    assert error.count("\n") == 1
    with sqlite3.connect(home / "study.db") as connection:
        connection.execute("DROP TRIGGER full")
    connection.close()
    assert command("resume", "a", "--trials", "3", "--quiet")[0] == 0
    assert [row[0] for row in study_table(home, "a")["tiny:Tiny"]] == [0, 1, 2]


def test_a_mistyped_option_of_resume_is_not_called_fixed(command: Command) -> None:
    assert "No such option: --trails" in refused(command, "resume", "a", "--trails", "5")


def test_no_command_prints_the_help(command: Command) -> None:
    code, _, error = command()
    assert code == 2
    assert "Commands:" in error
    assert error.count("\n") > 10


def test_other_peoples_studies_in_the_database_are_passed_over(command: Command, home: Path) -> None:
    import optuna

    home.mkdir()
    for name in ("mine", "other/finals"):
        optuna.create_study(study_name=name, storage=f"sqlite:///{home}/study.db")
    assert command("status") == (0, "there is no study yet; 'study run' begins one\n", "")


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
    assert "0 running, 0 left; best" in output
    state = json.loads(command("status", "a", "--json")[1])
    assert state["spaces"][0]["finished"] == 2
    assert state["finals"] == 4
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
    assert "--seeds counts from the start and may grow only; a has 2" in refused(command, "resume", "a", "--seeds", "1")

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


def test_optunas_own_command_line_lists_the_trials(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", "--space", "dense", "--trials", "2", "--epochs", "1",
            "--seeds", "1", "--quiet")  # fmt: skip
    optuna_command = Path(sys.executable).parent / "optuna"
    listed = subprocess.run(
        [optuna_command, "trials", "--study-name", "a/dense", "--storage", f"sqlite:///{home}/study.db", "-f", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [trial["number"] for trial in json.loads(listed.stdout)] == [0, 1]


def test_the_database_is_run_as_it_should_be(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    with sqlite3.connect(home / "study.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        attributes = connection.execute("SELECT key, value_json FROM study_user_attributes").fetchall()
    connection.close()
    assert {key for key, _ in attributes} == {"config", "fingerprint", "environment", "classes"}
    for _, text in attributes:
        json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def test_a_creation_that_was_interrupted_is_taken_up(command: Command, home: Path, archive: Path) -> None:
    home.mkdir()
    storage = storage_room.open_storage(storage_room.storage_url(home, None), create=True)
    assert storage is not None
    import optuna

    half_made = optuna.create_study(study_name="a/dense", storage=storage)
    half_made.set_user_attr("config", {})
    assert command("status")[1] == "there is no study yet; 'study run' begins one\n"
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN)[0] == 0
    assert sorted(study.study_name for study in storage.get_all_studies()) == ["a/finals", "a/tiny:Tiny"]


def test_spaces_and_datasets_are_listed(command: Command) -> None:
    assert [line.split()[0] for line in command("spaces")[1].splitlines()] == [
        "dense", "paper", "cnn", "package.module:object",
    ]  # fmt: skip
    assert [line.split()[0] for line in command("datasets")[1].splitlines()] == ["digits", "mnist", "npz:FILE", "..."]


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from study.cli import main; main(['--help']); main(['run', '--help']);"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for word in ("run", "resume", "status", "evaluate", "report", "export", "best", "spaces", "datasets", "--sampler"):
        assert word in output
    imported = output.splitlines()[-1]
    for heavy in ("tensorflow", "keras", "optuna", "sqlalchemy", "pandas", "plotly", "numpy", "scipy"):
        assert f"'{heavy}'" not in imported


def test_reading_a_study_imports_neither_keras_nor_tensorflow(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN)
    code = (
        "import sys; from study.cli import main\n"
        "codes = [main(words.split()) for words in ('status', 'best a', 'report a', 'export a -o a.csv')]\n"
        "assert codes == [0, 0, 0, 0], codes\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=home.parent, capture_output=True)


def test_tensorflows_noise_is_kept_out(home: Path, archive: Path) -> None:
    words = [sys.executable, "-m", "study", "run", "--dataset", f"npz:{archive}", "--data-dir", "data", *RUN]
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent)}
    done = subprocess.run(words, cwd=home.parent, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_live_display_on_a_terminal(home: Path, archive: Path) -> None:
    """On a real pseudo-terminal: bars that move, and no more lines than trials and finals afterwards."""
    import pty

    words = [sys.executable, "-m", "study", "run", "--dataset", f"npz:{archive}", "--data-dir", "data", *RUN[:-1]]
    main_end, other_end = pty.openpty()
    environment = {
        **os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent), "TERM": "xterm-256color", "COLUMNS": "120",
    }  # fmt: skip
    process = subprocess.Popen(words, cwd=home.parent, env=environment, stdout=other_end, stderr=other_end)
    os.close(other_end)
    chunks = []
    while True:
        try:
            chunk = os.read(main_end, 65536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(main_end)
    shown = b"".join(chunks).decode()
    assert process.wait() == 0
    for part in ("tiny:Tiny", "2/2", "trial 1, epoch", "best 0.", "finals", "left"):
        assert part in shown, part
