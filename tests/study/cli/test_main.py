"""The command line as a whole: its help, its exit codes, and what it does not import."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Command, study_table
from refusals import refused, tree

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


def test_no_command_prints_the_help(command: Command) -> None:
    code, _, error = command()
    assert code == 2
    assert "Commands:" in error
    assert error.count("\n") > 10


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


def test_a_mistyped_option_of_resume_is_not_called_fixed(command: Command) -> None:
    assert "No such option: --trails" in refused(command, "resume", "a", "--trails", "5")


@pytest.mark.parametrize("words", [("run",), ("status",), ("resume", "a"), ("report", "a")])
def test_a_file_that_is_no_database(command: Command, home: Path, words: tuple[str, ...]) -> None:
    home.mkdir()
    (home / "study.db").write_text("dear diary, this is no database")
    error = refused(command, *words)
    assert "study.db is not an SQLite database; move it away or give another --home or --storage" in error
    assert tree(home) == {str(home / "study.db"): b"dear diary, this is no database"}


def test_a_damaged_database(command: Command, home: Path) -> None:
    home.mkdir()
    (home / "study.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 500)
    error = refused(command, "status")
    assert "is damaged" in error or "is not an SQLite database" in error


def test_a_database_that_fails_while_it_is_used(command: Command, finished: Path) -> None:
    """Whatever the database says comes as one line, and what was finished is kept."""
    with sqlite3.connect(finished / "study.db") as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON trial_params BEGIN INSERT INTO gone VALUES (1); END")
    connection.close()
    code, _, error = command("resume", "a", "--trials", "3", "--quiet")
    assert code == 1
    assert "the storage failed: OperationalError: no such table: main.gone; what is finished is kept" in error
    assert error.count("\n") == 1
    with sqlite3.connect(finished / "study.db") as connection:
        connection.execute("DROP TRIGGER full")
    connection.close()
    assert command("resume", "a", "--trials", "3", "--quiet")[0] == 0
    assert [row[0] for row in study_table(finished, "a")["tiny:Tiny"]] == [0, 1, 2]


def test_studies_that_do_not_exist_name_those_that_do(
    command: Command, home: Path, request: pytest.FixtureRequest
) -> None:
    for words in (("resume",), ("report",), ("best",), ("status",), ("evaluate",), ("export", "-o", "x.csv")):
        assert "no study named 'b': it has none; 'study run' starts one" in refused(command, words[0], "b", *words[1:])
    assert not home.exists()
    request.getfixturevalue("finished")
    for words in (("resume",), ("report",), ("best",), ("status",), ("evaluate",), ("export", "-o", "x.csv")):
        assert "no study named 'b': it has a" in refused(command, words[0], "b", *words[1:])
