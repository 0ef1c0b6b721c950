"""One configuration, trained."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tiny import fitted

from study.data.datasets import Dataset
from study.errors import Interrupted, StudyError
from study.training.checkpoints import CheckpointFile
from study.training.epochs import Diverged, EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit
from study.training.prediction import probabilities


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data: Dataset) -> None:
    first, log = fitted(data, tiny.Tiny())
    again, log_again = fitted(data, tiny.Tiny())
    other, _ = fitted(data, tiny.Tiny(), seed=2)
    assert log.history == log_again.history
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


class Unshuffled(tiny.Tiny):
    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(keras.layers.Dense(8, "relu"))

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=16, shuffle=False, **kwargs)


def test_the_arithmetic_is_that_of_plain_fit(data: Dataset) -> None:
    """The same batches in the same order, given to Keras itself."""
    _, log = fitted(data, Unshuffled())
    keras.utils.set_random_seed(1)
    model = tiny.compiled(keras.layers.Dense(8, "relu"))
    history = model.fit(
        data.train.scaled, data.train.y, batch_size=16, epochs=3, shuffle=False, verbose=0,
        validation_data=(data.validation.scaled, data.validation.y),
    )  # fmt: skip
    for name, values in history.history.items():
        assert log.history[name] == pytest.approx(values, abs=1e-5)


class Drawing(tiny.Tiny):
    """Draws while it is built, by operations that remember how far they have drawn, one of them with its own seed."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[tuple[float, float]] = []

    def build(self, hp: Any) -> keras.Model:
        own = tf.raw_ops.RandomUniform(shape=tf.constant([1]), dtype=tf.float32, seed=1, seed2=2)
        self.drawn.append((float(tf.random.uniform(())), float(own[0])))
        return super().build(hp)


def test_what_a_trial_draws_does_not_depend_on_those_before_it(data: Dataset) -> None:
    hypermodel = Drawing()
    for seed in (31, 32, 31):
        fitted(data, hypermodel, epochs=1, seed=seed)
    first, second, again = hypermodel.drawn
    assert first == again
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_a_fit_without_batch_size_or_validation(data: Dataset) -> None:
    log = EpochLog()
    examples = Examples(data.train, None)
    model = fit(Training(function_space(), keras_tuner.HyperParameters(), examples, epochs=3, seed=1), log)
    assert log.epochs == 3
    assert set(log.history) == {"accuracy", "loss"}
    assert log.parameters == model.count_params()


def function_space() -> Any:
    from search_spaces import load

    return load("tiny:build_function").hypermodel((6, 6, 1), 3)


def test_one_hot_labels_where_the_loss_expects_them(data: Dataset) -> None:
    _, log = fitted(data, function_space(), epochs=12)
    assert log.history["accuracy"][-1] > 0.5


def test_a_fit_in_two_stages_counts_its_epochs_once(data: Dataset) -> None:
    class Staged(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            model.fit(*args, **kwargs)
            return model.fit(*args, **kwargs)

    epochs: list[int] = []
    _, log = fitted(data, Staged(), epochs=2, on_epoch=lambda epoch, logs: epochs.append(epoch))
    assert epochs == [1, 2, 3, 4]
    assert log.epochs == 4


def test_a_custom_fit_that_returns_metrics_is_scored_with_a_warning(data: Dataset) -> None:
    class Custom(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return {"val_accuracy": np.float32(0.5)}

    with pytest.warns(UserWarning, match="cannot be pruned"):
        _, log = fitted(data, Custom())
    assert log.history == {"val_accuracy": [None, None, 0.5]}


@pytest.mark.parametrize("result", [None, "good", {}, []])
def test_a_custom_fit_that_returns_nothing_usable(data: Dataset, result: Any) -> None:
    class Custom(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return result

    with pytest.raises(StudyError, match="callbacks"):
        fitted(data, Custom())


def test_hyperparameters_may_be_declared_in_fit(data: Dataset) -> None:
    hp = keras_tuner.HyperParameters()
    fit(Training(tiny.Tiny(), hp, tiny.examples(data), epochs=1, seed=1), EpochLog())
    assert hp.values["batch_size"] == 32


def test_the_model_is_told_before_the_first_epoch(data: Dataset) -> None:
    told: list[Any] = []
    model, log = fitted(
        data, tiny.Tiny(), epochs=1, on_built=told.append, on_epoch=lambda epoch, logs: told.append(epoch)
    )
    assert told == [model, 1]
    assert log.parameters == model.count_params()


def test_callbacks_are_made_for_each_fit_and_come_before_the_last(data: Dataset) -> None:
    class Adding(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["added"] = 1.0

    _, log = fitted(data, tiny.Tiny(), callbacks=lambda: [Adding()])
    assert log.history["added"] == [1.0] * 3


def test_a_loss_that_is_no_number_ends_the_fit(data: Dataset) -> None:
    with pytest.raises(Diverged, match=r"loss is (nan|inf) after epoch 1"):
        fitted(data, tiny.Diverging())


def test_build_must_return_a_model(data: Dataset) -> None:
    class Wrong(tiny.Tiny):
        def build(self, hp: Any) -> Any:
            return "model"

    with pytest.raises(StudyError, match=r"must return a keras.Model; it returned str"):
        fitted(data, Wrong())


class SettingPolicy(tiny.Tiny):
    """Sets Keras's policy once its layers are made, for whatever comes after."""

    def build(self, hp: Any) -> keras.Model:
        model = tiny.compiled(keras.layers.Dense(4))
        self.policies = [layer.dtype_policy.name for layer in model.layers]
        keras.config.set_dtype_policy("mixed_bfloat16")
        return model


def test_what_build_sets_for_all_of_keras_ends_with_the_trial(data: Dataset) -> None:
    hypermodel = SettingPolicy()
    (_, first), (_, second) = (fitted(data, hypermodel, epochs=1) for _ in range(2))
    assert set(hypermodel.policies) == {keras.config.dtype_policy().name} == {"float32"}
    assert first.history == second.history


def stopped(data: Dataset, hypermodel: Any, epochs: int, stop_after: int, **options: Any) -> tuple[Any, EpochLog]:
    """The model and the log of a fit that ends before the epochs that it was asked for."""
    log = EpochLog()
    training = Training(
        hypermodel, keras_tuner.HyperParameters(), tiny.examples(data), epochs, seed=1, stop_after=stop_after
    )
    return fit(training, log, **options), log


class Decaying(tiny.Tiny):
    """Its rate depends on how many epochs it was asked for."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, epochs: int, **kwargs: Any) -> Any:
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 * (1 - epoch / epochs))
        return model.fit(*args, callbacks=[*callbacks, rate], epochs=epochs, **kwargs)


class DecayingUnfed(Decaying):
    """Fed by Keras itself."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        return super().fit(hp, model, x.copy(), y, shuffle=False, **kwargs)


@pytest.mark.parametrize("hypermodel", [Decaying(), DecayingUnfed()], ids=lambda value: type(value).__name__)
def test_a_fit_is_stopped_where_a_longer_one_was_then(data: Dataset, hypermodel: Any) -> None:
    _, whole = fitted(data, hypermodel, epochs=5)
    _, log = stopped(data, hypermodel, epochs=5, stop_after=3)
    assert log.epochs == 3
    assert log.history == {name: values[:3] for name, values in whole.history.items()}
    _, shorter = fitted(data, hypermodel, epochs=3)
    assert shorter.history != log.history


class InStages(tiny.Tiny):
    """Two stages, of which the second continues to count the epochs, and a third fed by Keras itself."""

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, epochs: int, **kwargs: Any) -> Any:
        model.fit(x, y, epochs=epochs, **kwargs)
        model.fit(x, y, initial_epoch=epochs, epochs=2 * epochs, **kwargs)
        return model.fit(x[:20], y[:20], epochs=epochs, **kwargs)


@pytest.fixture(scope="module")
def in_stages(data: Dataset) -> EpochLog:
    """The log of all stages."""
    return fitted(data, InStages(), epochs=2)[1]


@pytest.mark.parametrize("stop_after", range(1, 8))
def test_a_fit_in_stages_is_stopped_in_whichever_it_is(data: Dataset, in_stages: EpochLog, stop_after: int) -> None:
    _, log = stopped(data, InStages(), epochs=2, stop_after=stop_after)
    assert log.epochs == min(stop_after, 6) == len(log.history["loss"])
    assert log.history["loss"] == in_stages.history["loss"][:stop_after]


def test_a_fit_that_was_resumed_is_stopped_after_as_many_epochs_in_all(data: Dataset, tmp_path: Path) -> None:
    class Killed(Interrupted):
        pass

    def kill(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            raise Killed

    file = CheckpointFile(tmp_path / "a-0.npz", "a 0", pytest.fail)
    with pytest.raises(Killed):
        stopped(data, tiny.Tiny(), 6, 4, hooks=Hooks(on_epoch=kill), checkpoint=file)
    _, log = stopped(data, tiny.Tiny(), 6, 4, checkpoint=file)
    assert log.epochs == 4
    assert log.history == stopped(data, tiny.Tiny(), 6, 4)[1].history


class Watching(tiny.Tiny):
    """Demands validation data, and reads what they were logged to be."""

    def fit(
        self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, callbacks: Any, **kwargs: Any
    ) -> Any:
        def read(epoch: int, logs: Any) -> None:
            logs["val_watched"] = logs["val_accuracy"]

        own = [
            keras.callbacks.LambdaCallback(on_epoch_end=read),
            keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=1.0),
        ]
        result = model.fit(x, y, validation_data=validation_data, callbacks=[*own, *callbacks], **kwargs)
        self.measured = model.evaluate(*validation_data, verbose=0, return_dict=True)["accuracy"]
        return result


def test_a_training_may_watch_images_that_it_trains_on(data: Dataset) -> None:
    """As the finals do."""
    hypermodel, log = Watching(), EpochLog()
    examples = Examples(data.train_and_validation, data.validation)
    training = Training(hypermodel, keras_tuner.HyperParameters(), examples, epochs=5, seed=1, stop_after=3)
    model = fit(training, log)
    assert log.epochs == 3
    assert log.history["val_watched"] == log.history["val_accuracy"]
    right = probabilities(model, data.validation).argmax(axis=1) == data.validation.y
    assert hypermodel.measured == pytest.approx(right.mean())


def test_a_model_can_be_saved_and_loaded(data: Dataset, tmp_path: Path) -> None:
    model, _ = fitted(data, tiny.Tiny())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (probabilities(each, data.validation) for each in (model, loaded))
    assert np.allclose(before, after, atol=1e-6)
