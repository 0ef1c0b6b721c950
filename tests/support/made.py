"""Studies made by hand, in a real SQLite file, without training."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from reports import collect
from reports.collect import StudyResults
from study import storage as storage_room
from study.config import StudyConfig
from study.records import CLASSES, FinalRecord, TrialRecord

RATE_AND_KIND = {
    "rate": {"kind": "Float", "min_value": 0.0, "max_value": 1.0, "sampling": "linear"},
    "kind": {"kind": "Choice", "values": ["plain", "<b>deep</b>"]},
}
Made = tuple[optuna.storages.BaseStorage, StudyConfig]


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
    """A record of a final on 100 images of two classes."""
    errors = changes.get("errors", 10)
    values: dict[str, Any] = {
        "space": "dense",
        "role": "tuned",
        "trial": 1,
        "values": {"rate": 0.1},
        "validation": 0.95,
        "seed_index": 0,
        "seed": 5,
        "epochs": 2,
        "parameters": 111,
        "seconds": 2.0,
        "history": {"loss": [1.0, 0.5]},
        "test_images": 100,
        "errors": errors,
        "loss": 0.3,
        "confusion": [[50, 0], [errors, 50 - errors]],
        "predictions": "predictions/none.npz",
        "worker": "here:1",
    }
    return FinalRecord(**{**values, **changes})


def study(
    folder: Path,
    trials: dict[str, list[Any]],
    finals: list[FinalRecord] | None = None,
    declared: dict[str, Any] | None = None,
    classes: tuple[str, ...] = (),
    asked: dict[str, str] | None = None,
    data: str = "abc",
    **config_options: Any,
) -> Made:
    """A stored study: trials as (state, value, record) by space, finals as records; what each space declares, and
    the names by which Optuna was asked for `rate` and `kind`."""
    rate, kind = ({"rate": "rate", "kind": "kind"} | (asked or {})).values()
    config = StudyConfig(**{"name": "made", "spaces": tuple(trials), **config_options})
    storage = storage_room.open_storage(f"sqlite:///{folder}/made.db", create=True)
    assert storage is not None
    fingerprint = {"data": data, "details": {"spaces": dict.fromkeys(trials, declared or RATE_AND_KIND)}}
    storage_room.create_study(
        storage, config, {"fingerprint": fingerprint, "environment": {"keras": "3"}, CLASSES: list(classes)}
    )
    for space, rows in trials.items():
        search = storage_room.load(storage, config.study_name(space))
        for state, value, record in rows:
            search.add_trial(
                create_trial(
                    state=state,
                    value=value,
                    params={rate: 0.1 * (1 + len(search.trials) % 7), kind: "plain"},
                    distributions={
                        rate: FloatDistribution(0.0, 1.0),
                        kind: CategoricalDistribution(["plain", "<b>deep</b>"]),
                    },
                    intermediate_values={1: 0.5},
                    user_attrs={} if record is None else {"record": record.to_json()},
                )
            )
    ended = storage_room.load(storage, config.finals_name)
    for final in finals or []:
        ended.add_trial(
            create_trial(state=TrialState.COMPLETE, value=final.accuracy, user_attrs={"record": final.to_json()})
        )
    return storage, config


def keep_predictions(folder: Path, final: FinalRecord, probabilities: Any, labels: Any) -> None:
    """What a final predicted, as the finals keep it: probabilities (n, classes), labels (n,)."""
    misread = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    images = np.arange(len(misread) * 16, dtype=np.uint8).reshape(-1, 4, 4, 1)
    file = folder / final.predictions
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, probabilities=probabilities, labels=labels, misread=misread, misread_images=images)


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
"""Names that would do harm where they are not taken as text."""


def full_storage(folder: Path, named: str = "plain", **options: Any) -> Made:
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
            keep_predictions(folder / "made", final, probabilities, labels)
            finals.append(final)
    return study(
        folder,
        {space: rows},
        finals,
        classes=(named, "other"),
        asked={"kind": "units"},
        dataset=f"npz:/data/{named}.npz",
        **options,
    )


def full(folder: Path, named: str = "plain") -> StudyResults:
    """That study, read."""
    storage, config = full_storage(folder, named)
    return collect.read(storage, config, folder / config.name)
