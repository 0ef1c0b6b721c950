"""What a study costs besides its training, and how fast the commands answer.

    python tests/benchmarks/overhead.py                       # 30 trials of `dense` on arrays of MNIST's shape
    python tests/benchmarks/overhead.py --manual-dir DIR      # on MNIST itself
    python tests/benchmarks/overhead.py --manual-dir DIR --study-options --pruner none

Training is the time from the beginning to the end of each epoch, validation included; of an epoch that was not
finished, the part that was trained. All other time is outside: importing TensorFlow, reading the data, sampling,
building, storing, saving, testing, the report. There is one worker, so that wall time can be divided. Searches that
draw small models train for half as long as those that draw large ones, so several studies are measured, each with a
study seed of its own. Commands and the imports that they are compared with are timed alternately.

The figure to judge by is the time outside training per fit, for 30 trials on MNIST with the default options: wall time
minus training time, divided by the number of fits, which are the trials and the finals. The bar is 0.40 s per fit.
Unlike the share of the wall time, it does not depend on how fast the models train.
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

from study.config import Definition, Resources
from study.records import RECORD, TrialRecord
from study.storage import results
from study.storage.address import Address
from study.storage.store import Store

EPOCHS_FILE = "BENCHMARK_EPOCHS"
HELP = ["-m", "study", "--help"]
STATUS = ["-m", "study", "status"]


def study_outside(
    folder: Path, trials: int, seed: int, manual_dir: Path | None, study_options: list[str]
) -> dict[str, Any]:
    """A study's wall time, its fits, and the time outside training: in all, per fit, and as a share."""
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
    fits, outside = fits_of(folder / "runs"), wall - sum(training)
    return {
        "seed": seed, "fits": fits, "epochs": len(training), "wall_seconds": round(wall, 1),
        "outside_seconds": round(outside, 1), "outside_per_fit": round(outside / fits, 3),
        "outside": round(outside / wall, 4),
    }  # fmt: skip


def fits_of(home: Path) -> int:
    """Trials and finals of the study `a`."""
    store = Store.open(Address.of(home))
    assert store is not None
    study = store.study("a")
    return sum(results.finished(study, space) for space in study.definition.spaces) + len(results.finals(study))


def thousand_trials(home: Path) -> None:
    """A study of 1,000 finished trials."""
    home.mkdir()
    store = Store.open(Address.of(home), create=True)
    assert store is not None
    definition = Definition(name="a", spaces=("dense",), trials=1000)
    study = store.create_study(definition, Resources(), {"fingerprint": {}, "environment": {}})
    search = study.part("dense")
    distribution = optuna.distributions.FloatDistribution(0, 1)
    curve = [0.9 + 0.01 * epoch for epoch in range(8)]
    for number in range(1000):
        record = TrialRecord(
            values={"x": 0.5}, epochs=8, best_epoch=8, parameters=1000, seconds=8.0,
            history={"val_accuracy": list(curve), "loss": list(curve)}, seed=number, worker="a:1",
        )  # fmt: skip
        search.add_trial(optuna.trial.create_trial(
            params={"x": 0.5}, distributions={"x": distribution}, value=curve[-1],
            user_attrs={RECORD: record.to_json()}, intermediate_values=dict(enumerate(curve, 1)),
        ))  # fmt: skip


def command_seconds(folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of commands and of bare imports: medians over the rounds."""
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
    parser.add_argument("--studies", type=int, default=3, help="How many; their study seeds are 0, 1, ...")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--manual-dir", type=Path, help="MNIST's original files.")
    parser.add_argument(
        "--study-options", nargs=argparse.REMAINDER, default=[], help="Study options: the rest of the line."
    )
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
            f"study seed {seed}: {found['fits']} fits (trials and finals), {found['epochs']} epochs: "
            f"{found['wall_seconds']} s; outside training {found['outside_per_fit']:.3f} s per fit "
            f"({found['outside_seconds']} s, {found['outside']:.1%})",
            flush=True,
        )
        studies.append(found)
    medians = {name: statistics.median(found[name] for found in studies) for name in ("outside_per_fit", "outside")}
    print(
        f"outside training, median over the study seeds: {medians['outside_per_fit']:.3f} s per fit, "
        f"{medians['outside']:.1%}"
    )
    print(json.dumps({"trials": arguments.trials, **medians, "studies": studies, **commands}))


if __name__ == "__main__":
    main()
