"""The spaces as ordinary KerasTuner HyperModels."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import optuna
import pytest

from search_spaces import SPACES, SpaceError, load
from search_spaces.cnn import SmoothedCrossentropy
from study.search.hyperparameters import TrialHyperParameters

SHAPES = [((8, 8, 1), 10), ((28, 28, 1), 10), ((32, 32, 3), 7)]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("shape, classes", SHAPES)
def test_the_defaults_build_for_any_shape(name: str, shape: tuple[int, int, int], classes: int) -> None:
    model = load(name).hypermodel(shape, classes).build(keras_tuner.HyperParameters())
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, classes)


@pytest.mark.parametrize("name", SPACES)
def test_many_configurations_build_and_train_a_step(name: str) -> None:
    hypermodel = load(name).hypermodel((8, 8, 1), 10)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    x, y = np.random.default_rng(0).random((32, 8, 8, 1), np.float32), np.arange(32) % 10
    for _ in range(6):
        hp = TrialHyperParameters(study.ask())
        model = hypermodel.build(hp)
        model.run_eagerly = True
        history = hypermodel.fit(hp, model, x, y, epochs=1, verbose=0, callbacks=[])
        assert np.isfinite(history.history["loss"][0])
        assert hp.values["batch_size"] in (32, 64, 128, 256, 512)


def test_the_dense_baseline_exactly() -> None:
    hypermodel = load("dense").hypermodel((28, 28, 1), 10)
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Flatten", "Dense", "Activation", "Dense"]
    assert (model.layers[1].units, model.layers[2].activation.__name__) == (128, "relu")
    assert (model.layers[3].units, model.layers[3].activation.__name__) == (10, "linear")
    assert model.count_params() == 101_770
    assert type(model.optimizer) is keras.optimizers.Adam
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert model.optimizer.weight_decay is None
    assert model.loss.name == "sparse_categorical_crossentropy"
    assert model.loss.get_config()["from_logits"] is True
    assert hypermodel.baseline_epochs == 6
    seen: dict[str, Any] = {}
    model.fit = lambda *args, **kwargs: seen.update(kwargs)
    hypermodel.fit(hp, model, epochs=6, callbacks=[])
    assert (seen["batch_size"], seen["epochs"], seen["callbacks"]) == (128, 6, [])


def test_the_paper_is_tuned_over_exactly_its_five() -> None:
    hypermodel = load("paper").hypermodel((28, 28, 1), 10)
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    model.fit = lambda *args, **kwargs: None
    hypermodel.fit(hp, model)
    assert set(hp.values) == {"batch_size", "kernel_size", "batch_normalization", "activation", "learning_rate"}
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == 3
    assert kinds.count("Dense") == 2


def test_the_cnn_contains_cheap_configurations() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values.update({"filters": 8, "downsampling": "stride", "head": "average", "blocks": 3})
    assert load("cnn").hypermodel((28, 28, 1), 10).build(hp).count_params() < 10_000


def test_pooling_before_a_monotone_activation_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    pool = keras.layers.MaxPooling2D(2, padding="same")
    for activation in ("relu", "elu"):
        act = keras.layers.Activation(activation)
        assert np.allclose(act(pool(x)), pool(act(x)), atol=1e-6)


def test_smoothed_crossentropy_is_keras_own_on_one_hot_labels() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 5)).astype(np.float32), rng.integers(0, 5, 7)
    keras_own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = float(keras_own(keras.utils.to_categorical(labels, 5), logits))
    assert float(SmoothedCrossentropy(0.1)(labels, logits)) == pytest.approx(expected, rel=1e-5)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(SmoothedCrossentropy(0.0)(labels, logits)) == pytest.approx(float(plain(labels, logits)), rel=1e-5)


def test_the_learning_rate_falls_on_a_cosine() -> None:
    hypermodel = load("dense").hypermodel((4, 4, 1), 3)
    hp = keras_tuner.HyperParameters()
    hp.values["schedule"] = "cosine"
    rates: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    model = hypermodel.build(hp)
    model.run_eagerly = True
    x, y = np.zeros((8, 4, 4, 1), np.float32), np.zeros(8, int)
    hypermodel.fit(hp, model, x, y, epochs=4, verbose=0, callbacks=[note])
    assert rates == pytest.approx([1e-3 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)])


def test_kerastuners_own_tuner_runs_a_space(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((40, 8, 8, 1), np.float32), np.arange(40) % 10
    tuner = keras_tuner.RandomSearch(
        load("paper").hypermodel((8, 8, 1), 10), objective="val_accuracy", max_trials=1, directory=tmp_path, seed=1
    )
    tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
    (trial,) = tuner.oracle.trials.values()
    assert trial.status == "COMPLETED", trial.message
    assert trial.score is not None


def test_classes_instances_and_functions_are_spaces() -> None:
    import tiny

    shape, classes = (6, 6, 1), 3
    assert isinstance(load("tiny:Tiny").hypermodel(shape, classes), tiny.Tiny)
    assert load("tiny:instance").hypermodel(shape, classes) is tiny.instance
    wrapped = load("tiny:build_function").hypermodel(shape, classes)
    assert isinstance(wrapped, keras_tuner.HyperModel)
    assert wrapped.build(keras_tuner.HyperParameters()).output_shape == (None, 3)


def test_a_class_gets_the_arguments_it_accepts() -> None:
    hypermodel = load("keras_tuner.applications:HyperResNet").hypermodel((32, 32, 3), 7)
    assert (hypermodel.input_shape, hypermodel.classes) == ((32, 32, 3), 7)


@pytest.mark.parametrize(
    "name, said",
    [
        ("sparse", "no search space 'sparse': give dense, paper, cnn or package.module:object"),
        ("nowhere:Space", "cannot be imported: ModuleNotFoundError"),
        ("tiny:nothing", "has no 'nothing'"),
        ("tiny:no_space", "it must be a keras_tuner.HyperModel"),
        ("keras_tuner:HyperParameters", "it must be a keras_tuner.HyperModel"),
    ],
)
def test_what_is_not_a_space_is_refused(name: str, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        load(name)


def test_a_class_that_needs_more_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import tiny

    class Demanding(keras_tuner.HyperModel):
        def __init__(self, secret: str) -> None:
            super().__init__()

    monkeypatch.setattr(tiny, "Demanding", Demanding, raising=False)
    with pytest.raises(SpaceError, match="cannot be made from input_shape and num_classes: TypeError"):
        load("tiny:Demanding").hypermodel((6, 6, 1), 3)
