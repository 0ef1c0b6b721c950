"""Whether a resumed study is the one that was started."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from helpers import Command, opened, study_table

from study.config import Definition
from study.errors import StudyError
from study.execution import fingerprints
from study.objective import Objective

DATA = {"x_train": "uint8 (80, 6, 6, 1) abc", "y_train": "int64 (80,) def"}


def space(**names: int) -> keras_tuner.HyperParameters:
    """Integers by name, with their largest values."""
    hp = keras_tuner.HyperParameters()
    for name, most in names.items():
        hp.Int(name, 1, most)
    return hp


def of(
    objective: Objective = Objective(),
    data: dict[str, str] | None = None,
    models: dict[str, list[dict[str, str]]] | None = None,
    **spaces: keras_tuner.HyperParameters,
) -> dict[str, Any]:
    """A fingerprint, as it comes out of the storage."""
    definition = Definition(objective=objective)
    found = fingerprints.of_study(definition, data or DATA, spaces or {"dense": space(units=9)}, models or {})
    return json.loads(json.dumps(found))


def refusal(then: dict[str, Any], now: dict[str, Any]) -> str:
    with pytest.raises(StudyError) as caught:
        fingerprints.check(then, now)
    text = str(caught.value)
    assert "\n" not in text
    assert "nothing was changed" in text
    return text


def test_the_same_study_is_continued() -> None:
    fingerprints.check(of(), of())
    fingerprints.check(of(Objective("val_mine", "minimize")), of(Objective("val_mine", "minimize")))


@pytest.mark.parametrize(
    ("then", "now", "differing"),
    [
        (
            Objective(),
            Objective("val_loss", "minimize"),
            "(name val_accuracy then, val_loss now, direction maximize then, minimize now)",
        ),
        (Objective(), Objective("val_auc", "maximize"), "(name val_accuracy then, val_auc now)"),
        (
            Objective("val_mine", "maximize"),
            Objective("val_mine", "minimize"),
            "(direction maximize then, minimize now)",
        ),
    ],
)
def test_another_objective_is_refused_with_what_differs(then: Objective, now: Objective, differing: str) -> None:
    text = refusal(of(then), of(now))
    assert text.startswith("the objective is not the one that the study was started with ")
    assert differing in text
    assert text.endswith("start another study for this one")


def test_other_data_are_refused_with_what_differs() -> None:
    text = refusal(of(), of(data={**DATA, "x_train": "uint8 (80, 6, 6, 1) other"}))
    assert text.startswith("the data are not those that the study was started with")
    assert "(x_train uint8 (80, 6, 6, 1) abc then, uint8 (80, 6, 6, 1) other now)" in text
    assert "y_test absent then, int64 (9,) ghi now" in refusal(of(), of(data={**DATA, "y_test": "int64 (9,) ghi"}))


def test_another_space_is_refused_with_what_differs() -> None:
    text = refusal(of(), of(dense=space(units=8)))
    assert text.startswith("the search space dense is not the one that the study was started with")
    assert "units: max_value 9 then, 8 now" in text
    assert "depth absent then, declared now" in refusal(of(), of(dense=space(units=9, depth=3)))
    swapped = refusal(of(dense=space(units=9, depth=3)), of(dense=space(depth=3, units=9)))
    assert "their order" in swapped
    many = refusal(of(), of(dense=space(a=1, b=1, c=1, d=1)))
    assert "and 2 more" in many


MODEL = [{"at": "layer 0", "class": "Dense", "units": "64"}, {"at": "loss", "class": "mse"}]


def test_another_model_is_refused_with_what_differs() -> None:
    wider = [{"at": "layer 0", "class": "Dense", "units": "128"}, MODEL[1]]
    then, now = of(models={"dense": MODEL}), of(models={"dense": wider})
    fingerprints.check(then, of(models={"dense": MODEL}))
    text = refusal(then, now)
    assert text.startswith("the search space dense is not the one that the study was started with ")
    assert "(layer 0: Dense(units=128) was Dense(units=64)); nothing was changed; restore it" in text
    assert "loss: mse is gone" in refusal(then, of(models={"dense": MODEL[:1]}))
    fingerprints.check(then, now, is_repeatable=lambda name: False)


def test_a_study_of_before_models_were_described_is_continued() -> None:
    then = of(models={"dense": MODEL})
    del then["models"], then["details"]["models"]
    fingerprints.check(then, of(models={"dense": [*MODEL, {"at": "optimizer", "class": "SGD"}]}))


def test_a_space_that_is_missing_is_refused() -> None:
    text = refusal(of(dense=space(units=9), cnn=space(filters=9)), of(dense=space(units=9)))
    assert text.startswith("the search space cnn is not the one")


@pytest.mark.parametrize(
    ("objective", "differing"),
    [
        (Objective("val_loss", "minimize"), "name val_accuracy then, val_loss now, direction maximize then"),
        (Objective("val_accuracy", "minimize"), "(direction maximize then, minimize now)"),
    ],
)
def test_a_resume_checks_the_objective(command: Command, finished: Path, objective: Objective, differing: str) -> None:
    """As after somebody has changed what is stored."""
    before = study_table(finished, "a")
    study = opened(finished, "a")
    study.definition = replace(study.definition, objective=objective)
    study.save()
    code, _, error = command("resume", "a", "--trials", "3", "--quiet")
    assert code == 2
    assert "the objective is not the one that the study was started with" in error
    assert differing in error
    assert error.count("\n") == 1
    assert study_table(finished, "a") == before
