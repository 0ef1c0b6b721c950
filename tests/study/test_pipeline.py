"""How the images reach the model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from study import pipeline, training
from study.datasets import Dataset, Images
from study.hyperparameters import TrialHyperParameters


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


class Graph(tiny.Tiny):
    """Trained in the graph, as users' models are; batches of 16."""

    callbacks: tuple[keras.callbacks.Callback, ...] = ()

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(
            keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2), eagerly=False
        )

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=16, callbacks=[*callbacks, *self.callbacks], **kwargs)


def fitted(data: Dataset, hypermodel: Any, epochs: int = 3) -> tuple[keras.Model, training.EpochLog]:
    log = training.EpochLog()
    hp = TrialHyperParameters()
    model = training.fit(hypermodel, hp, tiny.examples(data), epochs=epochs, seed=1, log=log)
    return model, log


def test_each_epoch_sees_every_image_once_in_its_own_order(data: Dataset) -> None:
    n = len(data.train)
    batches = pipeline._Batches(data.train.x, np.arange(n), 16, seed=7)
    seen = []
    for epoch in (0, 1, 0):
        batches.begin(epoch)
        order = np.concatenate([y.numpy() for _, y in batches.dataset()])
        assert order.tolist() == np.concatenate([batches[number][1] for number in range(batches.count)]).tolist()
        assert sorted(order) == list(range(n))
        seen.append(order.tolist())
    assert seen[0] != seen[1]
    assert seen[0] == seen[2]
    assert [len(y) for _, y in batches.dataset()] == [16] * (n // 16) + [n % 16]
    x, y = batches[0]
    assert np.array_equal(x.numpy(), data.train.scaled[y.numpy()])


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_how_many_steps_a_call_takes_changes_nothing(
    data: Dataset, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, log = fitted(data, Graph())
    monkeypatch.setattr(pipeline, "STEPS_PER_EXECUTION", steps)
    same, looped = fitted(data, Graph())
    assert looped.history == log.history
    for one, two in zip(model.get_weights(), same.get_weights(), strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize(("images", "looks"), [(110, 0), (1400, 1)])
def test_the_first_epoch_is_looked_at_once_after_an_eighth(images: int, looks: int, tmp_path: Path) -> None:
    data = tiny.small_images(tmp_path, images)
    seen: list[tuple[int, dict[str, float]]] = []
    log = training.EpochLog()

    def look(logs: dict[str, float]) -> None:
        seen.append((log.epochs, logs))

    def fit(**options: Any) -> training.EpochLog:
        training.fit(
            Graph(), TrialHyperParameters(), tiny.examples(data), epochs=2, seed=1, log=log, **options
        )  # fmt: skip
        return log

    looked = fit(on_look=look).history
    assert len(seen) == looks
    for epochs, logs in seen:
        assert epochs == 0
        assert 0 < logs["accuracy"] < looked["accuracy"][0] + 0.2
        assert logs["loss"] > 0
    log = training.EpochLog()
    assert fit().history == looked


def test_a_fit_without_the_callbacks_is_not_looked_at(tmp_path: Path) -> None:
    class WithoutCallbacks(Graph):
        def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
            return super().fit(hp, model, *args, callbacks=[], **kwargs)

    data, seen = tiny.small_images(tmp_path, 1400), []
    options: dict[str, Any] = {"epochs": 1, "seed": 1, "log": training.EpochLog(), "on_look": seen.append}
    with pytest.warns(UserWarning, match="does not use its callbacks"):
        training.fit(WithoutCallbacks(), TrialHyperParameters(), tiny.examples(data), **options)
    assert seen == []


def test_a_fit_that_has_diverged_at_the_look_has_failed(tmp_path: Path) -> None:
    class Diverging(Graph):
        def build(self, hp: Any) -> keras.Model:
            return tiny.compiled(keras.layers.Dense(8, "relu"), learning_rate=1e30, eagerly=False)

    data, seen = tiny.small_images(tmp_path, 1400), []
    options: dict[str, Any] = {"epochs": 1, "seed": 1, "log": training.EpochLog(), "on_look": seen.append}
    with pytest.raises(training.Diverged, match="loss is nan within epoch 1"):
        training.fit(Diverging(), TrialHyperParameters(), tiny.examples(data), **options)
    assert seen == []


def test_a_look_may_end_the_fit(tmp_path: Path) -> None:
    class Ended(Exception):
        pass

    def look(logs: dict[str, float]) -> None:
        raise Ended

    data, log = tiny.small_images(tmp_path, 1400), training.EpochLog()
    with pytest.raises(Ended):
        training.fit(
            Graph(), TrialHyperParameters(), tiny.examples(data), epochs=2, seed=1, log=log, on_look=look
        )  # fmt: skip
    assert log.epochs == 0


def test_a_step_is_traced_once_for_all_epochs_and_the_remainder(data: Dataset) -> None:
    traced = []

    class Counting(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            traced.append(data[0].shape)
            return super().train_step(data)

    class Space(Graph):
        def build(self, hp: Any) -> keras.Model:
            model = Counting([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile("adam", loss, metrics=["accuracy"])
            return model

    assert len(data.train) % 16
    fitted(data, Space())
    assert len(traced) == 1


def test_a_step_of_ones_own_is_taken(data: Dataset) -> None:
    class Constant(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return {"loss": tf.constant(2.0), "seen": tf.shape(data[0])[0]}

    class Space(Graph):
        def build(self, hp: Any) -> keras.Model:
            model = Constant([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
            model.compile("adam", "sparse_categorical_crossentropy")
            return model

    _, log = fitted(data, Space())
    assert log.history["seen"] == [len(data.train) % 16] * 3  # the logs of the last step


def test_a_training_function_of_ones_own_gets_the_batches(data: Dataset) -> None:
    seen: list[int] = []

    class Own(keras.Sequential):
        def make_train_function(self, force: bool = False) -> Any:
            def function(iterator: Any) -> dict[str, float]:
                seen.append(len(next(iterator)[1]))
                return {"loss": 1.0}

            self.train_function = function

    class Space(Graph):
        def build(self, hp: Any) -> keras.Model:
            model = Own([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
            model.compile("adam", "sparse_categorical_crossentropy")
            return model

    fitted(data, Space(), epochs=2)
    n = len(data.train)
    assert seen == ([16] * (n // 16) + [n % 16]) * 2


def test_a_callback_that_acts_on_batches_sees_each(data: Dataset) -> None:
    seen: list[int] = []

    class Warmup(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            assert self.params["steps"] == -(-len(data.train) // 16)
            seen.append(batch)

    _, unseen = fitted(data, Graph(), epochs=1)
    for callback in (
        Warmup(),
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch)),
    ):

        class Space(Graph):
            callbacks = (callback,)

        seen.clear()
        _, log = fitted(data, Space(), epochs=1)
        assert seen == list(range(-(-len(data.train) // 16)))
        assert log.history == unseen.history


def test_other_images_may_be_evaluated_in_between_and_trained_on_afterwards(data: Dataset) -> None:
    """What is put into the model for one fit does not stay in it."""
    other = Images(data.validation.x[:10], data.validation.y[:10])
    found = []

    class Looking(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found.append(self.model.evaluate(other.scaled, other.y, verbose=0, return_dict=True)["accuracy"])

    class Space(Graph):
        def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
            result = model.fit(*args, callbacks=[*callbacks, Looking()], **kwargs)
            steps: list[int] = []
            count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
            model.fit(other.scaled, other.y, batch_size=5, callbacks=[count])
            assert steps == [0, 1]
            return result

    model, _ = fitted(data, Space(), epochs=2)
    assert len(found) == 2
    assert all(round(value * 10, 4) % 1 == 0 for value in found)
    assert model.steps_per_execution == 1


def test_class_weights_act(data: Dataset) -> None:
    class Space(Graph):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, class_weight={0: 0.0, 1: 0.0, 2: 0.0}, **kwargs)

    _, log = fitted(data, Space())
    assert log.history["loss"] == [0.0] * 3
