"""What the epochs of a fit logged, and the score of what `HyperModel.fit` returned."""

from typing import Any

import keras
import numpy as np
import pytest

from study.errors import StudyError
from study.objective import Objective
from study.training.epochs import Diverged, EpochLog, take_result

OBJECTIVE = Objective("val_accuracy", "maximize")


def test_a_log_that_some_epochs_lack_is_absent_there() -> None:
    log = EpochLog()
    for logs in ({"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}, {"loss": 1.0}, {"loss": 0.5, "val_loss": 0.7}):
        log.add(logs)
    assert log.history["val_loss"] == [None, 2.5, None, 0.7]


def test_the_best_epoch_is_the_earliest_of_equals() -> None:
    log = EpochLog()
    for value in (0.5, 0.9, float("nan"), 0.9):
        log.add({"val_accuracy": value, "val_loss": 1 - value})
    assert log.best(Objective("val_accuracy", "maximize")) == (2, 0.9)
    assert log.best(Objective("val_loss", "minimize")) == (2, pytest.approx(0.1))
    assert log.best(Objective("other", "minimize")) is None
    assert log.history["val_accuracy"][2] is None


def test_a_result_without_logged_epochs_is_scored_with_a_warning() -> None:
    log = EpochLog()
    with pytest.warns(UserWarning, match="cannot be pruned"):
        take_result(log, {"val_accuracy": np.float32(0.5)}, 3, OBJECTIVE)
    assert log.history == {"val_accuracy": [None, None, 0.5]}  # what the 3 epochs it was asked for resulted in
    assert log.best(OBJECTIVE) == (3, 0.5)


@pytest.mark.parametrize("result", [None, "good", {}, []])
def test_a_result_of_no_use_is_refused(result: Any) -> None:
    with pytest.raises(StudyError, match="callbacks"):
        take_result(EpochLog(), result, 3, OBJECTIVE)


@pytest.mark.parametrize(
    "result, value",
    [
        (0.75, 0.75),
        ({"val_accuracy": 0.75, "other": 1.0}, 0.75),
        ([{"val_accuracy": 0.5}, {"val_accuracy": 1.0}], 0.75),
        ([0.5, 1.0], 0.75),
    ],
)
def test_a_result_counts_more_than_what_was_logged(result: Any, value: float) -> None:
    log = EpochLog()
    for logged in (0.9, 0.8):
        log.add({"val_accuracy": logged})
    take_result(log, result, 2, OBJECTIVE)
    assert log.history == {"val_accuracy": [0.9, 0.8]}
    assert log.best(OBJECTIVE) == (2, value)


def history(*values: float) -> keras.callbacks.History:
    made = keras.callbacks.History()
    made.history = {"val_accuracy": list(values)}
    return made


def test_a_history_of_the_last_epochs_makes_those_count() -> None:
    log = EpochLog()
    for logged in (0.9, 0.7, 0.8):
        log.add({"val_accuracy": logged})
    take_result(log, history(0.7, 0.8), 2, OBJECTIVE)
    assert log.best(OBJECTIVE) == (3, 0.8)


def test_another_history_is_scored_by_its_best_epoch() -> None:
    log = EpochLog()
    log.add({"val_accuracy": 0.9})
    take_result(log, history(0.2, 0.6, 0.4), 3, OBJECTIVE)
    assert log.best(OBJECTIVE) == (1, 0.6)


def test_a_result_that_is_no_number_has_diverged() -> None:
    with pytest.raises(Diverged, match=r"returned val_accuracy nan"):
        take_result(EpochLog(), float("nan"), 1, OBJECTIVE)
