"""Studies made by hand, in a real SQLite file, without training."""

from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from study import storage as storage_room
from study.config import StudyConfig
from study.records import FinalRecord, TrialRecord

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
    folder: Path, trials: dict[str, list[Any]], finals: list[FinalRecord] | None = None, **config_options: Any
) -> Made:
    """A stored study: trials as (state, value, record) by space, finals as records."""
    config = StudyConfig(**{"name": "made", "spaces": tuple(trials), **config_options})
    storage = storage_room.open_storage(f"sqlite:///{folder}/made.db", create=True)
    assert storage is not None
    storage_room.create_study(storage, config, {"fingerprint": {"data": "abc"}, "environment": {"keras": "3"}})
    for space, rows in trials.items():
        search = storage_room.load(storage, config.study_name(space))
        for state, value, record in rows:
            search.add_trial(
                create_trial(
                    state=state,
                    value=value,
                    params={"rate": 0.1 * (1 + len(search.trials) % 7), "kind": "plain"},
                    distributions={
                        "rate": FloatDistribution(0.0, 1.0),
                        "kind": CategoricalDistribution(["plain", "<b>deep</b>"]),
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
