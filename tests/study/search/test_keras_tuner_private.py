"""What the installed KerasTuner must have and do."""

import tempfile
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.src.engine import tuner_utils

from study.search import keras_tuner_private as private


def check() -> list[str]:
    """What the installed version of KerasTuner lacks or does differently: one line each, none if all is well."""
    found = [f"{owner.__name__}.{name} is missing" for owner, name in NAMES if not hasattr(owner, name)]
    if not found:
        found = [*_check_drawing(), *_check_oracles(), *_check_tuner()]
    return [f"keras-tuner {keras_tuner.__version__}: {each}" for each in found]


class _Counted(private.DrawnHyperParameters):
    drawn = 0

    def draw(self, hp: Any) -> None:
        self.drawn += 1


def _check_drawing() -> list[str]:
    hp = _Counted()
    hp.Int("int", 1, 2)
    hp.Float("float", 1.0, 2.0)
    hp.Choice("choice", ["a", "b"])
    hp.Boolean("boolean")
    hp.Fixed("fixed", 1)
    if hp.drawn != 4:
        return [f"HyperParameters._retrieve drew {hp.drawn} of 4 hyperparameters"]
    other = keras_tuner.HyperParameters()
    other.Int("merged", 1, 2)
    hp.merge(other)
    if hp.drawn != 4:
        return ["HyperParameters._retrieve is also used by merge, which must draw nothing"]
    try:
        with hp.conditional_scope("choice", ["a"]):
            hp._validate_name("choice")
    except ValueError:
        return []
    return ["HyperParameters._validate_name accepts the name of the parent"]


def _check_oracles() -> list[str]:
    hp = keras_tuner.HyperParameters()
    hp.Choice("choice", ["a"])
    found = []
    random = keras_tuner.oracles.RandomSearchOracle(objective="val_loss", hyperparameters=hp, seed=1)
    private.record(random, Trial(hyperparameters=hp.copy(), trial_id="0", status=TrialStatus.COMPLETED))
    if random.populate_space("1")["status"] != TrialStatus.STOPPED:
        found.append("Oracle._record_values does not keep a configuration from being drawn again")
    with tempfile.TemporaryDirectory() as folder:
        private.place(random, Path(folder), "project")
        try:
            random.save()
        except AttributeError:
            found.append("Oracle._set_project_dir does not set what save() needs")
        else:
            if not Path(folder, "project", "oracle.json").is_file():
                found.append("Oracle._set_project_dir does not say where save() saves")
    return found


def _check_tuner() -> list[str]:
    class Noted(keras_tuner.Tuner):
        def __init__(self) -> None:
            self.hypermodel, self.distribution_strategy = self, None
            self.noted: list[str] = []

        def build(self, hp: Any) -> str:
            return "model"

        def _override_compile_args(self, model: Any) -> None:
            self.noted.append(model)

    tuner = Noted()
    if private.built(tuner, None) != "model" or tuner.noted != ["model"]:
        return ["Tuner._build_hypermodel does not build and compile the hypermodel's model"]
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 1, 2)
    with tempfile.TemporaryDirectory() as folder:
        board = keras.callbacks.TensorBoard(folder)
        callbacks = [board]
        private.log_for_tensorboard(tuner, callbacks, Trial(hyperparameters=hp, trial_id="3"), 0)
    if board.log_dir != f"{folder}/3/execution0" or len(callbacks) != 2:
        return ["Tuner._configure_tensorboard_dir gives a callback no folder for each trial"]
    return _check_results()


def _check_results() -> list[str]:
    objective = keras_tuner.Objective("val_loss", "min")
    for good in (0.5, {"val_loss": 0.5}, [0.5, 0.25]):
        private.check_result(good, objective, "fit")
    for bad in (None, "good", {"loss": 0.5}):
        try:
            private.check_result(bad, objective, "fit")
        except keras_tuner.errors.FatalError:
            continue
        return [f"validate_trial_results takes {bad!r} as the result of a trial"]
    return []


def retrieve_all(hp: Any, others: Any) -> None:
    """Another `merge`."""
    for each in getattr(others, "space", others):
        hp._retrieve(each)


NAMES = (
    (keras_tuner.HyperParameters, "_retrieve"),
    (keras_tuner.HyperParameters, "_validate_name"),
    (keras_tuner.Oracle, "_record_values"),
    (keras_tuner.Oracle, "_set_project_dir"),
    (keras_tuner.Tuner, "_build_hypermodel"),
    (keras_tuner.Tuner, "_override_compile_args"),
    (keras_tuner.Tuner, "_configure_tensorboard_dir"),
    (tuner_utils, "validate_trial_results"),
)
OWNERS = [pytest.param(owner, name, id=name) for owner, name in NAMES]


def test_the_installed_version_has_what_the_study_uses() -> None:
    assert check() == []


@pytest.mark.parametrize(("owner", "name"), OWNERS)
def test_a_missing_name_is_named_with_the_version(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(owner, name)
    assert check() == [f"keras-tuner {keras_tuner.__version__}: {owner.__name__}.{name} is missing"]


@pytest.mark.parametrize(
    ("owner", "replaced", "by", "named"),
    [
        (keras_tuner.HyperParameters, "Int", lambda self, name, *limits: 1, "HyperParameters._retrieve"),
        (
            keras_tuner.HyperParameters,
            "merge",
            retrieve_all,
            "HyperParameters._retrieve",
        ),
        (keras_tuner.HyperParameters, "_validate_name", lambda self, name: None, "HyperParameters._validate_name"),
        (keras_tuner.Oracle, "_record_values", lambda self, trial: None, "Oracle._record_values"),
        (keras_tuner.Oracle, "_set_project_dir", lambda self, *folder: None, "Oracle._set_project_dir"),
        (keras_tuner.Tuner, "_build_hypermodel", lambda self, hp: "model", "Tuner._build_hypermodel"),
        (
            keras_tuner.Tuner,
            "_configure_tensorboard_dir",
            lambda self, callbacks, trial, execution: None,
            "Tuner._configure_tensorboard_dir",
        ),
        (tuner_utils, "validate_trial_results", lambda *given: None, "validate_trial_results"),
    ],
)
def test_another_meaning_is_noticed(
    owner: Any, replaced: str, by: Any, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, replaced, by)
    (complaint,) = check()
    assert complaint.startswith(f"keras-tuner {keras_tuner.__version__}: {named} ")


def test_declaring_an_object_is_like_declaring_by_name() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Int("units", 4, 16, default=8)
    other = keras_tuner.HyperParameters()
    assert private.declare(other, hp.space[0]) == 8
    assert other.get_config() == hp.get_config()
