"""Modules of the user's that have the names of our packages, beside real processes."""

import os
import subprocess
import sys
from pathlib import Path

import made
import pytest
import tiny
from made import final_record, trial_record
from namesakes import FOLDER, MODULE, PACKAGE, write
from optuna.trial import TrialState

OURS = ("reports", "search_spaces", "study")


def run(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    """A program of Python's in that folder: exit code and output."""
    paths = [str(Path(tiny.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a study in its default home."""
    rows = {"dense": [(TrialState.COMPLETE, 0.9, trial_record())]}
    finals = [final_record(role="baseline", trial=0, seed_index=index) for index in range(3)]
    made.study(tmp_path / "runs", rows, finals, seeds=3)
    return tmp_path


@pytest.mark.parametrize("kind", [FOLDER, PACKAGE, MODULE])
def test_a_report_is_made_beside_modules_of_those_names(folder: Path, kind: str) -> None:
    for name in ("reports", "search_spaces"):
        write(folder, name, kind)
    write(folder, "study", FOLDER)
    code, output = run(folder, "-m", "study", "report", "made")
    assert (code, output) == (0, "report: runs/made/report.html\n")
    assert "not ours" not in (folder / "runs" / "made" / "report.html").read_text()


@pytest.mark.parametrize("kind", [FOLDER, PACKAGE, MODULE])
def test_the_console_script_finds_our_package(folder: Path, kind: str) -> None:
    for name in OURS:
        write(folder, name, kind)
    script = folder / "bin" / "study"
    script.parent.mkdir()
    script.write_text("import sys\n\nfrom keras_study import entry_point\n\nsys.exit(entry_point())\n")
    root = str(Path(__file__).parents[2])
    code, output = run(folder, str(script), "report", "made", PYTHONPATH=os.pathsep.join([str(folder), root]))
    assert (code, output) == (0, "report: runs/made/report.html\n")


def test_worker_processes_find_our_packages(folder: Path) -> None:
    tiny.write_archive(folder / "tiny.npz")
    for name in ("reports", "search_spaces"):
        write(folder, name, PACKAGE)
    code, output = run(
        folder, "-m", "study", "run", "a", "--space", "tiny:Tiny", "--dataset", "npz:tiny.npz", "--data-dir", "data",
        "--trials", "1", "--epochs", "1", "--seeds", "1", "--confirm", "0", "--workers", "1",
    )  # fmt: skip
    assert code == 0, output
    assert "report: runs/a/report.html" in output


@pytest.mark.parametrize("name", ["reports", "search_spaces"])
@pytest.mark.parametrize("kind", [PACKAGE, MODULE])
def test_a_script_is_told_what_hides_our_package(folder: Path, name: str, kind: str) -> None:
    """The script may use its own module, so ours cannot take its place."""
    file = write(folder, name, kind)
    (folder / "mine.py").write_text(
        "import study\ntry:\n    study.load\nexcept study.StudyError as error:\n    print(error)"
    )
    code, output = run(folder, "mine.py")
    assert code == 0
    assert output == (
        f"the package {name} of keras-study is hidden by {file}, which has its name; rename that, or start from "
        "another folder\n"
    )


def test_a_folder_without_code_hides_nothing_from_a_script(folder: Path) -> None:
    for name in OURS:
        write(folder, name, FOLDER)
    (folder / "mine.py").write_text("import study\nprint(study.load('made').report())")
    code, output = run(folder, "mine.py")
    assert (code, output) == (0, f"{folder / 'runs' / 'made' / 'report.html'}\n")
