"""One configuration, trained."""

import gc
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tensorflow.python import pywrap_tfe

from study import training
from study.datasets import Dataset
from study.errors import StudyError
from study.hyperparameters import TrialHyperParameters


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


def fitted(data: Dataset, hypermodel: Any, *, validation: bool = True, **options: Any) -> Any:
    log = training.EpochLog()
    hp = TrialHyperParameters()
    settings = {"epochs": 3, "seed": 1, **options}
    examples = tiny.examples(data) if validation else training.Examples(data.train, None)
    model = training.fit(hypermodel, hp, examples, log=log, **settings)
    return model, log


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data: Dataset) -> None:
    first, log = fitted(data, tiny.Tiny())
    again, log_again = fitted(data, tiny.Tiny())
    other, _ = fitted(data, tiny.Tiny(), seed=2)
    assert log.history == log_again.history
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_the_arithmetic_is_that_of_plain_fit(data: Dataset) -> None:
    """The same batches in the same order, given to Keras itself."""
    hp = TrialHyperParameters()
    log = training.EpochLog()
    training.fit(Unshuffled(), hp, tiny.examples(data), epochs=3, seed=1, log=log)
    keras.utils.set_random_seed(1)
    model = tiny.compiled(keras.layers.Dense(8, "relu"))
    history = model.fit(
        data.train.scaled, data.train.y, batch_size=16, epochs=3, shuffle=False, verbose=0,
        validation_data=(data.validation.scaled, data.validation.y),
    )  # fmt: skip
    for name, values in history.history.items():
        assert log.history[name] == pytest.approx(values, abs=1e-5)


class Silu(tiny.Tiny):
    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(keras.layers.Dense(8, "silu"), eagerly=False)


def test_no_graph_of_a_model_outlives_it(data: Dataset) -> None:
    """TensorFlow would keep those whose operations bring their own gradients."""

    def graphs() -> int:
        gc.collect()
        return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())

    fitted(data, Silu())
    keras.backend.clear_session()
    before = graphs()
    for seed in (2, 3):
        fitted(data, Silu(), seed=seed)
    keras.backend.clear_session()
    assert graphs() <= before


def test_a_function_that_outlives_a_model_keeps_its_gradient(data: Dataset) -> None:
    """Traced forwards while a model was built, differentiated for the first time later."""
    penalty = tf.function(lambda x: tf.reduce_sum(tf.nn.silu(x)))

    class Penalized(Silu):
        def build(self, hp: Any) -> keras.Model:
            penalty(tf.ones((2, 2)))
            return super().build(hp)

    fitted(data, Penalized())
    gc.collect()
    x = tf.zeros((2, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = penalty(x)
    assert tape.gradient(y, x).numpy() == pytest.approx(0.5)  # of silu at 0


class Drawing(tiny.Tiny):
    """Draws while it is built, by operations that remember how far they have drawn: one by a seed of its own."""

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


class Stateless(tiny.Tiny):
    stateless = True


def test_a_stateless_space_keeps_its_kernels_from_model_to_model_and_not_for_ever(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared = 0
    clear = pywrap_tfe.TFE_ContextClearCaches

    def count(context: Any) -> None:
        nonlocal cleared
        cleared += 1
        clear(context)

    monkeypatch.setattr(pywrap_tfe, "TFE_ContextClearCaches", count)
    monkeypatch.setattr(training, "MODELS_TOGETHER", 3)
    monkeypatch.setattr(training, "_models", itertools.count())
    counts = []
    for hypermodel in (Stateless(), Stateless(), Stateless(), Stateless(), tiny.Tiny()):
        fitted(data, hypermodel, epochs=1)
        counts.append(cleared)
    assert 0 < counts[0] == counts[1] == counts[2] < counts[3] < counts[4]


class Unshuffled(tiny.Tiny):
    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled(keras.layers.Dense(8, "relu"))

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=16, shuffle=False, **kwargs)


def test_a_fit_without_batch_size_or_validation(data: Dataset) -> None:
    model, log = fitted(data, keras_tuner_function(), validation=False)
    assert log.epochs == 3
    assert set(log.history) == {"accuracy", "loss"}
    assert log.parameters == model.count_params()


def keras_tuner_function() -> Any:
    from search_spaces import load

    return load("tiny:build_function").hypermodel((6, 6, 1), 3)


def test_one_hot_labels_where_the_loss_wants_them(data: Dataset) -> None:
    _, log = fitted(data, keras_tuner_function(), epochs=12)
    assert log.history["accuracy"][-1] > 0.5


def test_other_arrays_go_to_keras_as_they_are(data: Dataset) -> None:
    class Weighted(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
            assert x.dtype == np.float32
            assert x is data.train.scaled
            return model.fit(x[:32], y[:32], sample_weight=np.ones(32), **kwargs)

    _, log = fitted(data, Weighted())
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


def test_a_fit_in_two_stages_counts_its_epochs_once(data: Dataset) -> None:
    class Staged(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            model.fit(*args, **kwargs)
            return model.fit(*args, **kwargs)

    epochs: list[int] = []
    _, log = fitted(data, Staged(), epochs=2, on_epoch=lambda epoch, logs: epochs.append(epoch))
    assert epochs == [1, 2, 3, 4]
    assert log.epochs == 4


def test_a_log_that_some_epochs_lack_is_absent_there() -> None:
    log = training.EpochLog()
    for logs in ({"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}, {"loss": 1.0}, {"loss": 0.5, "val_loss": 0.7}):
        log.add(logs)
    assert log.history["val_loss"] == [None, 2.5, None, 0.7]


@pytest.mark.parametrize(
    "loss, one_hot",
    [
        ("categorical_crossentropy", True),
        ("sparse_categorical_crossentropy", False),
        (keras.losses.categorical_crossentropy, True),
        (keras.losses.SparseCategoricalCrossentropy(), False),
        (keras.losses.CategoricalCrossentropy(name="ce"), True),
        (["categorical_crossentropy"], True),
    ],
)
def test_labels_are_as_the_loss_wants_them(loss: Any, one_hot: bool) -> None:
    model = tiny.linear()
    model.compile(loss=loss)
    assert training._targets(model, np.array([0, 2]), 3).shape == ((2, 3) if one_hot else (2,))


def test_a_fit_of_ones_own_that_returns_metrics_is_scored_with_a_warning(data: Dataset) -> None:
    class Own(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return {"val_accuracy": np.float32(0.5)}

    with pytest.warns(UserWarning, match="cannot be pruned"):
        _, log = fitted(data, Own())
    assert log.history == {"val_accuracy": [None, None, 0.5]}  # what it came to in the 3 epochs it was asked for


@pytest.mark.parametrize("result", [None, "good", {}, []])
def test_a_fit_of_ones_own_that_returns_nothing_usable(data: Dataset, result: Any) -> None:
    class Own(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return result

    with pytest.raises(StudyError, match="callbacks"):
        fitted(data, Own())


def test_hyperparameters_may_be_declared_in_fit(data: Dataset) -> None:
    hp = TrialHyperParameters()
    training.fit(tiny.Tiny(), hp, tiny.examples(data), epochs=1, seed=1, log=training.EpochLog())
    assert hp.values["batch_size"] == 32


def test_a_loss_that_is_no_number_ends_the_fit(data: Dataset) -> None:
    with pytest.raises(training.Diverged, match=r"loss is (nan|inf) after epoch 1"):
        fitted(data, tiny.Diverging())


def test_build_must_return_a_model(data: Dataset) -> None:
    class Wrong(tiny.Tiny):
        def build(self, hp: Any) -> Any:
            return "model"

    with pytest.raises(StudyError, match=r"must return a keras.Model; it returned str"):
        fitted(data, Wrong())


@pytest.mark.parametrize("outputs", ["softmax", None, "sigmoid"])
def test_probabilities_of_probabilities_logits_and_one_unit(data: Dataset, outputs: str | None) -> None:
    units = 1 if outputs == "sigmoid" else 3
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(units, outputs)])
    found = training.probabilities(model, data.validation)
    assert found.shape == (len(data.validation), max(units, 2))
    assert found.sum(axis=1) == pytest.approx(1)
    raw = model.predict(data.validation.scaled, verbose=0)
    expected = raw.argmax(axis=1) if units > 1 else (raw[:, 0] > 0.5).astype(int)
    assert np.array_equal(found.argmax(axis=1), expected)


def test_the_best_epoch_is_the_earliest_of_equals() -> None:
    log = training.EpochLog()
    for value in (0.5, 0.9, float("nan"), 0.9):
        log.add({"val_accuracy": value, "val_loss": 1 - value})
    assert log.best("val_accuracy", "maximize") == (2, 0.9)
    assert log.best("val_loss", "minimize") == (2, pytest.approx(0.1))
    assert log.best("other", "minimize") is None
    assert log.history["val_accuracy"][2] is None


def test_a_model_can_be_saved_and_loaded(data: Dataset, tmp_path: Path) -> None:
    model, _ = fitted(data, tiny.Tiny())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (training.probabilities(each, data.validation) for each in (model, loaded))
    assert np.allclose(before, after, atol=1e-6)
