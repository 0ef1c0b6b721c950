"""Every construct of KerasTuner's guides runs."""

from pathlib import Path
from typing import Any

import guides
import keras_tuner
import pytest


def check(tuner: Any) -> None:
    """Both trials are complete, and each value is one that KerasTuner's RandomSearch can draw."""
    table = tuner.study.trials
    assert list(table.state) == ["complete", "complete"], list(table.error)
    for trial, record in guides.records(tuner):
        guides.check_values(trial.user_attrs["declared"], record.values, is_drawn=trial.number > 0)


def test_they_are_many() -> None:
    assert len(guides.SPACES) >= 25


@pytest.mark.filterwarnings("ignore:fit.* does not use its callbacks")
@pytest.mark.parametrize("name", guides.SPACES)
def test_a_space_runs(name: str, tmp_path: Path) -> None:
    check(guides.searched(tmp_path, *guides.SPACES[name]))


def test_several_inputs(tmp_path: Path) -> None:
    x, y = guides.examples()
    check(guides.searched(tmp_path, guides.several_inputs, "val_accuracy", {"left": x, "right": -x}, y))


def test_several_outputs(tmp_path: Path) -> None:
    x, y = guides.examples()
    objective = keras_tuner.Objective("val_kind_accuracy", direction="max")
    check(guides.searched(tmp_path, guides.several_outputs, objective, x, {"kind": y, "size": x[:, :1]}))
