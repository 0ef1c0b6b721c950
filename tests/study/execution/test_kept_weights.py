"""The model that a tuner returns scores what its trial is stored with."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tiny

import study

rng = np.random.default_rng(0)
LABELS = np.arange(120) % tiny.CLASSES
PIXELS = (rng.integers(0, 170, (120, tiny.SIDE, tiny.SIDE, 1)) + 25 * LABELS.reshape(-1, 1, 1, 1)) / 255
DATA, HELD_OUT = (PIXELS[:80].astype("float32"), LABELS[:80]), (PIXELS[80:].astype("float32"), LABELS[80:])


class Custom(keras.callbacks.Callback):
    """Adds the share of classes that are found at least once, less the epoch: best in one of the first epochs."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_custom"] = score(self.model) - epoch / 10


def score(model: keras.Model) -> float:
    """Of the images that are held out: the mean probability of the right class."""
    return float(np.asarray(model(HELD_OUT[0]))[np.arange(40), HELD_OUT[1]].mean())


class Space(keras_tuner.HyperModel):
    """Whose `fit` adds callbacks before and after those that it is given."""

    stopping = "before"

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(
            keras.layers.Dense(8, "relu"), learning_rate=hp.Float("rate", 0.01, 1.0, sampling="log", default=0.2)
        )

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=3, restore_best_weights=True)
        own = [stop, *callbacks, Custom()] if self.stopping == "before" else [*callbacks, Custom(), stop]
        return model.fit(*args, callbacks=own, **kwargs)


class After(Space):
    """Stops early by a callback that comes last."""

    stopping = "after"


class InStages(Space):
    """The last stage is worse than the first, and counts."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        super().fit(hp, model, *args, **kwargs)
        model.set_weights([0.1 * weights for weights in model.get_weights()])
        return super().fit(hp, model, *args, **kwargs)


@pytest.mark.parametrize("space", [Space, After, InStages])
def test_score_and_model_are_of_the_same_epoch(tmp_path: Path, space: type[Space]) -> None:
    objective = keras_tuner.Objective("val_custom", "max")
    tuner = study.OptunaTuner(space(), objective=objective, max_trials=2, pruner="none", directory=tmp_path)
    tuner.search(*DATA, epochs=4, validation_data=HELD_OUT, verbose=0)
    trials = tuner.study.trials.sort_values("value", ascending=False)
    for model, value, best in zip(tuner.get_best_models(2), trials.value, trials.best_epoch, strict=True):
        assert score(model) - (best - 1) % 4 / 10 == pytest.approx(value, abs=1e-6)
