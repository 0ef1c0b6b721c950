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
        lambda: [layers.BatchNormalization(dtype="float64")],
    ],
)  # fmt: skip
def test_batch_normalization(between: Callable[[], list[Any]]) -> None:
    assert_same(lambda: network(optimizers.SGD(0.05), *between()))


def operations(policy: str, *between: Any) -> set[tuple[str, str]]:
    """The operations of a training step of a fused model, with the type of what they give."""
    keras.config.set_dtype_policy(policy)
    try:
        model = network(optimizers.Adam(0.01), *(each() for each in between))
    finally:
        keras.config.set_dtype_policy("float32")
    fuse(model)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step)
    graph = step.get_concrete_function((tf.zeros((2, 4, 4, 2)), tf.zeros(2, tf.int64))).graph
    functions = [function.graph for function in graph._functions.values()] if hasattr(graph, "_functions") else []
    found = (each for some in [graph, *functions] for each in some.get_operations())
    return {(each.type, each.outputs[0].dtype.name if each.outputs else "") for each in found}


@pytest.mark.parametrize("policy, computes", [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_the_fused_operations_are_used(policy: str, computes: str) -> None:
    """Otherwise the tests here would compare Keras with itself."""
    found = operations(policy, lambda: layers.Conv2D(4, 3), layers.BatchNormalization)
    assert {("ResourceApplyAdam", ""), ("FusedBatchNormV3", computes), ("FusedBatchNormGradV3", computes)} <= found


POLICIES = {"mixed_bfloat16": 2**-7, "mixed_float16": 2**-10}
"""With the distance between 1 and the next number."""


def normalized(layer: layers.BatchNormalization, x: tf.Tensor, weights: tf.Tensor) -> list[Any]:
    """What a layer makes of a batch in training, and the gradients by the batch, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * weights)
    return [outputs, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", [(8, 5, 5, 3), (40, 3)])
def test_batch_normalization_in_mixed_precision(policy: str, shape: tuple[int, ...]) -> None:
    """As Keras does: mean, variance, moving averages and the gradients of gamma and beta in float32; what is given and
    handed on in the shorter type, within one rounding."""
    rng = np.random.default_rng(0)
    x = tf.cast(rng.normal(3.0, 2.0, shape), policy.removeprefix("mixed_"))
    weights = tf.cast(rng.normal(size=shape), "float32")
    plain, fused = (layers.BatchNormalization(dtype=policy) for _ in range(2))
    for layer in (plain, fused):
        layer.build(shape)
        layer.gamma.assign(rng.uniform(0.5, 1.5, 3) if layer is plain else plain.gamma)
    model = keras.Sequential([keras.Input(shape[1:]), fused])
    model.compile("sgd")
    fuse(model)
    expected, found = normalized(plain, x, weights), normalized(fused, x, weights)
    assert [each.dtype for each in found] == [each.dtype for each in expected]
    assert [each.dtype for each in found[2:]] == ["float32", "float32"]
    for one, two in zip(expected[:2], found[:2], strict=True):
        np.testing.assert_allclose(
            np.asarray(two, np.float32), np.asarray(one, np.float32), rtol=POLICIES[policy], atol=1e-5
        )
    for one, two in zip(expected[2:], found[2:], strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-3)
    for one, two in zip(plain.non_trainable_variables, fused.non_trainable_variables, strict=True):
        np.testing.assert_allclose(two.numpy(), one.numpy(), rtol=1e-5)


def test_a_bias_in_bfloat16_gets_the_sum_of_its_gradients() -> None:
    """TensorFlow's BiasAddGrad gives 1 % of it here: 256 + 1 is 256 in bfloat16."""
    model = keras.Sequential([keras.Input((40, 40, 1)), layers.Conv2D(2, 1, activation="relu", dtype="mixed_bfloat16")])
    model.compile("sgd")
    fuse(model)
    (bias,) = (each for each in model.trainable_variables if each.name == "bias")
    bias.assign([0.5, 1.0])
    with tf.GradientTape() as tape:
        outputs = model(tf.zeros((16, 40, 40, 1)))
        loss = tf.reduce_sum(tf.cast(outputs, "float32"))
    np.testing.assert_allclose(outputs[0, 0, 0], [0.5, 1.0])
    gradient = tape.gradient(loss, bias.value)
    assert gradient.dtype == "float32"
    np.testing.assert_allclose(gradient, 16 * 40 * 40, rtol=2**-8)


def test_sparse_gradients_are_applied_by_keras() -> None:
    def make() -> keras.Model:
        inputs = keras.Input((4, 4, 2))
        rows = layers.Flatten()(keras.ops.cast(keras.ops.clip(inputs, 0, 6), "int32"))
        outputs = layers.Dense(3)(layers.Flatten()(layers.Embedding(7, 2)(rows)))
        model = keras.Model(inputs, outputs)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    assert_same(make)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_model_is_saved_as_it_was_built(policy: str, tmp_path: Any) -> None:
    def make() -> keras.Model:
        return network("adam", layers.Conv2D(3, 2, dtype=policy), layers.BatchNormalization(dtype=policy))

    model = trained(make, fused=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(2).normal(size=(5, 4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(model(images), loaded(images), atol=1e-6)
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    assert {weight.dtype for weight in loaded.weights} == {"float32"}


def test_the_optimizer_under_a_scaled_loss_is_fused_too() -> None:
    assert "ResourceApplyAdam" in {kind for kind, _ in operations("mixed_float16", layers.Flatten)}
