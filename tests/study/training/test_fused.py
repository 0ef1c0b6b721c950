"""Keras's arithmetic in fewer passes: the same results, to rounding."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, optimizers

from search_spaces import Cosine, OneCycle
from study.training.fused import fuse


def trained(make: Callable[[], keras.Model], fused: bool, steps: int = 8) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = make()
    x = np.random.default_rng(0).normal(1.0, 2.0, (steps, 10, 4, 4, 2)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, 3, (steps, 10))
    if fused:
        fuse(model)
    for images, labels in zip(x, y, strict=True):
        model.train_step((tf.constant(images), tf.constant(labels)))
    return model


def assert_same(make: Callable[[], keras.Model]) -> None:
    plain, fused = trained(make, fused=False), trained(make, fused=True)
    for one, two in zip(plain.variables, fused.variables, strict=True):
        np.testing.assert_allclose(two.numpy(), one.numpy(), rtol=2e-4, atol=1e-5, err_msg=one.path)


def network(optimizer: Any, *between: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((4, 4, 2)), *between, layers.Flatten(), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.01),
        lambda: optimizers.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-3, clipnorm=0.1),
        lambda: optimizers.Adam(0.01, amsgrad=True),
        lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=5),
        lambda: optimizers.AdamW(0.01, weight_decay=0.1),
        lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.01, 10)),
        lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: optimizers.AdamW(OneCycle(0.01, steps=8), weight_decay=0.1),
        lambda: optimizers.SGD(Cosine(0.1, steps=8), momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda: optimizers.SGD(0.01),
        lambda: optimizers.SGD(0.01, momentum=0.9, weight_decay=0.01),
        lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        lambda: optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=2),
        lambda: optimizers.RMSprop(0.01),
        lambda: optimizers.Nadam(0.01),
    ],
)  # fmt: skip
def test_optimizers(optimizer: Callable[[], Any]) -> None:
    assert_same(lambda: network(optimizer(), layers.Conv2D(4, 3, activation="relu")))


@pytest.mark.parametrize(
    "between",
    [
        lambda: [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization()],
        lambda: [layers.BatchNormalization(center=False, momentum=0.5, epsilon=1e-2)],
        lambda: [layers.BatchNormalization(scale=False)],
        lambda: [layers.BatchNormalization(axis=1)],
        lambda: [layers.BatchNormalization(epsilon=1e-6)],
        lambda: [layers.Flatten(), layers.Dense(5), layers.BatchNormalization()],
        lambda: [layers.Reshape((16, 2)), layers.BatchNormalization()],
        lambda: [layers.BatchNormalization(trainable=False)],
        lambda: [keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])],
        lambda: [layers.BatchNormalization(renorm=True)],
        lambda: [layers.BatchNormalization(dtype="mixed_bfloat16")],
    ],
)  # fmt: skip
def test_batch_normalization(between: Callable[[], list[Any]]) -> None:
    assert_same(lambda: network(optimizers.SGD(0.05), *between()))


def test_the_fused_operations_are_used() -> None:
    """Otherwise the tests above would compare Keras with itself."""
    model = network(optimizers.Adam(0.01), layers.Flatten(), layers.Dense(4), layers.BatchNormalization())
    fuse(model)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step)
    graph = step.get_concrete_function((tf.zeros((2, 4, 4, 2)), tf.zeros(2, tf.int64))).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert {"ResourceApplyAdam", "FusedBatchNormV3", "FusedBatchNormGradV3"} <= operations


def test_sparse_gradients_are_applied_by_keras() -> None:
    def make() -> keras.Model:
        inputs = keras.Input((4, 4, 2))
        rows = layers.Flatten()(keras.ops.cast(keras.ops.clip(inputs, 0, 6), "int32"))
        outputs = layers.Dense(3)(layers.Flatten()(layers.Embedding(7, 2)(rows)))
        model = keras.Model(inputs, outputs)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    assert_same(make)


def test_a_model_is_saved_as_it_was_built(tmp_path: Any) -> None:
    model = trained(lambda: network("adam", layers.BatchNormalization()), fused=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(2).normal(size=(5, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(model(images), loaded(images), atol=1e-6)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


def test_the_optimizer_under_a_scaled_loss_is_fused_too() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network(optimizers.Adam(0.01), layers.Flatten(), layers.Dense(4))
    finally:
        keras.config.set_dtype_policy("float32")
    fuse(model)
    model.optimizer.build(model.trainable_variables)
    graph = tf.function(model.train_step).get_concrete_function((tf.zeros((2, 4, 4, 2)), tf.zeros(2, tf.int64))).graph
    functions = [function.graph for function in graph._functions.values()] if hasattr(graph, "_functions") else []
    operations = {operation.type for each in [graph, *functions] for operation in each.get_operations()}
    assert "ResourceApplyAdam" in operations
