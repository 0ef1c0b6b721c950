"""How long a report takes and how large it is.

    python tests/benchmarks/report.py                    # 1,000 and 10,000 trials of 20 epochs
    python tests/benchmarks/report.py --trials 10000

Makes studies with so many trials in SQLite, as a search stores them (ten hyperparameters, one of them conditional, a
history of four logs, a third of the trials pruned), and their finals with predictions on 10,000 images. Prints the
seconds from the end of the imports to the written page, the size of the page, and, where Chromium is installed, the
seconds from opening it to the first and to the last figure; then a JSON line.
"""

import argparse
import json
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from reports import page
from study.config import FINALS, Definition, Resources
from study.records import CLASSES, ENVIRONMENT, FINGERPRINT, RECORD, FinalRecord, TrialRecord, packed
from study.storage import predictions
from study.storage.address import Address
from study.storage.store import Store

EPOCHS, IMAGES, SEEDS = 20, 10_000, 7
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "layers": IntDistribution(1, 3),
    "units_1": IntDistribution(32, 512, log=True),
    "units_2[layers=2|3]": IntDistribution(32, 512, log=True),
    "activation": CategoricalDistribution(["relu", "elu", "silu"]),
    "batch_size": CategoricalDistribution([32, 64, 128, 256]),
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
    "momentum": FloatDistribution(0.0, 0.99),
    "batch_normalization": CategoricalDistribution([True, False]),
}
BEGIN = datetime(2026, 1, 1)


def make(address: Address, trials: int) -> str:
    """Store a study of one space, and return its name."""
    definition = Definition(name="large", spaces=("dense",), trials=trials, epochs=EPOCHS, seeds=SEEDS)
    store = Store.open(address, create=True)
    assert store is not None
    fingerprint = {"data": "none", "details": {"spaces": {"dense": {}}}}
    attributes = {FINGERPRINT: fingerprint, ENVIRONMENT: {}, CLASSES: []}
    study = store.create_study(definition, Resources(), attributes)
    search = study.part("dense")
    rng = np.random.default_rng(0)
    search.add_trials([_trial(rng, number) for number in range(trials)])
    values = [trial.value if trial.state == TrialState.COMPLETE else 0.0 for trial in search.get_trials(deepcopy=False)]
    winner = int(np.argmax(np.asarray(values, dtype=float)))
    for role, number, errors in (("tuned", winner, 150), ("baseline", 0, 250)):
        for seed in range(SEEDS):
            record = _final(rng, study.folder, role, number, seed, errors + int(rng.integers(20)))
            trial = create_trial(value=record.accuracy, user_attrs={RECORD: record.to_json()})
            study.part(FINALS).add_trial(trial)
    return definition.name


def _trial(rng: np.random.Generator, number: int) -> optuna.trial.FrozenTrial:
    pruned = number % 3 == 2
    epochs = int(rng.integers(1, EPOCHS)) if pruned else EPOCHS
    layers = int(rng.integers(1, 4))
    params: dict[str, Any] = {
        "layers": layers, "units_1": int(2 ** rng.uniform(5, 9)),
        "activation": str(rng.choice(["relu", "elu", "silu"])),
        "batch_size": int(rng.choice([32, 64, 128, 256])), "learning_rate": float(10 ** rng.uniform(-4, -1)),
        "dropout": float(rng.uniform(0, 0.5)), "weight_decay": float(10 ** rng.uniform(-6, -2)),
        "momentum": float(rng.uniform(0, 0.99)), "batch_normalization": bool(rng.integers(2)),
    }  # fmt: skip
    if layers > 1:
        params["units_2[layers=2|3]"] = int(2 ** rng.uniform(5, 9))
    end = 0.98 - 0.01 * abs(np.log10(params["learning_rate"]) + 3) - rng.exponential(0.005)
    curve = [float(end - 0.1 / epoch + rng.normal(0, 0.001)) for epoch in range(1, epochs + 1)]
    record = TrialRecord(
        values={name.partition("[")[0]: value for name, value in params.items()}, epochs=epochs,
        best_epoch=int(np.argmax(curve)) + 1, parameters=int(rng.integers(1e4, 1e6)), seconds=float(rng.uniform(1, 20)),
        history=dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), curve), seed=number,
        worker=f"host:{number % 4}",
    )  # fmt: skip
    trial = create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE, value=max(curve), params=params,
        distributions={name: DISTRIBUTIONS[name] for name in params}, user_attrs={RECORD: record.to_json()},
        intermediate_values=dict(enumerate(curve, 1)),
    )  # fmt: skip
    trial.datetime_start = BEGIN + timedelta(seconds=5 * number)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=record.seconds)
    return trial


def _final(rng: np.random.Generator, folder: Path, role: str, number: int, seed: int, errors: int) -> FinalRecord:
    labels = np.arange(IMAGES) % 10
    probabilities = np.eye(10, dtype=np.float32)[labels] * 0.9 + 0.01
    misread = np.sort(rng.choice(IMAGES, errors, replace=False))
    probabilities[misread] = np.roll(probabilities[misread], 1, axis=1)
    confusion = np.zeros((10, 10), dtype=int)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    record = FinalRecord(
        space="dense", role=role, trial=number, values={}, validation=0.98, seed_index=seed, seed=seed,
        fit_epochs=EPOCHS, epochs=EPOCHS, parameters=100_000, seconds=10.0, history={}, test_images=IMAGES,
        errors=errors, loss=0.1, calibration_error=0.01,
        correct=packed(~np.isin(np.arange(IMAGES), misread)), confusion=confusion.tolist(),
        predictions=f"predictions/{role}-{seed}.npz", worker="host:1",
    )  # fmt: skip
    images = rng.integers(0, 255, (errors, 28, 28, 1), dtype=np.uint8)
    arrays = {"probabilities": probabilities, "labels": labels, "misread": misread}
    predictions.write_arrays(folder / record.predictions, arrays)
    predictions.keep_misread(folder, dict(zip(misread.tolist(), images, strict=True)))
    return record


def opened(file: Path) -> dict[str, float]:
    """Seconds from opening a page in Chromium to its first figure, and to its last one, after scrolling to each."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        began = time.perf_counter()
        driver.get(file.as_uri())
        seconds = {}
        for figure in driver.find_elements("css selector", ".figure"):
            driver.execute_script("arguments[0].scrollIntoView()", figure)
            while not figure.find_elements("css selector", ".main-svg"):
                time.sleep(0.01)
            seconds.setdefault("first_figure", time.perf_counter() - began)
        return {**seconds, "last_figure": time.perf_counter() - began}
    finally:
        driver.quit()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000])
    browser = shutil.which("chromium") and shutil.which("chromedriver")
    results = []
    for trials in parser.parse_args().trials:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            address = Address.of(folder)
            name = make(address, trials)
            store = Store.open(address)
            assert store is not None
            began = time.perf_counter()
            page.write([store.study(name)], folder / "report.html")
            result: dict[str, Any] = {"trials": trials, "seconds": time.perf_counter() - began}
            result["megabytes"] = (folder / "report.html").stat().st_size / 1e6
            result["json_megabytes"] = (folder / "report.json").stat().st_size / 1e6
            if browser:
                result |= opened(folder / "report.html")
        results.append(result)
        print("  ".join(f"{name} {value:,.2f}" for name, value in result.items()), flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
