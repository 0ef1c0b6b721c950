"""The page on KerasTuner has a line for everything that KerasTuner has."""

import inspect
import re
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
import scripts

import study.keras_tuner

PAGE = (Path(__file__).parents[3] / "docs" / "kerastuner.md").read_text()
NAMED = {name for row in re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
TUNERS = ("RandomSearch", "BayesianOptimization", "GridSearch", "Hyperband", "Tuner")
BASE = keras_tuner.Tuner.__mro__[1]


def public(owner: Any) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")} - {"src"}


def arguments(kind: Any) -> dict[str, inspect.Parameter]:
    return {name: each for name, each in inspect.signature(kind).parameters.items() if name != "self"}


def test_every_name_argument_and_call_of_kerastuners_is_in_the_table() -> None:
    every = public(keras_tuner) | public(keras_tuner.Tuner) | public(keras_tuner.Oracle)
    for kind in (*(getattr(keras_tuner, name) for name in TUNERS), BASE):
        every |= arguments(kind).keys()
    assert not every - NAMED


@pytest.mark.parametrize("name", TUNERS)
def test_every_argument_has_kerastuners_place_and_default(name: str) -> None:
    theirs, ours = arguments(getattr(keras_tuner, name)), arguments(getattr(study.keras_tuner, name))
    positional = [each for each in theirs.values() if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert [(each.name, each.default) for each in positional] == [
        (each.name, each.default) for each in ours.values() if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]


def test_the_module_offers_what_kerastuner_offers() -> None:
    assert public(keras_tuner) <= public(study.keras_tuner)
    assert public(keras_tuner.tuners) <= public(study.keras_tuner.tuners)
    for name in TUNERS:
        assert issubclass(getattr(study.keras_tuner, name), keras_tuner.Tuner)
    for name in public(keras_tuner.engine):
        assert public(getattr(keras_tuner.engine, name)) <= public(getattr(study.keras_tuner.engine, name))


@pytest.mark.parametrize("name", TUNERS[:4])
def test_a_tuner_and_its_oracle_have_what_kerastuners_have(name: str, tmp_path: Path) -> None:
    theirs, ours = (
        getattr(kt, name)(scripts.build_model, "val_loss", directory=tmp_path / kt.__name__, project_name="a")
        for kt in (keras_tuner, study.keras_tuner)
    )
    assert public(theirs) <= public(ours)
    assert public(theirs.oracle) - {"gpr"} <= public(ours.oracle)
    for each in ("max_trials", "max_epochs", "min_epochs", "factor", "hyperband_iterations", "alpha", "multi_worker"):
        if (name, each) != ("Hyperband", "max_trials"):  # ours counts configurations
            assert getattr(ours.oracle, each, None) == getattr(theirs.oracle, each, None)
    assert ours.oracle.ongoing_trials == {}


def test_what_a_script_imports_from_within_is_found() -> None:
    from study.keras_tuner.engine.hyperparameters import HyperParameters
    from study.keras_tuner.engine.trial import Trial
    from study.keras_tuner.errors import FailedTrialError

    from study.keras_tuner.engine.base_tuner import BaseTuner
    from study.keras_tuner.engine.tuner import Tuner
    from study.keras_tuner.tuners import RandomSearch

    assert Tuner is study.keras_tuner.Tuner
    assert issubclass(BaseTuner, Tuner)
    assert Trial is keras_tuner.engine.trial.Trial
    assert HyperParameters is keras_tuner.HyperParameters
    assert FailedTrialError is keras_tuner.errors.FailedTrialError
    assert RandomSearch is study.keras_tuner.RandomSearch
