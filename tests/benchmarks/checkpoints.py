"""What an epoch costs more if a checkpoint is saved.

    python tests/benchmarks/checkpoints.py

Trains on arrays of MNIST's shape: the baseline of `dense` (and its widest configuration) and a CNN, with and without
checkpoints, alternating. Prints a table and a JSON line: seconds per epoch (median), the share that checkpoints add,
and the size of a file. The first epoch of each fit, which traces, is not counted. On a noisy machine a difference of
one per cent is lost in the noise, so the cost of a checkpoint is measured directly as well: the wall time that the
training waits for it plus the processor time of the thread that writes it, which is the most that it can cost.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from study.system import environment

environment.import_tensorflow()

import numpy as np
from arrays import arrays

from search_spaces import load
from study.images import Images
from study.search.hyperparameters import TrialHyperParameters
from study.training.checkpoints import Checkpoint, CheckpointFile
from study.training.epoch_callback import EpochCallback
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit

WIDEST = {"layers": 3, "units_0": 512, "units_1": 512, "units_2": 512}
CASES: dict[str, tuple[str, dict[str, Any], int, int]] = {
    # name: space, values, images, epochs
    "dense baseline": ("dense", {}, 50_000, 8),
    "dense widest": ("dense", WIDEST, 50_000, 5),
    "cnn baseline": ("cnn", {}, 12_800, 4),  # a quarter of an epoch, of which a checkpoint takes four times the share
}


class Measured(CheckpointFile):
    """Records the processor time of its writing thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.written: list[float] = []

    def _write(self, checkpoint: Checkpoint) -> None:
        began = time.thread_time()
        super()._write(checkpoint)
        self.written.append(time.thread_time() - began)


def measure_saving() -> list[float]:
    """A list to which each epoch appends the wall time that it waits for its checkpoint."""
    plain, waited = EpochCallback._save, []

    def save(*arguments: Any) -> None:
        began = time.perf_counter()
        plain(*arguments)
        waited.append(time.perf_counter() - began)

    EpochCallback._save = save  # type: ignore[method-assign]
    return waited


def epoch_seconds(
    space: str, values: dict[str, Any], images: Images, epochs: int, file: CheckpointFile | None
) -> list[float]:
    """Seconds of each epoch but the first; the last includes the wait for the last checkpoint."""
    hypermodel = load(space).hypermodel(images.x.shape[1:], 10)
    ends: list[float] = []
    # The last epoch of a fit saves nothing, so there is one more, which is not counted.
    hp = TrialHyperParameters.with_values(values)
    training = Training(hypermodel, hp, Examples(images, None), epochs=epochs + 1, seed=0)
    hooks = Hooks(on_epoch=lambda epoch, logs: ends.append(time.perf_counter()))
    fit(training, EpochLog(), hooks, file)
    return [after - before for before, after in itertools.pairwise(ends)][: epochs - 1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=list(CASES))
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    results = {}
    waited = measure_saving()
    for name in arguments.case or CASES:
        space, values, count, epochs = CASES[name]
        images = Images(*arrays(count, rng))
        size = 0
        seconds: dict[bool, list[float]] = {False: [], True: []}
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            waited.clear()
            file = Measured(Path(folder) / "a.npz", "a", lambda line: print(line, file=sys.stderr))
            for turn in range(arguments.rounds):
                for saving in (turn % 2 == 0, turn % 2 == 1):
                    seconds[saving] += epoch_seconds(space, values, images, epochs, file if saving else None)
                    size = file.file.stat().st_size if saving else size
                file.remove()
        plain, saved = (statistics.median(seconds[saving]) for saving in (False, True))
        direct = statistics.median(waited) + statistics.median(file.written)
        results[name] = {
            "direct_seconds": round(direct, 5), "direct": round(direct / plain, 5),
            "epoch_seconds": round(plain, 4), "with_checkpoint": round(saved, 4), "added": round(saved / plain - 1, 4),
            "epochs_each": len(seconds[True]), "file_bytes": size,
        }  # fmt: skip
    print(f"{'':16} {'s / epoch':>10} {'with':>8} {'added':>8} {'ms / file':>10} {'share':>8} {'MB':>6} {'n':>4}")
    for name, row in results.items():
        print(
            f"{name:16} {row['epoch_seconds']:10.3f} {row['with_checkpoint']:8.3f} {row['added']:8.2%} "
            f"{row['direct_seconds'] * 1000:10.1f} {row['direct']:8.2%} "
            f"{row['file_bytes'] / 1e6:6.1f} {row['epochs_each']:4}"
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
