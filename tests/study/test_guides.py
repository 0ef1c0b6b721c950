"""Every construct of KerasTuner's guides runs, and draws what KerasTuner can draw."""

import copy
from pathlib import Path
from typing import Any

import guides
import keras_tuner
import pytest
from keras_tuner.engine import hyperparameters as kinds

import study
from study.records import DECLARED, RECORD, TrialRecord
from study.storage import results

SPACES = {name: (build, "val_accuracy") for name, build in guides.functions.items()} | guides.hypermodels


def searched(folder: Path, hypermodel: Any, objective: Any, x: Any, y: Any, **options: Any) -> Any:
    tuner = study.OptunaTuner(
        hypermodel, objective=objective, max_trials=2, sampler="random", pruner="none", directory=folder, seed=1
    )
    tuner.search(x, y, epochs=1, verbose=0, **{"validation_data": (x, y), **options})
    return tuner


def check(tuner: Any) -> None:
    """Both trials are complete, and each value is one that KerasTuner's RandomSearch can draw."""
    table = tuner.study.trials
    assert list(table.state) == ["complete", "complete"], list(table.error)
    (space,) = tuner.study.definition.spaces
    for trial in results.trials(tuner.study.stored, space):
        values = TrialRecord.from_json(trial.user_attrs[RECORD]).values
        declared = copy.deepcopy(trial.user_attrs[DECLARED])
        hp = keras_tuner.HyperParameters.from_config({"space": declared, "values": values})
        active = [each for each in hp.space if hp.is_active(each)]
        assert {each.name for each in active} == set(values)
        for each in active:
            if trial.number and not isinstance(each, kinds.Fixed):
                probability = each.value_to_prob(values[each.name])
                assert 0 <= probability < 1, each
                assert each.prob_to_value(probability) == pytest.approx(values[each.name]), each


def test_they_are_many() -> None:
    assert len(SPACES) >= 25


@pytest.mark.filterwarnings("ignore:fit.* does not use its callbacks")
@pytest.mark.parametrize("name", SPACES)
def test_a_space_runs(name: str, tmp_path: Path) -> None:
    check(searched(tmp_path, *SPACES[name], *guides.examples()))


def test_several_inputs(tmp_path: Path) -> None:
    x, y = guides.examples()
    check(searched(tmp_path, guides.several_inputs, "val_accuracy", {"left": x, "right": -x}, y))


def test_several_outputs(tmp_path: Path) -> None:
    x, y = guides.examples()
    objective = keras_tuner.Objective("val_kind_accuracy", direction="max")
    check(searched(tmp_path, guides.several_outputs, objective, x, {"kind": y, "size": x[:, :1]}))


def test_what_a_space_returns_is_scored_as_kerastuner_scores_it(tmp_path: Path) -> None:
    x, y = guides.examples()
    tuner = searched(tmp_path, guides.ReturnsMetrics(), keras_tuner.Objective("score", "min"), x, y)
    space = tuner.study.definition.spaces[0]
    for trial in results.trials(tuner.study.stored, space):
        record = results.record(trial)
        assert record is not None
        assert trial.value == pytest.approx(record.history["val_loss"][-1] + record.values["penalty"])
    tuner = searched(tmp_path / "loop", guides.OwnLoop(), None, x, y)
    space = tuner.study.definition.spaces[0]
    for trial in results.trials(tuner.study.stored, space):
        record = results.record(trial)
        assert record is not None
        assert (trial.value, record.epochs) == (min(record.history["my_loss"]), 2)
