"""Who reaches a validation accuracy first, with the same search space, split, machine and time.

    python tests/benchmarks/race.py --manual-dir DIR                                       # `dense`, 5 minutes each
    python tests/benchmarks/race.py --manual-dir DIR --space cnn --seconds 600 --targets 0.985 0.99 --until-targets

The contestants, one after the other for each seed: `study run` with its defaults; a plain Optuna script (TPE,
MedianPruner, a pruning callback, `model.fit`); KerasTuner's Hyperband, BayesianOptimization and RandomSearch. All build
and fit the same HyperModel with the batch size tuned, for at most 8 epochs per trial; each prunes in its own way, and
none is told anything about the space. The clock starts with the process: importing TensorFlow counts, preparing the
data does not. Prints medians over the seeds: the seconds until each target is first reached, the best value at the end,
and the number of epochs that were begun; then a JSON line with every run. A race takes hours: `--results FILE` keeps
each run as it ends, and runs that the file already has are not repeated. `--until-targets` ends a run that has reached
every target, where its later values do not matter.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from overhead import EPOCHS_FILE

EPOCHS = 8
SPACES = {"dense": "timed_space:Dense", "cnn": "timed_space:CNN"}
CONTESTANTS = ("study", "optuna", "hyperband", "bayesian", "random")
MANY = 10_000


class Suggest:
    """The methods of KerasTuner's HyperParameters that the spaces use, on an Optuna trial as a script would use it."""

    def __init__(self, trial: Any) -> None:
        self._trial = trial

    def Int(self, name: str, low: int, high: int, step: int = 1, default: int | None = None) -> Any:
        return self._trial.suggest_int(name, low, high, step=step)

    def Float(self, name: str, low: float, high: float, step: float | None = None, **options: Any) -> Any:
        return self._trial.suggest_float(name, low, high, step=step, log=options.get("sampling") == "log")

    def Choice(self, name: str, values: list[Any], default: Any = None) -> Any:
        return self._trial.suggest_categorical(name, values)

    def Boolean(self, name: str) -> Any:
        return self._trial.suggest_categorical(name, [False, True])

    @contextlib.contextmanager
    def conditional_scope(self, name: str, values: list[Any]) -> Iterator[None]:
        yield


def plain_optuna(hypermodel: Any, train: Any, validation: Any, seed: int) -> None:
    """The script that a reader of Optuna's tutorial writes."""
    import keras
    import optuna

    class Pruning(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is Any to the checker
        def __init__(self, trial: optuna.Trial) -> None:
            super().__init__()
            self._trial = trial

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self._trial.report(logs["val_accuracy"], epoch)
            if self._trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        hp = Suggest(trial)
        model = hypermodel.build(hp)
        history = hypermodel.fit(
            hp, model, *train, validation_data=validation, epochs=EPOCHS, callbacks=[Pruning(trial)], verbose=0
        )
        return float(max(history.history["val_accuracy"]))

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed), pruner=optuna.pruners.MedianPruner()
    )
    study.optimize(objective)


def keras_tuner_search(name: str, hypermodel: Any, train: Any, validation: Any, seed: int) -> None:
    """KerasTuner's own tuners, as its guides use them."""
    import keras_tuner

    places = {"objective": "val_accuracy", "seed": seed, "directory": "tuner", "project_name": name}
    if name == "hyperband":
        tuner = keras_tuner.Hyperband(hypermodel, max_epochs=EPOCHS, factor=3, hyperband_iterations=MANY, **places)
        tuner.search(*train, validation_data=validation, verbose=0)
        return
    kinds = {"bayesian": keras_tuner.BayesianOptimization, "random": keras_tuner.RandomSearch}
    tuner = kinds[name](hypermodel, max_trials=MANY, **places)
    tuner.search(*train, validation_data=validation, epochs=EPOCHS, verbose=0)


def peer(name: str, space: str, file: Path, seed: int) -> None:
    """Run one of the peers until it is killed."""
    import keras
    import timed_space

    with np.load(file) as arrays:
        x_train, x_validation = (arrays[f"x_{part}"].astype("float32") / 255 for part in ("train", "validation"))
        train, validation = (x_train, arrays["y_train"]), (x_validation, arrays["y_validation"])
    keras.utils.set_random_seed(seed)
    hypermodel = getattr(timed_space, SPACES[space].partition(":")[2])(x_train.shape[1:], 10)
    if name == "optuna":
        plain_optuna(hypermodel, train, validation, seed)
    else:
        keras_tuner_search(name, hypermodel, train, validation, seed)


def run(name: str, options: Any, file: Path, seed: int) -> list[tuple[float, float]]:
    """One contestant with one seed: for each epoch, seconds since the start and validation accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        epochs = Path(folder) / "epochs"
        paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), EPOCHS_FILE: str(epochs)}
        if name == "study":
            words = ["-m", "study", "run", "a", "--space", SPACES[options.space], "--dataset", "mnist",
                     "--manual-dir", str(options.manual_dir.absolute()), "--trials", str(MANY),
                     "--epochs", str(EPOCHS), "--seed", str(seed), *options.study_options]  # fmt: skip
        else:
            words = [__file__, "--contestant", name, "--space", options.space, "--data", str(file), "--seed", str(seed)]
        with (Path(folder) / "log").open("w") as log:
            began = time.time()
            process = subprocess.Popen(
                [sys.executable, *words], cwd=folder, env=paths, stdout=log, stderr=log, start_new_session=True
            )
            while time.time() < began + options.seconds:
                if process.poll() is not None:
                    raise SystemExit(f"{name} ended early:\n{(Path(folder) / 'log').read_text()[-2000:]}")
                if options.until_targets and any(value >= max(options.targets) for _, value in _curve(epochs, began)):
                    break
                time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return _curve(epochs, began)


def _curve(epochs: Path, began: float) -> list[tuple[float, float]]:
    lines = [line.split() for line in epochs.read_text().splitlines()] if epochs.exists() else []
    return [(float(end) - began, float(value)) for _, end, value in lines]


def summary(curve: list[tuple[float, float]], targets: list[float]) -> dict[str, Any]:
    """Seconds to each target (infinite if it was not reached), best value, number of epochs."""
    return {
        **{f"to {target}": min((at for at, value in curve if value >= target), default=math.inf) for target in targets},
        "best": max((value for _, value in curve if not math.isnan(value)), default=math.nan),
        "epochs": len(curve),
    }


def main() -> None:
    """Race and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", choices=list(SPACES), default="dense")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--targets", type=float, nargs="+", default=[0.975, 0.98])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", choices=CONTESTANTS, nargs="+", default=list(CONTESTANTS))
    parser.add_argument("--until-targets", action="store_true", help="End a run that has reached every target.")
    parser.add_argument("--results", type=Path, help="A file that keeps the runs.")
    parser.add_argument("--manual-dir", type=Path, help="MNIST's original files.")
    parser.add_argument(
        "--study-options", nargs=argparse.REMAINDER, default=[], help="Study options: the rest of the line."
    )
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        peer(options.contestant, options.space, options.data, options.seed)
        return
    from study.data import datasets  # the peers do without

    data = datasets.load("mnist", split_seed=0, manual_dir=str(options.manual_dir.absolute()))
    settings = {name: getattr(options, name) for name in ("space", "seconds", "targets", "study_options")}
    kept = options.results.read_text().splitlines() if options.results and options.results.exists() else []
    known = [each for each in map(json.loads, kept) if settings.items() <= each.items()]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mnist.npz"
        np.savez(file, x_train=data.train.x, y_train=data.train.y, x_validation=data.validation.x,
                 y_validation=data.validation.y)  # fmt: skip
        for seed in options.seeds:
            for name in options.only:
                found = [each["run"] for each in known if (each["name"], each["seed"]) == (name, seed)]
                runs[name] += found or [summary(run(name, options, file, seed), options.targets)]
                print(f"seed {seed}  {name:10} {runs[name][-1]}", file=sys.stderr, flush=True)
                if options.results and not found:
                    with options.results.open("a") as results:
                        line = {**settings, "name": name, "seed": seed, "run": runs[name][-1]}
                        results.write(json.dumps(line) + "\n")
    columns = list(runs[options.only[0]][0])
    print(f"{'':12}" + "".join(f"{column:>12}" for column in columns))
    for name, results in runs.items():
        medians = (statistics.median(result[column] for result in results) for column in columns)
        print(f"{name:12}" + "".join(f"{median:12.4g}" for median in medians))
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
