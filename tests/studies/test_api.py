"""Studies from Python, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import start

import study
from study.errors import StudyError


def test_workers_take_spaces_and_callbacks_as_objects(home: Path, archive: Path) -> None:
    script = home.parent / "script.py"
    script.write_text(SCRIPT.format(archive=archive))
    support = Path(__file__).parents[1] / "support"
    environment = {**os.environ, "PYTHONPATH": f"{support}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, cwd=home.parent)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "3 trials, 1 finals"


SCRIPT = """
import keras
import study
import tiny

class Mine(tiny.Tiny):
    pass

if __name__ == "__main__":
    found = study.run("a", spaces=[Mine], dataset="npz:{archive}", trials=3, epochs=1, seeds=1, workers=1,
                      callbacks=[keras.callbacks.EarlyStopping()])
    print(len(found.trials), "trials,", len(found.finals), "finals")
"""


def test_a_running_study_can_be_looked_at(home: Path, archive: Path) -> None:
    process = start(home, "run", "a", "--space", "tiny:Slow", "--dataset", f"npz:{archive}", "--trials", "40")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "trial 0 " in line:
                break
        found = study.load("a")
        assert 1 <= len(found.trials) < 40
        assert len(found.finals) == 0
        with pytest.raises(StudyError, match="has no saved model of tiny:Slow yet"):
            found.best_model()
    finally:
        process.kill()
        process.communicate()
