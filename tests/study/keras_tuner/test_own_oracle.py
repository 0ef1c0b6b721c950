"""An oracle of the user's own class draws the trials of a tuner."""

import signal
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

import study.keras_tuner as ours
from study.errors import StudyError


class Counting(keras_tuner.Oracle):
    """Counts up; it waits before its second trial, and stops after its third."""

    def __init__(self, **options: Any) -> None:
        super().__init__(objective=keras_tuner.Objective("score", "max"), **options)
        self.asked = 0
        self.told: list[Any] = []

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self.asked += 1
        if self.asked == 2:
            return {"status": "IDLE"}
        if len(self.start_order) == 3:
            return {"status": "STOPPED"}
        return {"status": "RUNNING", "values": {"a": len(self.start_order) + 1}}

    def end_trial(self, trial: Any) -> None:
        super().end_trial(trial)
        self.told.append((trial.hyperparameters.values, trial.status, trial.score))

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "asked": self.asked}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.asked = state["asked"]


class Box(ours.Tuner):
    """Scores `a` with itself."""

    second: Any = None
    """Called at 2."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        value = trial.hyperparameters.Int("a", 1, 5, default=5)
        if value == 2 and self.second is not None:
            self.second(trial)
        return {"score": float(value)}


def test_it_is_asked_for_each_trial_and_told_what_came_of_it(tmp_path: Path, capsys: Any) -> None:
    oracle = Counting(max_trials=9)
    tuner = Box(oracle, directory=tmp_path)

    def unlucky(trial: Any) -> None:
        assert tuner.oracle.ongoing_trials["tuner0"] is trial
        raise OSError("out of luck")

    tuner.second = unlucky
    tuner.search()
    values = [each.hyperparameters.values for each in tuner.oracle.trials.values()]
    assert values == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert oracle.told == [(values[0], "COMPLETED", 1.0), (values[1], "FAILED", None), (values[2], "COMPLETED", 3.0)]
    assert tuner.oracle.told is oracle.told
    assert oracle.get_best_trials()[0].hyperparameters.get("a") == tuner.get_best_hyperparameters()[0]["a"] == 3
    assert "the oracle has stopped; the search ends after 3 trials instead of 9" in capsys.readouterr().out
    with pytest.raises(StudyError, match="was started otherwise"):
        ours.RandomSearch(lambda hp: None, keras_tuner.Objective("score", "max"), directory=tmp_path)


def test_it_continues_with_what_it_saved(tmp_path: Path) -> None:
    tuner = Box(Counting(), directory=tmp_path)

    def interrupted(trial: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        tuner.oracle.update_trial(trial.trial_id, {"score": 0.0})

    tuner.second = interrupted
    with pytest.raises(KeyboardInterrupt):
        tuner.search()
    again = Box(Counting(), directory=tmp_path)
    again.search()
    assert [each.hyperparameters.values["a"] for each in again.oracle.trials.values()] == [1, 2, 3]
    assert len(again.oracle.told) == 2
    assert again.oracle.asked == 5


def test_a_value_that_is_none_is_refused(tmp_path: Path) -> None:
    class Own(Counting):
        def populate_space(self, trial_id: str) -> dict[str, Any]:
            return {"status": "RUNNING", "values": {"a": 7}}

    hp = keras_tuner.HyperParameters()
    hp.Int("a", 1, 5)
    with pytest.raises(StudyError, match="Own gave a=7, which is no value of IntDistribution"):
        Box(Own(hyperparameters=hp), directory=tmp_path).search()
    with pytest.raises(StudyError, match="kt-own is the sampler of a Tuner that is given an oracle"):
        ours.OptunaTuner(lambda hp: None, "val_loss", sampler="kt-own", directory=tmp_path)
