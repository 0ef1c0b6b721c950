"""A trial that depends on what another one leaves behind is refused; what can be made independent is."""

from typing import Any

import keras
import numpy as np
import optuna
import pytest
import tiny
from keras import layers
from tiny import fitted

from study.data.datasets import Dataset
from study.search.declarations import declared
from study.training import inherited
from study.training.inherited import Dependent
from study.training.parts import parts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return tiny.small_images(tmp_path_factory.mktemp("data"), 110)


class Shared(tiny.Tiny):
    """Every model has the same layers at its beginning, between a new head and the pixels."""

    def __init__(self, *shared: keras.layers.Layer, trainable: bool = True) -> None:
        super().__init__()
        self.shared = shared
        for layer in shared:
            layer.trainable = trainable

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential([*self.shared, layers.Flatten(), layers.Dense(tiny.CLASSES, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
        return model


def base() -> keras.Model:
    """A base model that is built."""
    return keras.Sequential(
        [keras.Input((tiny.SIDE, tiny.SIDE, 1)), layers.Conv2D(2, 3), layers.BatchNormalization()], name="base"
    )


def test_a_base_model_that_is_trained_by_every_trial_is_refused_at_the_first(data: Dataset) -> None:
    with pytest.raises(Dependent) as refused:
        fitted(data, Shared(base()), epochs=1)
    assert str(refused.value).startswith("the layer base (Sequential) was made outside build(hp)")
    assert "make it in build(hp)" in str(refused.value)


def test_moving_statistics_count_too(data: Dataset) -> None:
    class Thawed(layers.BatchNormalization):
        """Has no weights that are trained, and statistics."""

        def __init__(self) -> None:
            super().__init__(center=False, scale=False)

    norm = Thawed()
    norm.build((None, tiny.SIDE, tiny.SIDE, 1))
    with pytest.raises(Dependent, match="the layer thawed"):
        fitted(data, Shared(norm), epochs=1)


def test_a_layer_that_is_built_by_the_first_training_is_recognised_in_the_second(data: Dataset) -> None:
    hypermodel = Shared(layers.Conv2D(2, 3, name="shared"))
    with pytest.raises(Dependent, match="the layer shared"):
        for _ in range(2):
            fitted(data, hypermodel, epochs=1)


def test_and_already_in_the_first_if_the_defaults_were_built_before(data: Dataset) -> None:
    hypermodel = Shared(layers.Conv2D(2, 3, name="shared"))
    declared("space", hypermodel, lambda model: inherited.remember(parts(model)))
    with pytest.raises(Dependent, match="the layer shared"):
        fitted(data, hypermodel, epochs=1)


def test_a_pruned_trial_is_no_exception(data: Dataset) -> None:
    def prune(epoch: int, logs: dict[str, float]) -> None:
        raise optuna.TrialPruned

    with pytest.raises(Dependent, match="the layer base"):
        fitted(data, Shared(base()), epochs=2, on_epoch=prune)


def test_a_model_or_an_optimizer_that_every_trial_trains_is_refused(data: Dataset) -> None:
    model = tiny.compiled()

    class Same(tiny.Tiny):
        def build(self, hp: Any) -> keras.Model:
            return model

    with pytest.raises(Dependent, match="was made outside build"):
        fitted(data, Same(), epochs=1)

    optimizer = keras.optimizers.SGD(0.0, name="mine")

    class SameOptimizer(tiny.Tiny):
        def build(self, hp: Any) -> keras.Model:
            model = tiny.compiled()
            model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
            return model

    with pytest.raises(Dependent, match=r"the optimizer mine \(SGD\) was made outside build"):
        fitted(data, SameOptimizer(), epochs=1)


def weights(data: Dataset, hypermodel: Any, seed: int = 1) -> list[Any]:
    """Of the trained model, the shared layers excepted."""
    return fitted(data, hypermodel, epochs=2, seed=seed)[0].layers[-1].get_weights()


def test_a_frozen_base_is_nobodys_inheritance(data: Dataset) -> None:
    normalization = layers.Normalization(axis=None)
    normalization.adapt(data.train.scaled)
    hypermodel = Shared(base(), normalization, trainable=False)
    first, _, again = (weights(data, hypermodel, seed) for seed in (1, 2, 1))
    assert all(map(np.array_equal, first, again))


def test_shared_augmentation_begins_anew_in_each_trial(data: Dataset) -> None:
    """As a fresh process would begin."""
    first, second = (
        [weights(data, hypermodel, seed) for seed in seeds]
        for hypermodel, seeds in (
            (Shared(layers.RandomTranslation(0.2, 0.2), layers.GaussianNoise(0.5)), (1, 2)),
            (Shared(layers.RandomTranslation(0.2, 0.2), layers.GaussianNoise(0.5)), (2, 1)),
        )
    )
    assert all(map(np.array_equal, first[0], second[1]))
    assert all(map(np.array_equal, first[1], second[0]))
    assert not np.array_equal(first[0][0], first[1][0])


def test_metrics_may_be_shared(data: Dataset) -> None:
    """They start from 0 in each epoch."""
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    class SameMetric(tiny.Tiny):
        def build(self, hp: Any) -> keras.Model:
            model = tiny.compiled()
            model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])
            return model

    (_, one), (_, two) = (fitted(data, SameMetric(), epochs=1) for _ in range(2))
    assert one.history == two.history
