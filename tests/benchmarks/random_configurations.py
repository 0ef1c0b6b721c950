"""How much of a space trains well: random configurations, a few epochs each, judged on the validation images.

    python tests/benchmarks/random_configurations.py --manual-dir DIR
    python tests/benchmarks/random_configurations.py --manual-dir DIR --configurations 3 --epochs 1 --images 2000

Prints a line per configuration as it ends: number, the best validation accuracy and that of the last epoch in %, wall
seconds (all of build and fit, beside the other workers), parameters, and the hyperparameters; then the share that
reached each of the accuracies that are asked for, and a JSON line. Each worker has one thread.
"""

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

REACHED = (0.985, 0.993)
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """What all configurations share."""

    space: str
    dataset: str
    manual_dir: Path | None
    epochs: int
    images: int | None
    seed: int
    descents: tuple[int, ...]
    precision: str


def trained(settings: Settings, number: int) -> dict[str, Any]:
    """Draw a configuration and train it. Its draw, its weights and the order of its images follow from its number."""
    from study.system import environment

    environment.import_tensorflow()
    import keras
    import optuna

    from search_spaces import load
    from study.data import datasets
    from study.search.hyperparameters import TrialHyperParameters
    from study.training.epochs import EpochLog
    from study.training.examples import Examples
    from study.training.fit import Training, fit

    keras.config.set_dtype_policy(settings.precision)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    manual_dir = None if settings.manual_dir is None else str(settings.manual_dir)
    data = datasets.load(settings.dataset, split_seed=0, manual_dir=manual_dir)
    train = data.train if settings.images is None else data.train.part(slice(settings.images))
    hypermodel = load(settings.space).hypermodel(data.input_shape, data.num_classes)
    seed = settings.seed + number
    hp = TrialHyperParameters(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed)).ask())
    log, began, error = EpochLog(), time.perf_counter(), None
    try:
        examples = Examples(train, data.validation)
        fit(Training(hypermodel, hp, examples, settings.epochs, seed, descents=settings.descents), log)
    except Exception as raised:  # diverged
        error = str(raised)
    accuracies = [each for each in log.history.get("val_accuracy", []) if each is not None]
    return {
        "number": number, "best": max(accuracies, default=0.0), "last": accuracies[-1] if accuracies else 0.0,
        "seconds": round(time.perf_counter() - began, 1), "parameters": log.parameters, "values": hp.values,
        "error": error, "curve": accuracies,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="cnn")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--manual-dir", type=Path, metavar="DIR", help="Folder with the data set's original files.")
    parser.add_argument("--configurations", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, help="Training images; all of them if it is not given.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--reach", type=float, nargs="+", default=REACHED, help="Accuracies to count.")
    parser.add_argument("--descents", type=int, nargs="*", default=[], help="Epochs after which schedules begin again.")
    parser.add_argument("--precision", default="float32", help="As for 'study run'.")
    given = parser.parse_args()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    settings = Settings(
        given.space,
        given.dataset,
        given.manual_dir,
        given.epochs,
        given.images,
        given.seed,
        tuple(given.descents),
        given.precision,
    )
    rows: list[dict[str, Any]] = []
    print(f"{'':>4} {'best':>6} {'last':>6} {'s':>7} {'parameters':>10}")
    with ProcessPoolExecutor(given.workers, multiprocessing.get_context("spawn")) as pool:
        for row in pool.map(partial(trained, settings), range(given.configurations)):
            rows.append(row)
            values = " ".join(f"{name}={_short(value)}" for name, value in row["values"].items())
            print(
                f"{row['number']:4} {row['best']:6.2%} {row['last']:6.2%} {row['seconds']:7.1f} "
                f"{row['parameters'] or 0:10} {values} {row['error'] or ''}",
                flush=True,
            )
    counts = {reach: sum(row["best"] >= reach for row in rows) for reach in given.reach}
    for reach, count in counts.items():
        print(f"{reach:.1%} validation accuracy or more: {count} of {len(rows)} ({count / len(rows):.0%})")
    print(json.dumps({"epochs": given.epochs, "seed": given.seed, "reached": counts, "rows": rows}))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
