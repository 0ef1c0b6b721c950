"""Small HyperModels that between them use every construct of KerasTuner's guides."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras_tuner.engine import hyperparameters as kinds
from optuna.trial import FrozenTrial

import study
from study.records import TrialRecord
from study.storage import results

Build = Callable[[Any], keras.Model]
FEATURES, CLASSES, EXAMPLES = 4, 3, 24

functions: dict[str, Build] = {}
"""Spaces as functions `build(hp)`, by name."""


def function(build: Build) -> Build:
    functions[build.__name__] = build
    return build


def compiled(*hidden: Any, rate: float = 0.01, **options: Any) -> keras.Model:
    """A classifier of a few features."""
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, layers.Dense(CLASSES, "softmax")])
    settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(keras.optimizers.Adam(rate), run_eagerly=True, **settings)
    return model


@function
def integer_with_a_step(hp: Any) -> keras.Model:
    return compiled(layers.Dense(hp.Int("units", min_value=4, max_value=16, step=4), activation="relu"))


@function
def boolean(hp: Any) -> keras.Model:
    return compiled(*[layers.Dropout(0.25)] * hp.Boolean("dropout", default=True))


@function
def rate_on_a_log_scale(hp: Any) -> keras.Model:
    return compiled(rate=hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log"))


@function
def a_number_of_layers(hp: Any) -> keras.Model:
    hidden = [layers.Dense(hp.Int(f"units_{i}", 2, 8, step=2)) for i in range(hp.Int("num_layers", 1, 3))]
    return compiled(*hidden)


@function
def conditional_layers(hp: Any) -> keras.Model:
    kind = hp.Choice("model_type", ["shallow", "deep"])
    with hp.conditional_scope("model_type", ["deep"]):
        units = hp.Int("units", 2, 8)
        if kind == "deep":
            return compiled(layers.Dense(units))
    return compiled()


@function
def scopes_within_scopes(hp: Any) -> keras.Model:
    hidden = []
    kind = hp.Choice("kind", ["none", "dense"], default="dense")
    with hp.conditional_scope("kind", ["dense"]):
        activation = hp.Choice("activation", ["relu", "leaky"], default="leaky")
        with hp.conditional_scope("activation", ["leaky"]):
            slope = hp.Float("slope", 0.1, 0.3)
        if kind == "dense":
            hidden.append(layers.Dense(4))
            hidden.append(layers.LeakyReLU(negative_slope=slope) if activation == "leaky" else layers.ReLU())
    return compiled(*hidden)


@function
def names_within_names(hp: Any) -> keras.Model:
    with hp.name_scope("encoder"):
        first = hp.Int("units", 2, 4)
        with hp.name_scope("head"):
            second = hp.Int("units", 5, 9)
    return compiled(layers.Dense(first), layers.Dense(second))


@function
def a_parent_by_argument(hp: Any) -> keras.Model:
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    momentum = hp.Float("momentum", 0.0, 0.9, parent_name="optimizer", parent_values=["sgd"])
    model = compiled()
    chosen = keras.optimizers.SGD(0.1, momentum) if optimizer == "sgd" else keras.optimizers.Adam()
    model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


@function
def a_choice_of_texts(hp: Any) -> keras.Model:
    return compiled(layers.Dense(4, hp.Choice("activation", ["relu", "tanh"])))


@function
def a_choice_of_integers(hp: Any) -> keras.Model:
    return compiled(layers.Dense(hp.Choice("units", [2, 8, 4], default=8)))


@function
def a_choice_of_floats(hp: Any) -> keras.Model:
    return compiled(rate=hp.Choice("lr", [1e-2, 1e-3, 1e-4]))


@function
def a_choice_of_booleans(hp: Any) -> keras.Model:
    return compiled(layers.Dense(4, use_bias=bool(hp.Choice("bias", [True, False]))))


@function
def a_choice_in_order(hp: Any) -> keras.Model:
    return compiled(layers.Dense(hp.Choice("units", [2, 4, 8], ordered=True)))


@function
def integers_on_a_log_scale(hp: Any) -> keras.Model:
    free = hp.Int("free", 2, 16, sampling="log")
    return compiled(layers.Dense(free), layers.Dense(hp.Int("stepped", 2, 16, step=2, sampling="log")))


@function
def integers_on_a_reversed_log_scale(hp: Any) -> keras.Model:
    free = hp.Int("free", 2, 16, sampling="reverse_log")
    return compiled(layers.Dense(free), layers.Dense(hp.Int("stepped", 2, 16, step=2, sampling="reverse_log")))


@function
def floats_on_every_scale(hp: Any) -> keras.Model:
    linear = hp.Float("linear", 0.0, 0.5) + hp.Float("linear_step", 0.0, 0.375, step=0.125)
    log = hp.Float("log", 1e-3, 1e-1, sampling="log") + hp.Float("log_step", 1e-3, 1e-1, step=10, sampling="log")
    reverse = hp.Float("reverse", 0.1, 0.4, sampling="reverse_log")
    reverse += hp.Float("reverse_step", 0.1, 0.4, step=2, sampling="reverse_log")
    return compiled(layers.Dropout(linear), layers.Dropout(reverse), rate=log)


@function
def a_fixed_value(hp: Any) -> keras.Model:
    return compiled(layers.Dense(hp.Fixed("units", 5)), rate=hp.Float("lr", 1e-3, 1e-2))


@function
def one_name_in_two_branches(hp: Any) -> keras.Model:
    hp.Choice("kind", ["small", "large"])
    with hp.conditional_scope("kind", ["small"]):
        hp.Int("units", 1, 3)
    with hp.conditional_scope("kind", ["large"]):
        hp.Int("units", 4, 9, default=9)
    return compiled(layers.Dense(hp.get("units")))


@function
def a_name_declared_again(hp: Any) -> keras.Model:
    return compiled(layers.Dense(hp.Int("units", 2, 4)), layers.Dense(hp.Int("units", 10, 20)))


@function
def a_model_without_an_input(hp: Any) -> keras.Model:
    model = keras.Sequential([layers.Dense(hp.Int("units", 2, 4)), layers.Dense(CLASSES, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


@function
def a_metric_as_an_object(hp: Any) -> keras.Model:
    return compiled(rate=hp.Float("lr", 1e-3, 1e-2), metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")])


class TunedFit(keras_tuner.HyperModel):
    """Batch size, epochs and a preparation of the data are tuned in `fit`."""

    def build(self, hp: Any) -> keras.Model:
        return compiled(rate=hp.Float("lr", 1e-3, 1e-2))

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, **kwargs: Any) -> Any:
        if hp.Boolean("normalize"):
            x = (x - x.mean()) / x.std()
        options = {**kwargs, "epochs": hp.Int("epochs", 1, 2)}
        return model.fit(x, y, batch_size=hp.Choice("batch_size", [4, 8]), **options)


class OwnLoop(keras_tuner.HyperModel):
    """A training loop by hand that tells the callbacks of each epoch, and returns a number to be minimised."""

    def build(self, hp: Any) -> keras.Model:
        return keras.Sequential([keras.Input((FEATURES,)), layers.Dense(hp.Int("units", 2, 4)), layers.Dense(CLASSES)])

    def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, callbacks: Any, **_: Any) -> float:
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(hp.Int("batch_size", 4, 8, step=4))
        optimizer = keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-2, sampling="log"))
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for callback in callbacks:
            callback.set_model(model)
        best = float("inf")
        for epoch in range(2):
            for images, labels in batches:
                with tf.GradientTape() as tape:
                    loss = loss_of(labels, model(images))
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            held_out = float(loss_of(validation_data[1], model(validation_data[0])))
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_loss": held_out})
            best = min(best, held_out)
        return best


class ReturnsMetrics(TunedFit):
    """A dictionary of metrics of its own."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> dict[str, float]:
        history = model.fit(*args, **kwargs)
        return {"score": history.history["val_loss"][-1] + hp.Float("penalty", 0.0, 1.0)}


class SeveralExecutions(TunedFit):
    """A list of Histories, as of several executions."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> list[Any]:
        return [model.fit(*args, **kwargs) for _ in range(2)]


class PartsThatAreNotTuned(keras_tuner.HyperModel):
    """A HyperModel within another that keeps its defaults."""

    class Part(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return layers.Dense(hp.Int("part", 2, 9, default=7))

    def build(self, hp: Any) -> keras.Model:
        part = self.Part(tunable=False).build(hp)
        assert part.units == 7
        return compiled(part, rate=hp.Float("lr", 1e-3, 1e-2))


class DeclaresBefore(keras_tuner.HyperModel):
    """Hyperparameters that are declared before `build`."""

    def declare_hyperparameters(self, hp: Any) -> None:
        hp.Int("units", 2, 9)

    def build(self, hp: Any) -> keras.Model:
        return compiled(layers.Dense(hp.get("units")))


hypermodels: dict[str, tuple[keras_tuner.HyperModel, Any]] = {
    "tuned fit": (TunedFit(), "val_accuracy"),
    "own loop": (OwnLoop(), None),
    "returns metrics": (ReturnsMetrics(), keras_tuner.Objective("score", direction="min")),
    "several executions": (SeveralExecutions(), "val_loss"),
    "parts that are not tuned": (PartsThatAreNotTuned(), "val_accuracy"),
    "declares before": (DeclaresBefore(), "val_accuracy"),
}
"""Spaces as instances, each with its objective."""
SPACES = {name: (build, "val_accuracy") for name, build in functions.items()} | hypermodels
"""All of them, each with its objective."""


def several_inputs(hp: Any) -> keras.Model:
    inputs = {name: keras.Input((FEATURES,), name=name) for name in ("left", "right")}
    joined = layers.Concatenate()(list(inputs.values()))
    outputs = layers.Dense(CLASSES, "softmax")(layers.Dense(hp.Int("units", 2, 9))(joined))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def several_outputs(hp: Any) -> keras.Model:
    inputs = keras.Input((FEATURES,))
    hidden = layers.Dense(hp.Int("units", 2, 9))(inputs)
    outputs = {
        "kind": layers.Dense(CLASSES, "softmax", name="kind")(hidden),
        "size": layers.Dense(1, name="size")(hidden),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"kind": "accuracy"},
        run_eagerly=True,
    )  # fmt: skip
    return model


def examples(seed: int = 0) -> tuple[Any, Any]:
    """Features and labels."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(EXAMPLES, FEATURES)).astype(np.float32), np.arange(EXAMPLES) % CLASSES


def searched(folder: Path, hypermodel: Any, objective: Any, x: Any = None, y: Any = None) -> study.OptunaTuner:
    """A tuner after two trials of one epoch, validated on what they train on: `examples` where nothing is given."""
    if x is None:
        x, y = examples()
    tuner = study.OptunaTuner(
        hypermodel, objective=objective, max_trials=2, sampler="random", pruner="none", directory=folder, seed=1
    )
    tuner.search(x, y, epochs=1, verbose=0, validation_data=(x, y))
    return tuner


def records(tuner: study.OptunaTuner) -> Iterator[tuple[FrozenTrial, TrialRecord]]:
    """Its trials, with their records."""
    (space,) = tuner.study.definition.spaces
    for trial in results.trials(tuner.study.stored, space):
        record = results.record(trial)
        assert record is not None
        yield trial, record


def declare(hypermodel: Any, hp: Any) -> None:
    """Build a space, which declares its hyperparameters."""
    if isinstance(hypermodel, keras_tuner.HyperModel):
        hypermodel.declare_hyperparameters(hp)
    build = hypermodel.build if isinstance(hypermodel, keras_tuner.HyperModel) else hypermodel
    build(hp)


def check_values(declared: list[dict[str, Any]], values: dict[str, Any], is_drawn: bool = True) -> None:
    """Each active hyperparameter has a value, and where it was drawn, one that KerasTuner's RandomSearch can draw."""
    hp = keras_tuner.HyperParameters.from_config({"space": copy.deepcopy(declared), "values": values})
    active = [each for each in hp.space if hp.is_active(each)]
    assert {each.name for each in active} == set(values)
    for each in active:
        if is_drawn and not isinstance(each, kinds.Fixed):
            probability = each.value_to_prob(values[each.name])
            assert 0 <= probability < 1, each
            assert each.prob_to_value(probability) == pytest.approx(values[each.name]), each
