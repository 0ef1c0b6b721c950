"""How the images reach the model, many steps per call into TensorFlow."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import Graph, fitted

from study.data.datasets import Dataset
from study.images import Images
from study.training import pipeline
from study.training.epochs import EpochLog


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


def test_other_arrays_go_to_keras_as_they_are(data: Dataset) -> None:
    class Part(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            assert x.dtype == np.float32
            assert x is data.train.scaled
            return model.fit(x[:32], y[:32], sample_weight=np.ones(32), **kwargs)

    _, log = fitted(data, Part())
    assert log.epochs == 3


def test_sample_weights_and_validation_weights_are_not_lost(data: Dataset) -> None:
    class Weighted(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            return model.fit(x, y, sample_weight=np.zeros(len(y)), **kwargs)

    _, log = fitted(data, Weighted())
    assert log.history["loss"] == [0.0] * 3
    assert (log.history["val_loss"][0] or 0) > 0

    class ValidationWeighted(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            x_val, y_val = kwargs.pop("validation_data")
            return model.fit(x, y, validation_data=(x_val, y_val, np.zeros(len(y_val))), **kwargs)

    _, log = fitted(data, ValidationWeighted())
    assert log.history["val_loss"] == [0.0] * 3
    assert (log.history["loss"][0] or 0) > 0


def test_class_weights_act(data: Dataset) -> None:
    class Space(Graph):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, class_weight={0: 0.0, 1: 0.0, 2: 0.0}, **kwargs)

    _, log = fitted(data, Space())
    assert log.history["loss"] == [0.0] * 3


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_class_weights_are_those_of_keras(data: Dataset, loss: str) -> None:
    weights = {0: 3.0, 2: 0.5}

    class Fed(tiny.Tiny):
        def build(self, hp: Any) -> keras.Model:
            return tiny.compiled(keras.layers.Dense(4), loss=loss, eagerly=False)

        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, class_weight=weights, shuffle=False, **kwargs)

    class Plain(Fed):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            return model.fit(x.copy(), y, class_weight=weights, shuffle=False, **kwargs)  # which Keras feeds itself

    (model, log), (plain, plain_log) = fitted(data, Fed()), fitted(data, Plain())
    for name, values in plain_log.history.items():
        assert log.history[name] == pytest.approx(values, rel=1e-4), name
    for one, two in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert np.allclose(one, two, atol=1e-5)


def test_other_images_may_be_evaluated_in_between_and_trained_on_afterwards(data: Dataset) -> None:
    """What is put into the model for one fit does not stay in it."""
    other = Images(data.validation.x[:10], data.validation.y[:10])
    found = []

    class Evaluating(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found.append(self.model.evaluate(other.scaled, other.y, verbose=0, return_dict=True)["accuracy"])

    class Space(Graph):
        def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
            result = model.fit(*args, callbacks=[*callbacks, Evaluating()], **kwargs)
            steps: list[int] = []
            count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
            model.fit(other.scaled, other.y, batch_size=5, callbacks=[count])
            assert steps == [0, 1]
            return result

    model, _ = fitted(data, Space(), epochs=2)
    assert len(found) == 2
    assert all(round(value * 10, 4) % 1 == 0 for value in found)
    assert model.steps_per_execution == 1


@pytest.fixture(scope="module")
def in_one_call(data: Dataset) -> tuple[keras.Model, EpochLog]:
    """A model that was trained with all steps of an epoch in one call, and the log."""
    return fitted(data, Graph())


@pytest.mark.parametrize("per_call", [1, 4, 5])
def test_how_many_steps_a_call_takes_changes_nothing(
    data: Dataset, in_one_call: tuple[keras.Model, EpochLog], per_call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, log = in_one_call
    monkeypatch.setattr(pipeline, "STEPS_PER_EXECUTION", per_call)
    same, looped = fitted(data, Graph())
    assert looped.history == log.history
    for one, two in zip(model.get_weights(), same.get_weights(), strict=True):
        assert np.array_equal(one, two)


class OwnModel(Graph):
    """Whose model is of another class than Keras's."""

    model: type[keras.Sequential] = keras.Sequential

    def build(self, hp: Any) -> keras.Model:
        model = self.model([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        return model


def test_a_step_is_traced_once_for_all_epochs_and_the_remainder(data: Dataset) -> None:
    traced = []

    class Counting(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            traced.append(data[0].shape)
            return super().train_step(data)

    class Space(OwnModel):
        model = Counting

    assert len(data.train) % 16
    fitted(data, Space())
    assert len(traced) == 1


def test_a_model_that_runs_eagerly_is_trained_so(data: Dataset) -> None:
    seen: list[int] = []

    class Looking(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            seen.append(len(data[1].numpy()))  # as one does to look at a step
            return super().train_step(data)

    class Eager(OwnModel):
        model = Looking

        def build(self, hp: Any) -> keras.Model:
            model = super().build(hp)
            model.run_eagerly = True
            return model

    n = len(data.train)
    eager, log = fitted(data, Eager(), epochs=2)
    assert seen == ([16] * (n // 16) + [n % 16]) * 2
    graph, other = fitted(data, OwnModel(), epochs=2)
    assert log.history["val_loss"] == pytest.approx(other.history["val_loss"], rel=1e-5)
    for one, two in zip(eager.get_weights(), graph.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_a_custom_step_is_taken(data: Dataset) -> None:
    class Constant(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return {"loss": tf.constant(2.0), "seen": tf.shape(data[0])[0]}

    class Space(OwnModel):
        model = Constant

    _, log = fitted(data, Space())
    assert log.history["seen"] == [len(data.train) % 16] * 3  # the logs of the last step


def test_a_custom_training_function_gets_the_batches(data: Dataset) -> None:
    seen: list[int] = []

    class Own(keras.Sequential):
        def make_train_function(self, force: bool = False) -> Any:
            def function(iterator: Any) -> dict[str, float]:
                seen.append(len(next(iterator)[1]))
                return {"loss": 1.0}

            self.train_function = function

    class Space(OwnModel):
        model = Own

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
