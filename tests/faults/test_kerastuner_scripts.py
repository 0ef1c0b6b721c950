"""Scripts end with a result of the same kind, with KerasTuner and with another import; and they may be killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
import scripts

import study.keras_tuner

pytestmark = pytest.mark.skipif("config.getoption('--postgresql')", reason="a tuner keeps its trials in SQLite")
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", scripts.scripts)
def test_a_script_ends_with_a_result_of_the_same_kind(name: str, tmp_path: Path) -> None:
    ours = scripts.kind(scripts.scripts[name](study.keras_tuner, tmp_path / "ours"))
    if name not in scripts.NOT_THEIRS:
        assert ours == scripts.kind(scripts.scripts[name](keras_tuner, tmp_path / "theirs"))


KILLED = """
import json, sys
import numpy as np
import tiny
import keras
from study import keras_tuner

def build_model(hp):
    units = hp.Int("units", 4, 12, step=4)
    return tiny.compiled(keras.layers.Dense(units, "relu"), learning_rate=hp.Choice("rate", [0.1, 0.01]))

name, folder = sys.argv[1:]
budget = {"Hyperband": {"max_epochs": 3}, "GridSearch": {}}.get(name, {"max_trials": 5})
tuner = getattr(keras_tuner, name)(build_model, objective="val_loss", directory=folder, project_name="guide", **budget)
x, y = np.random.default_rng(0).integers(0, 256, (90, 6, 6, 1)) / 255, np.arange(90) % 3
epochs = {} if name == "Hyperband" else {"epochs": 3}
tuner.search(x[:60], y[:60], validation_data=(x[60:], y[60:]), **epochs)
trials = [(each.trial_id, each.score) for each in tuner.oracle.get_best_trials(99)]
print(json.dumps([tuner.get_best_hyperparameters()[0].values, trials]))
"""


@pytest.mark.parametrize("name", ["RandomSearch", "BayesianOptimization", "GridSearch", "Hyperband", "OptunaTuner"])
def test_killed_and_resumed_a_tuner_finds_the_same(name: str, tmp_path: Path) -> None:
    script = tmp_path / "guide.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": f"{SUPPORT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    def run(folder: str, kill_after: str | None) -> Any:
        command = [sys.executable, str(script), name, str(tmp_path / folder)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if kill_after is not None and kill_after in line:
                    process.send_signal(signal.SIGKILL)
        return lines[-1]

    whole = json.loads(run("whole", None))
    run("killed", "trial 1 ")
    assert json.loads(run("killed", None)) == whole
