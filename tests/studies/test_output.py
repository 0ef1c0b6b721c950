"""Where the output of a command goes, and code that ends its process: nothing of it ends a study."""

import os
import subprocess
import sys
from pathlib import Path

import ending
import pytest
import tiny

import study

WORDS = ("--epochs", "1", "--seeds", "1", "--confirm", "0", "--sampler", "kt-grid", "--data-dir", "data")


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
SOME = {kind: ending.EXPECTED[kind] for kind in ending.KINDS[:FEW]}


def test_with_worker_processes_whose_reader_goes_away(home: Path) -> None:
    """Also what the user's code prints goes nowhere then, and fails no trial."""
    code, output, error = shell(home, f"{RUN} --trials {len(ending.KINDS)} --workers 2 | head -n 1")
    assert (code, error) == (0, b"")
    assert output == b"loading TensorFlow and the data ...\n"
    assert ending.kinds("a") == ending.EXPECTED
    assert (home / "a" / "report.html").is_file()


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_with_closed_streams(home: Path, closed: str) -> None:
    assert shell(home, f"{RUN} --trials {FEW} --workers 0 {closed}")[0] == 0
    assert ending.kinds("a") == SOME


def test_in_ascii(home: Path) -> None:
    code, output, error = shell(home, f"{RUN} --trials {FEW} --workers 1", PYTHONIOENCODING="ascii")
    assert code == 0, error
    text = output.decode("ascii")
    assert r"\xe9 \u2713 \udcff" in text
    assert r"failed    ValueError: \x1b[31mred\x1b[0m \udcff \u202e" in text
    assert ending.kinds("a") == SOME


def test_a_full_disk_takes_no_output_but_the_study_is_done(home: Path) -> None:
    code, _, error = shell(home, f"{RUN} --trials {FEW} --workers 0 > /dev/full")
    assert (code, error) == (1, b"study: the output could not be written (No space left on device)\n")
    assert ending.kinds("a") == SOME


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
