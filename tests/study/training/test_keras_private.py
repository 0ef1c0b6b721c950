"""The contract of Keras's private names: each is there and means what the study takes it for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, optimizers
from keras.src.random import seed_generator

from study.training import hidden_state, keras_private, model_state
from study.training.fused import fuse


@contextmanager
def contract(what: str) -> Iterator[None]:
    """Whatever goes wrong within says which library has changed."""
    try:
        yield
    except Exception as error:
        raise AssertionError(
            f"keras {version('keras')} with tensorflow {version('tensorflow')} breaks study/training/keras_private.py: "
            f"{what} ({type(error).__name__}: {error})"
        ) from error


def network(optimizer: Any) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, use_bias=False), layers.BatchNormalization(), layers.Dense(3)]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


DATA = (
    np.random.default_rng(0).normal(1.0, 2.0, (20, 6)).astype(np.float32),
    np.random.default_rng(1).integers(0, 3, 20),
)


def operations(model: keras.Model) -> set[str]:
    model.optimizer.build(model.trainable_variables)
    graph = tf.function(model.train_step).get_concrete_function(tuple(map(tf.constant, DATA))).graph
    return {operation.type for operation in graph.get_operations()}


def check_fused(make: Callable[[], Any], operation: str) -> None:
    """Fused arithmetic is used, and equals Keras's own to rounding."""
    with contract(f"{operation} does not do what Keras's own arithmetic does"):
        plain, fused = network(make()), network(make())
        fuse(fused)
        for model in (plain, fused):
            for _ in range(5):
                model.train_step(tuple(map(tf.constant, DATA)))
        for one, two in zip(plain.variables, fused.variables, strict=True):
            np.testing.assert_allclose(two.numpy(), one.numpy(), rtol=2e-4, atol=1e-5, err_msg=one.path)
        fuse(counted := network(make()))
        assert operation in operations(counted), f"{operation} is not in the graph"


def check_adam() -> None:
    check_fused(lambda: optimizers.Adam(0.01), "ResourceApplyAdam")


def check_momentum() -> None:
    check_fused(lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True), "ResourceApplyKerasMomentum")


def check_batch_normalization() -> None:
    check_fused(lambda: optimizers.RMSprop(0.01), "FusedBatchNormV3")


def check_convolution() -> None:
    """In bfloat16 its bias is added in another way, with the same result to rounding."""
    with contract("the call of a convolution cannot be replaced, or does something else"):
        keras.utils.set_random_seed(3)
        inputs = keras.Input((4, 4, 2))
        layer = layers.Conv2D(3, 2, strides=2, activation="elu", bias_initializer="ones", dtype="mixed_bfloat16")
        model = keras.Model(inputs, layer(inputs))
        model.compile("sgd", "mse")
        images = tf.random.stateless_normal((5, 4, 4, 2), (1, 2))
        expected = model(images)
        fuse(model)
        graph = tf.function(model).get_concrete_function(images).graph
        assert "BiasAdd" not in {operation.type for operation in graph.get_operations()}
        np.testing.assert_allclose(*(tf.cast(each, "float32") for each in (model(images), expected)), rtol=2**-7)


def check_train_function() -> None:
    """It is called once for every `steps` batches, and validation takes the model's own steps."""
    with contract("a model's training function cannot be replaced"):
        model = network("sgd")
        calls: list[int] = []

        def function(iterator: Any) -> dict[str, float]:
            calls.append(1)
            return {"loss": 1.0}

        own = keras_private.TrainFunction(model, function, steps=4)
        evaluated: list[int] = []
        counting = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: evaluated.append(batch))
        dataset = tf.data.Dataset.from_tensor_slices(DATA).batch(2)
        options = {"shuffle": False, "verbose": 0}
        model.fit(dataset, validation_data=dataset, epochs=2, callbacks=[own, counting], **options)
        assert len(calls) == 6, f"it is called {len(calls)} times for 2 epochs of 10 batches, by 4"
        assert evaluated == [*range(10)] * 2
        before = model.get_weights()
        model.fit(dataset, **options)
        assert len(calls) == 6
        assert not np.array_equal(before[0], model.get_weights()[0])


def check_who_can_take_a_train_function() -> None:
    class Own(keras.Sequential):
        def make_train_function(self, force: bool = False) -> None: ...

    with contract("models that train in their own way are not recognised"):
        plain, own = network("sgd"), Own([keras.Input((6,)), layers.Dense(3)])
        own.compile("sgd", "mse")
        assert keras_private.can_take_train_function(plain)
        assert not keras_private.can_take_train_function(own)
        with tf.distribute.OneDeviceStrategy("CPU:0").scope():
            distributed = network("sgd")
        assert not keras_private.can_take_train_function(distributed)


def check_random_state() -> None:
    """Restoring the state makes keras.random draw the same numbers again."""
    with contract("global_seed_generator().state is not what keras.random draws from"):
        model = network("sgd")
        keras.random.normal((2,))
        saved = model_state.copy_variables(model)
        first, second = (keras.random.normal((3,)).numpy() for _ in range(2))
        assert not np.array_equal(first, second)
        model_state.restore_variables(model, saved)
        assert np.array_equal(keras.random.normal((3,)).numpy(), first)


def check_creation_numbers() -> None:
    """Variables are numbered as they are made, by Keras or by TensorFlow."""
    with contract("a variable does not say when it was made"):
        made = [tf.Variable(1.0), keras.Variable(1.0).value, *(each.value for each in network("sgd").variables)]
        keras.backend.clear_session()
        numbers = [keras_private.creation_number(each) for each in (*made, tf.Variable([1, 2], name="a_7"))]
        assert numbers == sorted(set(numbers)), numbers


def check_own_attributes() -> None:
    """What Keras changes in a model while it trains is told from what a user's class does."""

    class Own(keras.Sequential):
        """A user's model."""

    with contract("Keras keeps state of its own in attributes that are not known"):
        model = Own([keras.Input((6,)), layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        model.optimizer.build(model.trainable_variables)
        state = hidden_state.HiddenState(model, [])
        model.fit(*DATA, validation_data=DATA, epochs=2, verbose=0)
        assert state.change() is None, state.change()


CHECKS = [
    check_adam, check_momentum, check_batch_normalization, check_convolution, check_train_function,
    check_who_can_take_a_train_function, check_random_state, check_creation_numbers, check_own_attributes,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_keras_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


class _WithoutMoments(optimizers.Adam):
    """Adam as it would be if it kept its moments elsewhere."""

    def build(self, var_list: Any) -> None:
        super().build(var_list)
        for name in ("_momentums", "_velocities"):
            if name in vars(self):
                vars(self)[f"{name}_2"] = vars(self).pop(name)


def _apply_unchanged(optimizer: Any, gradients: Any, variables: Any, rate: Any) -> None:
    """Keras as it would be if it did not look for `update_step` in the instance."""
    for gradient, variable in zip(gradients, variables, strict=True):
        type(optimizer).update_step(optimizer, gradient, variable, rate)


def _keep_call(layer: layers.Layer, name: str, value: Any) -> None:
    """Keras as it would be if the `call` of a layer could not be replaced."""
    if name != "call":
        layers.Layer.__setattr__(layer, name, value)


MAKE_TRAIN_FUNCTION = keras.Model.make_train_function


def _make_always(model: Any, force: bool = False) -> None:
    """Keras as it would be if it did not keep the training function that a model has."""
    MAKE_TRAIN_FUNCTION(model, force=True)


OTHER_GENERATOR = seed_generator.SeedGenerator(5)


@pytest.mark.parametrize(
    ("check", "owner", "name", "replacement"),
    [
        (check_adam, optimizers.Optimizer, "_get_variable_index", None),
        (check_adam, optimizers, "Adam", _WithoutMoments),
        (check_adam, optimizers.Optimizer, "_backend_update_step", _apply_unchanged),
        (check_momentum, optimizers.Optimizer, "_get_variable_index", None),
        (check_batch_normalization, layers.BatchNormalization, "__setattr__", _keep_call),
        (check_convolution, layers.Conv2D, "__setattr__", _keep_call),
        (check_train_function, keras.Model, "make_train_function", _make_always),
        (check_train_function, keras.Model, "steps_per_execution", property(lambda self: 1, lambda self, steps: None)),
        (check_who_can_take_a_train_function, keras.Model, "make_train_function", None),
        (check_random_state, seed_generator, "global_seed_generator", None),
        (check_random_state, model_state, "global_random_state", lambda: OTHER_GENERATOR.state),
        (check_creation_numbers, keras_private, "creation_number", lambda variable: len(variable.name)),
        (check_own_attributes, hidden_state, "attributes_of_keras", lambda: frozenset(vars(keras.Model()))),
    ],
)
def test_a_broken_contract_names_the_library(
    check: Callable[[], None], owner: Any, name: str, replacement: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if replacement is None:
        holder = next((each for each in getattr(owner, "__mro__", [owner]) if name in vars(each)), owner)
        monkeypatch.delattr(holder, name)
    else:
        monkeypatch.setattr(owner, name, replacement, raising=False)
    with pytest.raises(AssertionError, match=rf"keras {version('keras')} with tensorflow .* breaks .*keras_private"):
        check()
