"""The spaces as ordinary KerasTuner HyperModels."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import optuna
import pytest

from search_spaces import SPACES, Cosine, OneCycle, SpaceError, load
from search_spaces.cnn import SmoothedCrossentropy
from search_spaces.schedules import schedule_of
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
    seen: set[str] = set()
    for _ in range(6):
        hp = TrialHyperParameters(study.ask())
        model = hypermodel.build(hp)
        model.run_eagerly = True
        history = hypermodel.fit(hp, model, x, y, epochs=1, verbose=0, callbacks=[])
        assert np.isfinite(history.history["loss"][0])
        assert hp.values["batch_size"] in (32, 64, 128, 256, 512)
        seen.add(hp.values.get("schedule", "one_cycle"))
    assert seen - {"constant"}


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


def test_the_cnn_baseline_exactly() -> None:
    hypermodel = load("cnn").hypermodel((28, 28, 1), 10)
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "Activation"]
    assert kinds == [*block, *block, "Flatten", "Dropout", "Dense"]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(layer.filters, layer.kernel_size) for layer in convolutions] == [(32, (3, 3)), (64, (3, 3))]
    assert all(layer.activation.__name__ == "relu" for layer in model.layers if type(layer).__name__ == "Activation")
    assert model.layers[-2].rate == 0.5
    assert type(model.optimizer) is keras.optimizers.Adam
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    assert model.optimizer.weight_decay is None
    assert (type(model.loss), model.loss.smoothing) == (SmoothedCrossentropy, 0.0)
    assert hypermodel.baseline_epochs == 15
    seen: dict[str, Any] = {}
    model.fit = lambda *args, **kwargs: seen.update(kwargs)
    hypermodel.fit(hp, model, epochs=15, callbacks=[])
    assert seen == {"batch_size": 128, "epochs": 15, "callbacks": []}


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
    schedule = schedule_of(model)
    assert isinstance(schedule, OneCycle)
    assert schedule.peak == hp.values["learning_rate"]


def built(name: str, values: dict[str, Any], shape: tuple[int, int, int] = (28, 28, 1)) -> tuple[keras.Model, Any]:
    """A configuration's model, and all of its hyperparameters."""
    hp = TrialHyperParameters.with_values(values)
    return load(name).hypermodel(shape, 10).build(hp), hp


def test_two_normalised_convolutions_a_block() -> None:
    """The network of most of the recipes that the space was made from."""
    values = {"blocks": 3, "filters": 16, "convolutions": 2, "batch_normalization": True, "normalization_momentum": 0.9}
    model, hp = built("cnn", values)
    assert sum(int(np.prod(each.shape)) for each in model.trainable_variables) == 82_266
    kinds = [type(layer).__name__ for layer in model.layers]
    unit = ["BatchNormalization", "Activation"]
    assert kinds[:7] == ["Conv2D", *unit, "Conv2D", "MaxPooling2D", *unit]
    assert {layer.momentum for layer in model.layers if type(layer).__name__ == "BatchNormalization"} == {0.9}
    assert "kernel_size" not in hp.values


@pytest.mark.parametrize(
    "values, decides",
    [
        ({"blocks": 3}, {"head"}),
        ({"convolutions": 1}, {"kernel_size"}),
        ({"batch_normalization": True}, {"normalization_momentum"}),
        ({"schedule": "one_cycle"}, {"warmup_ratio"}),
        ({"optimizer": "adam"}, {"learning_rate"}),
        ({"optimizer": "adamw"}, {"learning_rate", "weight_decay"}),
        ({"optimizer": "sgd"}, {"sgd_learning_rate", "weight_decay"}),
        ({"augmentation": "light"}, {"flip"}),
    ],
)
def test_a_hyperparameter_is_there_only_where_it_matters(values: dict[str, Any], decides: set[str]) -> None:
    off = {
        "blocks": 2, "convolutions": 2, "batch_normalization": False, "schedule": "constant", "augmentation": "none",
        "optimizer": "adam",
    }  # fmt: skip
    dependent = {
        "head",
        "kernel_size",
        "normalization_momentum",
        "warmup_ratio",
        "sgd_learning_rate",
        "weight_decay",
        "flip",
    }
    _, hp = built("cnn", {**off, **values}, (32, 32, 3))
    assert hp.values.keys() & dependent == decides - {"learning_rate"}
    assert ("learning_rate" in hp.values) == ("sgd_learning_rate" not in hp.values)


@pytest.mark.parametrize("name", ["cnn", "dense"])
@pytest.mark.parametrize("strength", ["light", "strong"])
def test_augmentation_changes_each_image_in_training_only(name: str, strength: str) -> None:
    model, _ = built(name, {"augmentation": strength})
    augment = keras.Sequential([layer for layer in model.layers if type(layer).__name__.startswith("Random")])
    x = np.zeros((8, 28, 28, 1), np.float32)
    x[:, 8:20, 8:12] = 1.0
    assert np.array_equal(augment(x, training=False), x)
    changed = np.asarray(augment(x, training=True))
    assert changed.shape == x.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert len({image.tobytes() for image in changed}) == 8
    keras.Sequential.from_config(augment.get_config())


def test_only_images_in_colour_may_be_mirrored() -> None:
    _, grey = built("cnn", {"augmentation": "strong"})
    assert "flip" not in grey.values
    for flip in (False, True):
        model, _ = built("cnn", {"augmentation": "strong", "flip": flip}, (32, 32, 3))
        assert any(isinstance(layer, keras.layers.RandomFlip) for layer in model.layers) == flip


def test_the_cnn_contains_cheap_configurations() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values.update({"blocks": 3, "filters": 16, "downsampling": "stride", "head": "average"})
    assert load("cnn").hypermodel((28, 28, 1), 10).build(hp).count_params() < 25_000


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


def test_smoothed_crossentropy_is_serialised() -> None:
    again = keras.losses.deserialize(keras.losses.serialize(SmoothedCrossentropy(0.1)))
    assert (type(again), again.smoothing) == (SmoothedCrossentropy, 0.1)


@pytest.mark.parametrize("schedule, kind", [("cosine", Cosine), ("one_cycle", OneCycle)])
def test_in_a_plain_fit_the_rate_ends_at_0_with_the_training(schedule: str, kind: Any) -> None:
    hypermodel = load("dense").hypermodel((4, 4, 1), 3)
    hp = keras_tuner.HyperParameters()
    hp.values["schedule"] = schedule
    model = hypermodel.build(hp)
    x, y = np.zeros((300, 4, 4, 1), np.float32), np.zeros(300, int)
    hypermodel.fit(hp, model, x, y, initial_epoch=1, epochs=4, verbose=0)
    found = schedule_of(model)
    assert found is not None
    rates, fixed = [float(found(step)) for step in range(10)], kind(1e-3, steps=9)  # three epochs of three batches
    assert rates == [float(fixed(step)) for step in range(10)]
    assert rates[9] == 0 < rates[8] < 1e-4


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
