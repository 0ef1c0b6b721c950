"""Trials per hour: one worker with every core against `--workers auto`, alternating.

    python tests/benchmarks/workers.py                                             # the `dense` space
    python tests/benchmarks/workers.py --space cnn --images 6000 --epochs 1

Both train the same random configurations, without pruning, on arrays of MNIST's shape. The clock runs from the start of
the first trial to the end of the last one: what a study costs once does not count, waiting for the slowest worker does.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from arrays import write_archive

from study.storage import results
from study.storage.address import Address
from study.storage.store import Store


def trials_per_hour(folder: Path, data: str, workers: str, options: Any, turn: int) -> tuple[float, int]:
    """Trials per hour of one study, and how many workers it had."""
    name = f"{workers}-{turn}"
    words = ["run", name, "--space", options.space, "--dataset", data, "--trials", str(options.trials),
             "--epochs", str(options.epochs), "--seeds", "1", "--sampler", "random", "--pruner", "none",
             "--workers", workers, "--quiet"]  # fmt: skip
    subprocess.run([sys.executable, "-m", "study", *words], cwd=folder, check=True, capture_output=True)
    store = Store.open(Address.of(folder / "runs"))
    assert store is not None
    study = store.study(name)
    trials = results.trials(study, options.space)
    began = min(trial.datetime_start for trial in trials if trial.datetime_start)
    ended = max(trial.datetime_complete for trial in trials if trial.datetime_complete)
    return 3600 * len(trials) / (ended - began).total_seconds(), study.resources.workers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="dense")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"1": [], "auto": []}
    chosen = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_archive(folder / "images.npz", options.images, 1000)
        for turn in range(options.rounds):
            for workers in ("1", "auto") if turn % 2 == 0 else ("auto", "1"):
                rate, count = trials_per_hour(folder, data, workers, options, turn)
                rates[workers].append(rate)
                chosen = max(chosen, count)
                print(f"round {turn}  --workers {workers:5} {rate:8.0f} trials per hour", file=sys.stderr, flush=True)
    one, auto = (statistics.median(rates[workers]) for workers in ("1", "auto"))
    print(f"{options.space}: 1 worker {one:.0f}, auto ({chosen}) {auto:.0f} trials per hour: {auto / one:.2f}")
    print(json.dumps({"space": options.space, "auto": chosen, "ratio": auto / one, "trials_per_hour": rates}))


if __name__ == "__main__":
    main()
