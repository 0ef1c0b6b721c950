"""The weights of the epoch that scores a training are kept, whatever the order of the callbacks."""

from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tiny

from study.data.datasets import Dataset
from study.objective import Objective
from study.training.best_weights import BestWeights
from study.training.epochs import EpochLog
from study.training.fit import Hooks, Training, fit

Weights = list[Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


@pytest.mark.parametrize(
    ("objective", "kept"), [("maximize", [1, 3]), ("minimize", [1, 2]), (None, [1, 2, 3, 4])], ids=str
)
def test_the_weights_of_the_best_epoch_are_kept_and_without_the_objective_those_of_the_last(
    objective: Any, kept: list[int]
) -> None:
    log, epochs = EpochLog(), list[int]()
    name = "score" if objective else "other"
    best = BestWeights(lambda model: epochs.append(log.epochs), log, Objective(name, objective or "maximize"))
    for score in (0.5, 0.2, 0.9, float("nan")):
        log.add({"score": score})
        best.after_epoch(None, stage=1)  # type: ignore[arg-type]
    assert epochs == kept


class Remembering(tiny.Tiny):
    """Remembers the weights after each epoch, and scores them by a log of its own: best in the middle."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores, self.after = scores, list[Weights]()

    def score(self) -> keras.callbacks.Callback:
        """Adds the log `val_custom`."""

        def end(epoch: int, logs: Any) -> None:
            logs["val_custom"] = self.scores[len(self.after)]
            self.after.append(self.model.get_weights())

        return keras.callbacks.LambdaCallback(on_epoch_end=end)

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        self.model = model
        return model.fit(*args, batch_size=16, callbacks=[*callbacks, self.score()], **kwargs)


class Unfed(Remembering):
    """Is fed by Keras itself."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        return super().fit(hp, model, x.copy(), y, **kwargs)


class Restoring(Remembering):
    """Ends with other weights than those of its best epoch."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        stopping = keras.callbacks.EarlyStopping("loss", mode="max", patience=3, restore_best_weights=True)
        return super().fit(hp, model, *args, callbacks=[stopping, *callbacks], **kwargs)


class Staged(Remembering):
    """The first stage is the better one; as KerasTuner has it, the History of the last one counts."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        super().fit(hp, model, *args, **kwargs)
        return super().fit(hp, model, *args, **kwargs)


class StagedUncounted(Staged):
    """Returns nothing, so that all epochs count."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        super().fit(hp, model, *args, **kwargs)


def kept(data: Dataset, hypermodel: Remembering, epochs: int) -> tuple[Weights, EpochLog, Weights]:
    """The weights that were kept last, the log, and the weights at the end."""
    found: Weights = []
    objective, log = Objective("val_custom", "maximize"), EpochLog()
    training = Training(hypermodel, keras_tuner.HyperParameters(), tiny.examples(data), epochs, 1, objective)
    model = fit(training, log, Hooks(on_best=lambda model: found.append(model.get_weights())))
    return found[-1], log, model.get_weights()


@pytest.mark.parametrize(
    ("hypermodel", "epochs", "best"),
    [
        (Remembering([0.1, 0.9, 0.3]), 3, 2),
        (Unfed([0.1, 0.9, 0.3]), 3, 2),
        (Restoring([0.1, 0.9, 0.3]), 3, 2),
        (Staged([0.8, 0.9, 0.1, 0.5, 0.4, 0.3]), 3, 4),
        (Staged([0.1, 0.2, 0.3, 0.4, 0.6, 0.5]), 3, 5),
        (StagedUncounted([0.8, 0.9, 0.1, 0.5, 0.4, 0.3]), 3, 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Remembering) else str(value),
)
def test_score_and_weights_are_of_the_same_epoch(
    data: Dataset, hypermodel: Remembering, epochs: int, best: int
) -> None:
    found, log, last = kept(data, hypermodel, epochs)
    score = hypermodel.scores[best - 1]
    assert log.best(Objective("val_custom", "maximize")) == (best, score)
    assert same(found, hypermodel.after[best - 1])
    if isinstance(hypermodel, Staged):
        assert same(last, hypermodel.after[-1])


def same(one: Weights, two: Weights) -> bool:
    return all(map(np.array_equal, one, two))
