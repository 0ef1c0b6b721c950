"""What programs and notebooks give as arguments: natural types, and objects that worker processes cannot find."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tiny

import study
from study.errors import StudyError

SMALL = {"trials": 1, "epochs": 1, "seeds": 1, "confirm": 0, "quiet": True}


def test_natural_types_are_taken(home: Path, archive: Path) -> None:
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5)
    found = study.run(
        "a", spaces=tiny.Tiny, dataset=archive, home=home, storage=home.parent / "all.db", callbacks=stop,
        timeout=timedelta(hours=2), lease=timedelta(minutes=3), data_dir=Path("data"), memory_limit=None,
        objective=keras_tuner.Objective("val_loss", "min"), precision=keras.DTypePolicy("float32"),
        trials=np.int64(1), epochs=np.int32(1), seeds=np.int8(1), seed=np.uint8(3), margin=np.float32(0.5),
        confirm=0, quiet=True,
    )  # fmt: skip
    definition, resources = found.definition, found.resources
    assert (definition.dataset, definition.seed, definition.margin) == (f"npz:{archive}", 3, 0.5)
    assert (definition.objective.name, definition.objective.direction) == ("val_loss", "minimize")
    assert (resources.timeout, resources.lease, resources.data_dir) == (7200.0, 180.0, str(home.parent / "data"))
    assert definition.callbacks == ("EarlyStopping",)
    assert list(found.trials.state) == ["complete"]
    assert (home.parent / "all.db").is_file()
    grown = study.resume(
        "a", trials=np.int64(2), callbacks=[stop], home=str(home), storage=home.parent / "all.db", quiet=True,
        timeout=timedelta(hours=1),
    )  # fmt: skip
    assert (len(grown.trials), grown.resources.timeout) == (2, 3600.0)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"callbacks": keras.callbacks.EarlyStopping}, "callbacks are instances of keras.callbacks.Callback; one that"),
        ({"callbacks": "EarlyStopping"}, "callbacks are instances of keras.callbacks.Callback"),
        ({"callbacks": [print]}, "callbacks are instances of keras.callbacks.Callback"),
        ({"objective": ["val_loss", "val_accuracy"]}, "a study has one objective, a metric's name; it was given ["),
        ({"objective": keras.metrics.SparseCategoricalAccuracy()}, "a study has one objective"),
        ({"objective": "val_f1", "objective_direction": 1}, "--direction must be one of maximize, minimize"),
        ({"objective": "val_loss", "objective_direction": "max"}, "--direction of val_loss is minimize"),
        ({"home": 5}, "home is a path or a URL; it was given 5"),
        ({"home": None}, "home is a path or a URL; it was given None"),
        ({"storage": object}, "storage is a path or a URL"),
        ({"timeout": [90]}, "--timeout is a number; it was given [90]"),
        ({"timeout": float("nan")}, "--timeout is a number; it was given nan"),
        ({"lease": None}, "--lease is a number; it was given None"),
        ({"memory_limit": {}, "workers": 1}, "--memory-limit is a number"),
        ({"margin": "a lot"}, "--margin is a number; it was given 'a lot'"),
        ({"trials": 2.5}, "--trials is a whole number; it was given 2.5"),
        ({"trials": timedelta(hours=1)}, "--trials is a whole number"),
        ({"sampler": ["tpe"]}, "--sampler is a text; it was given ['tpe']"),
        ({"pruner": None}, "--pruner is a text"),
        ({"precision": 16}, "--precision is a text"),
        ({"dataset": np.zeros((9, 8, 8))}, "--dataset is a text"),
        ({"dataset": None}, "--dataset is a text"),
        ({"spaces": None}, "a study needs at least one search space"),
    ],
)
def test_other_types_are_refused_by_name(home: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study.run("a", **{"spaces": ["tiny:Tiny"], **options})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (home / "study.db").exists()


@pytest.mark.parametrize("name", [5, None, Path("a"), ["a"]])
def test_a_name_is_a_text(home: Path, name: Any) -> None:
    with pytest.raises(StudyError, match="a study's name consists of letters, digits"):
        study.run(name, spaces=["tiny:Tiny"])
    with pytest.raises(StudyError, match="no study named"):
        study.load(name)


def test_a_tuner_takes_natural_types(home: Path) -> None:
    x, y = np.zeros((12, tiny.SIDE, tiny.SIDE, 1), np.float32), np.arange(12) % tiny.CLASSES
    tuner = study.OptunaTuner(
        tiny.Tiny(), objective=keras_tuner.Objective("val_accuracy", "max"), max_trials=np.int64(1), seed=np.int64(3),
        directory=home,
    )  # fmt: skip
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5)
    tuner.search(x, y, epochs=np.int64(1), verbose=0, validation_data=(x, y), callbacks=stop)
    assert tuner.study.definition.callbacks == ("EarlyStopping",)
    assert len(tuner.study.trials) == 1
