"""Stored studies made by hand, in a real SQLite file, without training."""

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from reports import collect
from reports.collect import StudyResults
from study.config import CONFIRMATION, FINALS, Definition, Resources
from study.records import (
    CLASSES,
    ENVIRONMENT,
    FINGERPRINT,
    RECORD,
    ConfirmationRecord,
    FinalRecord,
    TrialRecord,
    packed,
)
from study.storage import predictions
from study.storage.address import Address
from study.storage.store import Store, StoredStudy

RATE_AND_KIND = {
    "rate": {"kind": "Float", "min_value": 0.0, "max_value": 1.0, "sampling": "linear"},
    "kind": {"kind": "Choice", "values": ["plain", "<b>deep</b>"]},
}
DISTRIBUTIONS = {"rate": FloatDistribution(0.0, 1.0), "kind": CategoricalDistribution(["plain", "<b>deep</b>"])}


def trial_record(**changes: Any) -> TrialRecord:
    """A record of a complete trial."""
    values: dict[str, Any] = {
        "values": {"rate": 0.1, "kind": "plain"},
        "epochs": 2,
        "best_epoch": 2,
        "parameters": 111,
        "seconds": 1.5,
        "history": {"loss": [1.0, 0.5], "val_accuracy": [0.5, 0.9]},
        "seed": 1,
        "worker": "here:1",
    }
    return TrialRecord(**{**values, **changes})


def final_record(**changes: Any) -> FinalRecord:
    """A record of a final on 100 images of two classes, of which the first ones are misclassified."""
    errors, test_images = changes.get("errors", 10), changes.get("test_images", 100)
    values: dict[str, Any] = {
        "space": "dense",
        "role": "tuned",
        "trial": 1,
        "values": {"rate": 0.1},
        "validation": 0.95,
        "seed_index": 0,
        "seed": 5,
        "fit_epochs": changes.get("epochs", 2),
        "epochs": 2,
        "parameters": 111,
        "seconds": 2.0,
        "history": {"loss": [1.0, 0.5]},
        "test_images": 100,
        "errors": errors,
        "loss": 0.3,
        "calibration_error": 0.02,
        "correct": packed(np.arange(test_images) >= errors),
        "confusion": [[50, 0], [errors, 50 - errors]],
        "predictions": "predictions/none.npz",
        "worker": "here:1",
    }
    return FinalRecord(**{**values, **changes})


def confirmation_record(**changes: Any) -> ConfirmationRecord:
    """A record of a confirmation run."""
    values: dict[str, Any] = {
        "space": "dense",
        "trial": 0,
        "values": {"rate": 0.1},
        "seed_index": 0,
        "seed": 5,
        "epochs": 2,
        "curve": [0.5, 0.9],
        "returned": False,
        "parameters": 111,
        "seconds": 2.0,
        "history": {"loss": [1.0, 0.5], "val_accuracy": [0.5, 0.9]},
        "worker": "here:1",
    }
    return ConfirmationRecord(**{**values, **changes})


def store(home: Path) -> Store:
    """A store without a study, in a copy of a database that was made once: Optuna takes long to make its tables."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "study.db").exists():
        (home / "study.db").write_bytes(_empty_database())
    opened = Store.open(Address.of(home))
    assert opened is not None
    return opened


@functools.cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        created = Store.open(Address.of(Path(folder)), create=True)
        assert created is not None
        created.storage.get_all_studies()  # the first connection after the tables were made turns on the log
        created.storage.remove_session()
        created.storage.engine.dispose()
        return (Path(folder) / "study.db").read_bytes()


def study(
    home: Path,
    rows: dict[str, list[Any]],
    finals: Sequence[FinalRecord] = (),
    confirmations: Sequence[ConfirmationRecord] = (),
    declared: dict[str, Any] | None = None,
    classes: tuple[str, ...] = (),
    asked: dict[str, str] | None = None,
    data: str = "abc",
    **options: Any,
) -> StoredStudy:
    """A stored study.

    Args:
        home: A folder; the study's own is in it.
        rows: The trials, as (state, value, record), by space.
        finals: Those that are done.
        confirmations: The confirmation runs that are done.
        declared: What each space declares.
        classes: The names of the classes.
        asked: The names by which Optuna was asked for `rate` and `kind`, where they are others.
        data: The fingerprint of the data.
        **options: Fields of the definition and the resources.
    """
    names = {field.name for field in fields(Resources)}
    resources = Resources(**{name: value for name, value in options.items() if name in names})
    defined = {name: value for name, value in options.items() if name not in names}
    fingerprint = {"data": data, "details": {"spaces": dict.fromkeys(rows, declared or RATE_AND_KIND)}}
    stored = store(home).create_study(
        Definition(**{"name": "made", "spaces": tuple(rows), **defined}),
        resources,
        {FINGERPRINT: fingerprint, ENVIRONMENT: {"keras": "3"}, CLASSES: list(classes)},
    )
    for space, found in rows.items():
        stored.part(space).add_trials([_trial(index, *row, asked or {}) for index, row in enumerate(found)])
    stored.part(CONFIRMATION).add_trials([_done(run.curve[-1] or 0.0, run.to_json()) for run in confirmations])
    stored.part(FINALS).add_trials([_done(final.accuracy, final.to_json()) for final in finals])
    return stored


def _done(value: float, record: dict[str, Any]) -> FrozenTrial:
    return create_trial(state=TrialState.COMPLETE, value=value, user_attrs={RECORD: record})


def _trial(
    index: int, state: TrialState, value: float | None, record: TrialRecord | None, asked: dict[str, str]
) -> FrozenTrial:
    drawn: dict[str, Any] = {"rate": 0.1 * (1 + index % 7), "kind": "plain"}
    if record is not None and record.values == trial_record().values:
        record = replace(record, values=drawn)
    return create_trial(
        state=state,
        value=value,
        params={asked.get(name, name): each for name, each in drawn.items()},
        distributions={asked.get(name, name): each for name, each in DISTRIBUTIONS.items()},
        intermediate_values={1: 0.5},
        user_attrs={} if record is None else {RECORD: record.to_json()},
    )


def keep_predictions(folder: Path, final: FinalRecord, probabilities: Any, labels: Any) -> None:
    """Store what a final predicted in the study's folder: probabilities (n, classes), labels (n,)."""
    misread = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    arrays = {"probabilities": probabilities, "labels": labels, "misread": misread}
    predictions.write_arrays(folder / final.predictions, arrays)
    predictions.keep_misread(folder, {int(each): np.full((4, 4, 1), each % 256, np.uint8) for each in misread})


HOSTILE = [
    "<script>window.hostile = 1</script>",
    "</script><script>window.hostile = 1</script>",
    "<img src=x onerror=window.hostile=1>",
    "<svg/onload=window.hostile=1>",
    "<svg><script>window.hostile=1</script></svg>",
    "<iframe srcdoc='<script>parent.hostile=1</script>'>",
    "<a href='javascript:window.hostile=1'>go</a>",
    "<b>bold</b>",
    "<br>",
    "<!-- comment",
    "--><script>window.hostile=1</script>",
    "<![CDATA[x",
    "</style><script>window.hostile=1</script>",
    "</title><script>window.hostile=1</script>",
    "</textarea><script>window.hostile=1</script>",
    '" onmouseover="window.hostile=1',
    "' onfocus='window.hostile=1' autofocus='",
    "` onload=window.hostile=1",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "{{ 7 * 7 }}",
    "{% include 'page.js' %}",
    "${window.hostile=1}",
    "%{x} %{customdata[0]}",
    "$x^2$",
    "\u2028window.hostile=1\u2029",
    "\\u003cscript\\u003e",
    "javascript:window.hostile=1",
    "x\tand\nlines",
    "\U0001f600 \u202egnp.exe",
]
"""Names that would do harm if they were not taken as text."""


def full_study(home: Path, named: str = "plain") -> StoredStudy:
    """A study with something in every panel; `named` is a space, a parameter, its value, classes, and an error text."""
    space = "dense" if named == "plain" else f"m:{named}"
    rng = np.random.default_rng(0)

    def record(index: int) -> TrialRecord:
        values = {"rate": float(rng.uniform()), "units": int(rng.integers(1, 9)), named: ["a", named][index % 2]}
        history = {"loss": [1.0, 0.5], "accuracy": [0.4, 0.8], "val_loss": [1.0, 0.6], "val_accuracy": [0.5, 0.9]}
        return trial_record(values=values, history=history, worker=named)

    rows: list[Any] = [(TrialState.COMPLETE, 0.5 + index / 100, record(index)) for index in range(22)]
    rows.append((TrialState.PRUNED, 0.4, record(22)))
    rows.append((TrialState.FAIL, None, trial_record(error=named, best_epoch=None)))
    labels = np.arange(100) % 2
    finals = []
    for role, trial, errors in (("tuned", 21, 3), ("baseline", 0, 9)):
        for seed in range(3):
            final = final_record(
                role=role, trial=trial, seed_index=seed, errors=errors + seed, space=space,
                predictions=f"predictions/{role}{seed}.npz",
            )  # fmt: skip
            probabilities = np.eye(2)[labels] * 0.8 + 0.1
            probabilities[: final.errors] = probabilities[: final.errors, ::-1]
            keep_predictions(home / "made", final, probabilities, labels)
            finals.append(final)
    return study(
        home,
        {space: rows},
        finals,
        classes=(named, "other"),
        asked={"kind": "units"},
        dataset=f"npz:/data/{named}.npz",
    )


def full(home: Path, named: str = "plain") -> StudyResults:
    """That study, read."""
    return collect.read(full_study(home, named))
