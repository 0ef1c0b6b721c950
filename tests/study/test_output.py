"""What a user's code prints, raises or ends, and where the output goes: nothing of it ends a study."""

import os
import subprocess
import sys
from pathlib import Path

import ending
import pytest
import tiny
from helpers import Command
from refusals import refused

import study

WORDS = ("--epochs", "1", "--seeds", "1", "--confirm", "0", "--sampler", "kt-grid", "--data-dir", "data")


def kinds(name: str) -> dict[str, tuple[str, str | None]]:
    """State and error of each kind's trial."""
    table = study.load(name).trials
    rows = zip(table["hp.kind"], table["state"], table["error"], strict=True)
    return {kind: (state, error if isinstance(error, str) else None) for kind, state, error in rows}


EXPECTED = dict.fromkeys(("good", "prints"), ("complete", None)) | {
    kind: ("fail", error) for kind, error in ending.ERRORS.items()
}


@pytest.mark.parametrize("space", ["ending:build", "ending:Fitted"])
def test_what_ends_a_users_code_is_a_failed_trial(command: Command, home: Path, archive: Path, space: str) -> None:
    # Nine trials: declared in fit, the kinds are drawn at random, and ten failures in a row end a search.
    code, output, error = command("run", "a", "--space", space, "--dataset", f"npz:{archive}", "--trials", "9", *WORDS)
    assert code == 0, error
    found = kinds("a")
    found.pop("prints", None)  # to what pytest puts in the place of standard output
    assert all(EXPECTED[kind] == row for kind, row in found.items()), found
    assert len(found) >= (3 if space == "ending:Fitted" else len(ending.KINDS) - 1)
    assert "\x1b" not in output
    page = (home / "a" / "report.html").read_text()
    assert "\x1b" not in page
    assert "\\u001b[31mred" not in page


def shell(home: Path, command: str, **variables: str) -> tuple[int, bytes, bytes]:
    """A command under a shell, with a tiny archive in its folder: exit code, standard output, standard error."""
    tiny.write_archive(home.parent / "tiny.npz")
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent), **variables}
    words = f"set -o pipefail; {command}".replace("study ", f"{sys.executable} -m study ", 1)
    done = subprocess.run(["bash", "-c", words], cwd=home.parent, env=environment, capture_output=True)
    return done.returncode, done.stdout, done.stderr


RUN = f"study run a --dataset npz:tiny.npz {' '.join(WORDS)} --space ending:build"
FEW = 3
"""Trials with which there is one that prints and one that raises."""
SOME = {kind: EXPECTED[kind] for kind in ending.KINDS[:FEW]}


def test_with_worker_processes_whose_reader_goes_away(home: Path) -> None:
    """Also what the user's code prints goes nowhere then, and fails no trial."""
    code, output, error = shell(home, f"{RUN} --trials {len(ending.KINDS)} --workers 2 | head -n 1")
    assert (code, error) == (0, b"")
    assert output == b"loading TensorFlow and the data ...\n"
    assert kinds("a") == EXPECTED
    assert (home / "a" / "report.html").is_file()


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_with_closed_streams(home: Path, closed: str) -> None:
    assert shell(home, f"{RUN} --trials {FEW} --workers 0 {closed}")[0] == 0
    assert kinds("a") == SOME


def test_in_ascii(home: Path) -> None:
    code, output, error = shell(home, f"{RUN} --trials {FEW} --workers 1", PYTHONIOENCODING="ascii")
    assert code == 0, error
    text = output.decode("ascii")
    assert r"\xe9 \u2713 \udcff" in text
    assert r"failed    ValueError: \x1b[31mred\x1b[0m \udcff \u202e" in text
    assert kinds("a") == SOME


def test_a_full_disk_takes_no_output_but_the_study_is_done(home: Path) -> None:
    code, _, error = shell(home, f"{RUN} --trials {FEW} --workers 0 > /dev/full")
    assert (code, error) == (1, b"study: the output could not be written (No space left on device)\n")
    assert kinds("a") == SOME


def test_a_script_whose_reader_goes_away(home: Path) -> None:
    """Its streams are the user's; what the study shows goes nowhere."""
    (home.parent / "mine.py").write_text(
        "import ending, study\n"
        "study.run('a', spaces=[ending.build], dataset='npz:tiny.npz', data_dir='data', trials=1, epochs=1, seeds=1,\n"
        "          confirm=0)\n"
        "open('done', 'w').close()\n"
    )
    code, _, error = shell(home, f"{sys.executable} mine.py 2>&1 | head -c 0", PYTHONIOENCODING="ascii")
    assert code == 0, error
    assert (home.parent / "done").exists()


def test_defaults_that_end_the_process(command: Command, home: Path, archive: Path) -> None:
    error = refused(command, "run", "a", "--space", "ending:defaults", "--dataset", f"npz:{archive}")
    assert "cannot build its defaults: SystemExit: usage: spaces.py FILE" in error
    train = ("train", "--space", "ending:defaults", "--values", "{}", "--epochs", "1", "--dataset", f"npz:{archive}")
    assert "cannot be trained: SystemExit: usage: spaces.py FILE" in refused(command, *train)


def test_a_trial_that_ends_its_process(home: Path) -> None:
    run = RUN.replace("ending:build", "ending:ends_at_once")
    assert shell(home, f"{run} --trials 3 --workers 0")[0] == 3
    code, output, _ = shell(home, "study resume a")
    assert (code, b"in a row" in output) == (3, False)
    code, output, _ = shell(home, "study resume a")
    assert code == 3
    told = (
        "ending:ends_at_once trial 1: 2 processes in a row ended in it before it had finished an epoch; after 10 it is"
    )
    assert f"{told} given up, with 'study resume a --workers 1' after 3\n" in output.decode()
    code, output, error = shell(home, "study resume a --workers 1")
    assert code == 0, error
    found = study.load("a").trials
    assert list(found.state[:2]) == ["complete", "fail"]
    assert found.error[1].startswith("3 workers died in it: ended by exit code 3")
