"""Objectives that are computed from what a model predicts."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tiny

from study.images import Images
from study.objective import BALANCED_ACCURACY, KNOWN, MACRO_F1, Objective
from study.training.prediction import probabilities
from study.training.scores import SCORES, score, scores

LABELS, PREDICTED = np.array([0, 0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 1, 1, 0, 0])


def test_scores_are_means_over_the_classes() -> None:
    assert score(BALANCED_ACCURACY, LABELS, PREDICTED) == pytest.approx((3 / 4 + 2 / 2 + 0) / 3)
    assert score(MACRO_F1, LABELS, PREDICTED) == pytest.approx((2 * 3 / (4 + 5) + 2 * 2 / (2 + 3) + 0) / 3)
    assert score(MACRO_F1, LABELS, LABELS) == 1
    assert score(BALANCED_ACCURACY, np.array([0, 0]), np.array([0, 1])) == 0.5  # class 1 has no image


def test_directions_need_not_be_given() -> None:
    for name in SCORES:
        assert KNOWN[name] == Objective.of(name).direction == "maximize"


@pytest.mark.parametrize("name", SCORES)
def test_each_epoch_logs_the_score_of_its_model(name: str, tmp_path: Path) -> None:
    data = tiny.small_images(tmp_path, 90)
    found = []

    class Seen(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            predicted = probabilities(self.model, data.validation).argmax(axis=1)
            found.append((logs[name], score(name, data.validation.y, predicted)))

    model = tiny.compiled(eagerly=False)
    callbacks = [*scores(Objective.of(name), data.validation), Seen()]
    history = model.fit(data.train.scaled, data.train.y, epochs=3, verbose=0, callbacks=callbacks)
    assert all(logged == computed for logged, computed in found)
    assert history.history[name] == [logged for logged, _ in found]
    assert len(found) == 3


def test_what_the_model_logs_under_the_name_is_kept(tmp_path: Path) -> None:
    data = tiny.small_images(tmp_path, 90)
    (callback,) = scores(Objective.of(MACRO_F1), data.validation)
    logs = {MACRO_F1: 0.25}
    callback.on_epoch_end(0, logs)
    assert logs == {MACRO_F1: 0.25}


def test_other_objectives_are_the_models_own() -> None:
    images = Images(np.zeros((2, 6, 6, 1), np.uint8), np.arange(2))
    assert not scores(Objective(), images)
    assert not scores(Objective.of(MACRO_F1), None)
