"""What KerasTuner's arguments mean for a study."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
import tiny

import study.keras_tuner as ours
from study.config import UNLIMITED
from study.errors import StudyError
from study.keras_tuner import arguments


def build_model(hp: Any) -> keras.Model:
    return tiny.compiled(keras.layers.Dense(hp.Int("units", 4, 16, step=4), "relu"))


@pytest.mark.parametrize(("max_epochs", "factor"), [(1, 3), (2, 3), (9, 3), (10, 3), (27, 3), (8, 2), (100, 4)])
def test_hyperband_draws_as_many_configurations(max_epochs: int, factor: int, tmp_path: Path) -> None:
    oracle = keras_tuner.oracles.HyperbandOracle("val_loss", max_epochs, factor)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle._set_project_dir(tmp_path, "theirs")
    oracle.verbose = 0
    drawn = 0
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        drawn += trial.hyperparameters.values["tuner/round"] == 0
        oracle.update_trial(trial.trial_id, {"val_loss": trial.hyperparameters.values["x"]})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert arguments.hyperband(max_epochs, factor, 1)["max_trials"] == drawn
    assert arguments.hyperband(max_epochs, factor, 2)["max_trials"] == 2 * drawn


@pytest.mark.parametrize(
    ("name", "given", "defined"),
    [
        ("RandomSearch", {}, {"sampler": "kt-random", "pruner": "none", "trials": 10, "settings": {}}),
        ("RandomSearch", {"sampler": "tpe", "pruner": "sha", "max_trials": None}, {"sampler": "tpe", "pruner": "sha"}),
        ("GridSearch", {}, {"sampler": "kt-grid", "trials": UNLIMITED}),
        ("BayesianOptimization", {"alpha": 1e-4, "beta": 2.6}, {"sampler": "kt-bayesian", "settings": {}}),
        (
            "BayesianOptimization",
            {"num_initial_points": 4, "alpha": 0.1, "beta": 3},
            {"settings": {"num_initial_points": 4, "alpha": 0.1, "beta": 3.0}},
        ),
        ("Hyperband", {"max_epochs": 9}, {"sampler": "kt-random", "pruner": "sha", "trials": 17, "settings": {}}),
        ("Hyperband", {"max_epochs": 8, "factor": 2.0, "seed": 5}, {"settings": {"factor": 2}, "seed": 5}),
        ("Hyperband", {"hyperband_iterations": None}, {"trials": UNLIMITED}),
    ],
)
def test_they_are_a_studys(name: str, given: dict[str, Any], defined: dict[str, Any], tmp_path: Path) -> None:
    definition = getattr(ours, name)(build_model, objective="val_loss", directory=tmp_path, **given).definition
    assert {field: getattr(definition, field) for field in defined} == defined


@pytest.mark.parametrize(
    ("oracle", "defined"),
    [
        (lambda: keras_tuner.oracles.RandomSearchOracle("val_loss", 7, seed=3), {"trials": 7, "seed": 3}),
        (lambda: keras_tuner.oracles.GridSearchOracle("val_loss"), {"sampler": "kt-grid", "trials": UNLIMITED}),
        (
            lambda: keras_tuner.oracles.BayesianOptimizationOracle("val_loss", beta=1.5),
            {"sampler": "kt-bayesian", "settings": {"beta": 1.5}},
        ),
        (lambda: keras_tuner.oracles.HyperbandOracle("val_loss", 4, 2), {"pruner": "sha", "settings": {"factor": 2}}),
    ],
)
def test_an_oracle_says_how_to_search(oracle: Any, defined: dict[str, Any], tmp_path: Path) -> None:
    definition = ours.Tuner(oracle(), build_model, directory=tmp_path).definition
    assert {field: getattr(definition, field) for field in defined} == defined


def test_what_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    class Own(ours.Hyperband):
        def _build_and_fit_model(self, *args: Any) -> None: ...

    with pytest.raises(StudyError) as caught:
        Own(objective="val_loss", factor=1, max_epochs=0, max_retries_per_trial=-1, speed=9, directory=tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    for said in (
        "takes no speed=9",
        "Own overrides _build_and_fit_model, which nothing calls: override run_trial",
        "hypermodel is missing",
        "factor must be a whole number of at least 2; it was given 1",
        "max_epochs must be a whole number of at least 1; it was given 0",
        "max_retries_per_trial must be a whole number of at least 0; it was given -1",
    ):
        assert said in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["digits", "My search", "2024-05-01 12:30", "a/b", "../up", "", "é", "study.x"])
def test_a_project_may_have_any_name(name: str) -> None:
    made = arguments.study_name(name)
    assert (made == name) == (name == "digits")
    assert made != arguments.study_name(name + "!")
    ours.tuner.Definition(name=made)
