"""What a study costs besides its training, and how fast the commands answer.

    python tests/benchmarks/overhead.py                       # 30 trials of `dense` on arrays of MNIST's shape
    python tests/benchmarks/overhead.py --manual-dir DIR      # on MNIST itself
    python tests/benchmarks/overhead.py --manual-dir DIR --study-options --pruner none

Training is what passes between the beginning and the end of an epoch, or of what a trial trained of it, validation
included. Everything else is outside: importing TensorFlow, reading the data, asking, building, storing, saving,
testing, the report. One worker, so that wall time can be divided. A study for each of several study seeds, for a search
that draws small models trains for half as long as one that draws large ones. The commands are timed in turns with the
imports they are held against.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
from arrays import write_archive

from study import storage as storage_room
from study.config import StudyConfig
from study.records import RECORD, TrialRecord

EPOCHS_FILE = "BENCHMARK_EPOCHS"
HELP = ["-m", "study", "--help"]
STATUS = ["-m", "study", "status"]


def study_outside(
    folder: Path, trials: int, seed: int, manual_dir: Path | None, study_options: list[str]
) -> dict[str, Any]:
    """A study's wall time, and the part of it that was no training."""
    if manual_dir is None:
        data = ["--dataset", write_archive(folder / "images.npz", 60_000, 10_000)]
    else:
        data = ["--dataset", "mnist", "--manual-dir", str(manual_dir)]
    words = ["run", "a", *data, "--space", "timed_space:Dense", "--trials", str(trials), "--seed", str(seed)]
    words += ["--workers", "1", *study_options]
    epochs = folder / "epochs"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), EPOCHS_FILE: str(epochs)}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "study", *words, "--quiet"], cwd=folder, check=True, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wall = time.perf_counter() - began
    training = [float(line.split()[1]) - float(line.split()[0]) for line in epochs.read_text().splitlines()]
    return {
        "seed": seed, "epochs": len(training), "wall_seconds": round(wall, 1),
        "outside_seconds": round(wall - sum(training), 1), "outside": round(1 - sum(training) / wall, 4),
    }  # fmt: skip


def thousand_trials(home: Path) -> None:
    """A study of 1,000 finished trials."""
    home.mkdir()
    config = StudyConfig(name="a", spaces=("dense",), trials=1000)
    storage = storage_room.open_storage(storage_room.storage_url(home, None), create=True)
    assert storage is not None
    storage_room.create_study(storage, config, {"fingerprint": {}, "environment": {}})
    study = storage_room.load(storage, config.study_name("dense"))
    distribution = optuna.distributions.FloatDistribution(0, 1)
    curve = [0.9 + 0.01 * epoch for epoch in range(8)]
    for number in range(1000):
        record = TrialRecord(
            values={"x": 0.5}, epochs=8, best_epoch=8, parameters=1000, seconds=8.0,
            history={"val_accuracy": list(curve), "loss": list(curve)}, seed=number, worker="a:1",
        )  # fmt: skip
        study.add_trial(optuna.trial.create_trial(
            params={"x": 0.5}, distributions={"x": distribution}, value=curve[-1],
            user_attrs={RECORD: record.to_json()}, intermediate_values=dict(enumerate(curve, 1)),
        ))  # fmt: skip


def command_seconds(folder: Path, rounds: int) -> dict[str, Any]:
    """Wall time of commands and of bare imports, the medians of as many turns."""
    thousand_trials(folder / "runs")
    commands = {
        "study --help": HELP,
        "import typer, rich": ["-c", "import typer, rich"],
        "study status, 1,000 trials": STATUS,
        "import optuna, sqlalchemy": ["-c", "import optuna, sqlalchemy"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(times), 3) for name, times in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--studies", type=int, default=3, help="With study seeds 0, 1, ...")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--manual-dir", type=Path, help="MNIST's original files.")
    parser.add_argument("--study-options", nargs=argparse.REMAINDER, default=[], help="Others than the defaults.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = command_seconds(Path(folder), arguments.rounds)
    for name, seconds in commands.items():
        print(f"{name:30} {seconds:8.3f} s")
    manual_dir = arguments.manual_dir and arguments.manual_dir.absolute()
    studies = []
    for seed in range(arguments.studies):
        with tempfile.TemporaryDirectory() as folder:
            found = study_outside(Path(folder), arguments.trials, seed, manual_dir, arguments.study_options)
        print(
            f"study seed {seed}: {arguments.trials} trials and finals, {found['epochs']} epochs: "
            f"{found['wall_seconds']} s; outside training {found['outside_seconds']} s, {found['outside']:.1%}"
        )
        studies.append(found)
    outside = statistics.median(found["outside"] for found in studies)
    print(f"outside training, the median of {len(studies)}: {outside:.1%}")
    print(json.dumps({"trials": arguments.trials, "outside": outside, "studies": studies, **commands}))


if __name__ == "__main__":
    main()
