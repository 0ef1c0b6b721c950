"""What tells whether two builds of a space have given the same model."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import described
import keras
import numpy as np
import pytest
from described import MODELS, SHAPE, Adversarial, Block, Odd, Scaled, Subclassed, compiled, graph, space, stack
from keras import layers, optimizers

from study.training.description import LONGEST, Part, description, shorthand
from study.training.difference import difference


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """The shorthand of each model in another process, which hashes texts otherwise and has built other models."""
    support = Path(described.__file__).parent
    paths = [str(support), str(support.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, described.__file__], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_described_alike_wherever_and_however_often_it_is_built(
    name: str, elsewhere: dict[str, str]
) -> None:
    first = description(MODELS[name]())
    graph()  # Keras counts on
    np.random.seed(5)
    again = description(MODELS[name]())
    assert again == first
    keras.backend.clear_session()
    assert description(MODELS[name]()) == first
    assert shorthand(first) == elsewhere[name]
    assert difference(elsewhere[name], first) == ""
    json.dumps(first)


def test_training_a_model_does_not_change_what_is_said_of_the_next() -> None:
    x, y = np.zeros((8, *SHAPE), np.float32), np.zeros(8, int)
    for name in ("frozen", "subclassed", "not built"):
        first = description(MODELS[name]())
        model = MODELS[name]()
        model.fit(x, y, verbose=0)
        assert description(MODELS[name]()) == first


def sgd(rate: Any = 0.1, **options: Any) -> Any:
    return optimizers.SGD(rate, **options)


def crossentropy(**options: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(**options)


def named(y: Any, p: Any) -> Any:
    return keras.ops.mean(p)


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
    "units": (lambda: stack(layers.Dense(64), layers.Dense(2)), lambda: stack(layers.Dense(128), layers.Dense(2)),
              "layer 1: Dense(units=128) was Dense(units=64)"),
    "activation": (lambda: stack(layers.Dense(4, "relu")), lambda: stack(layers.Dense(4, "tanh")),
                   "layer 1: Dense(activation=tanh) was Dense(activation=relu)"),
    "another layer": (stack, lambda: stack(layers.Dropout(0.5)), "layer 1: Dropout(rate=0.5) is new"),
    "a layer less": (lambda: stack(layers.Dropout(0.5)), stack, "layer 1: Dropout(rate=0.5) is gone"),
    "another class": (lambda: stack(layers.Dropout(0.5)), lambda: stack(layers.GaussianDropout(0.5)),
                      "layer 1: GaussianDropout(rate=0.5) was Dropout(rate=0.5)"),
    "order": (lambda: stack(layers.Dropout(0.5), layers.Activation("relu")),
              lambda: stack(layers.Activation("relu"), layers.Dropout(0.5)), "is new"),
    "initializer": (lambda: stack(layers.Dense(4)), lambda: stack(layers.Dense(4, kernel_initializer="he_normal")),
                    "kernel_initializer=HeNormal()) was Dense(kernel_initializer=GlorotUniform()"),
    "regularizer": (lambda: stack(layers.Dense(4)), lambda: stack(layers.Dense(4, kernel_regularizer="l2")),
                    "kernel_regularizer=L2(l2=0.01)"),
    "frozen": (lambda: stack(layers.Dense(4)), lambda: stack(layers.Dense(4, trainable=False)), "trainable=False"),
    "precision": (lambda: stack(layers.Dense(4)), lambda: stack(layers.Dense(4, dtype="float64")), "dtype=float64"),
    "operation": (graph, lambda: graph(add=False), "layer 5: Multiply("),
    "connection": (
        lambda: keras.Model(x := keras.Input((4,)), layers.Add()([x, layers.Dense(4)(a := layers.Dense(4)(x))]) + a),
        lambda: keras.Model(x := keras.Input((4,)), layers.Add()([a := layers.Dense(4)(x), layers.Dense(4)(a)]) + a),
        "layer 3: Add(from="),
    "nested": (lambda: stack(keras.Sequential([layers.Dense(4), layers.Dense(5)])),
               lambda: stack(keras.Sequential([layers.Dense(4), layers.Dense(6)])),
               "layer 1.1: Dense(units=6) was Dense(units=5)"),
    "within a layer": (lambda: stack(Block(4)), lambda: stack(Block(5)), "layer 1: Block(units=5) was Block(units=4)"),
    "weights alone": (lambda: stack(Scaled(abs)), lambda: stack(Scaled(abs, 5)),
                      "layer 1: Scaled(weights=(36, 5)) was Scaled(weights=(36, 4))"),
    "a set": (lambda: stack(Odd()), lambda: stack(Odd({"tall"})), "layer 1: Odd(words=[tall]) was Odd(words=[deep, "),
    "subclassed": (Subclassed, lambda: Subclassed(9), "layer 1: Block(units=9) was Block(units=8)"),
    "loss": (lambda: compiled(stack()), lambda: compiled(stack(), loss="mse"),
             "loss: mse was sparse_categorical_crossentropy"),
    "loss's constant": (lambda: compiled(stack(), loss=crossentropy()),
                        lambda: compiled(stack(), loss=crossentropy(from_logits=True)), "from_logits=True"),
    "loss function": (lambda: compiled(stack(), loss=named), lambda: compiled(stack(), loss=lambda y, p: named(y, p)),
                      "loss: a lambda was named"),
    "metric": (lambda: compiled(stack(), metrics=["accuracy"]), lambda: compiled(stack(), metrics=["mse"]),
               "metrics: [mse] was [accuracy]"),
    "optimizer": (lambda: compiled(stack(), sgd()), lambda: compiled(stack(), optimizers.Lion(0.1)),
                  "optimizer: Lion("),
    "learning rate": (lambda: compiled(stack(), sgd()), lambda: compiled(stack(), sgd(0.1001)),
                      "optimizer: SGD(learning_rate=0.1001) was SGD(learning_rate=0.1)"),
    "optimizer's constant": (lambda: compiled(stack(), sgd()), lambda: compiled(stack(), sgd(clipnorm=1.0)),
                             "optimizer: SGD(clipnorm=1) was SGD"),
    "schedule": (lambda: compiled(stack(), sgd(optimizers.schedules.CosineDecay(0.1, 50))),
                 lambda: compiled(stack(), sgd(optimizers.schedules.CosineDecay(0.1, 60))), "decay_steps=60"),
    "second optimizer": (lambda: compiled(Adversarial()), lambda: compiled(Adversarial(), rate=0.2),
                         "optimizer.0: SGD(…=100, initial_learning_rate=0.2, "),
    "our space": (space("cnn", blocks=2), space("cnn", blocks=3), "is new"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named(change: str) -> None:
    old, new, words = CHANGES[change]
    then, now = description(old()), description(new())
    told = difference(shorthand(then), now, json.loads(json.dumps(then)))
    assert words in told
    assert "\n" not in told
    assert difference(shorthand(then), now)  # where the shorthand alone was kept


def test_where_the_shorthand_alone_was_kept_the_place_is_named() -> None:
    def told(old: Any, new: Any) -> str:
        return difference(shorthand(description(old)), description(new))

    assert told(stack(layers.Dense(64)), stack(layers.Dense(64, "relu"))).startswith(
        "layer 1: Dense(units=64, activation=relu, "
    )
    assert told(stack(layers.Dropout(0.5)), stack()) == "a layer is gone"
    assert told(stack(), stack(layers.Dropout(0.5))) == "layer 1: Dropout(rate=0.5) is new"
    assert told(compiled(stack(), sgd()), compiled(stack(), sgd(0.2))).startswith("optimizer: SGD(learning_rate=0.2,")
    assert told(compiled(stack()), stack()) == "optimizer is gone, loss is gone"


def test_what_cannot_be_compared_is_not() -> None:
    now = description(stack())
    assert difference("", now) == ""
    assert difference(shorthand(description(graph())).replace(keras.__version__, "3.0.0"), now) == ""


def test_many_differences_are_counted() -> None:
    many = [layers.Dense(4) for _ in range(6)]
    then = description(stack(*many))
    assert "and 3 more" in difference(
        shorthand(then), description(stack(*(layers.Dense(4, "relu") for _ in many))), then
    )


def test_a_long_value_is_short_and_still_told_apart() -> None:
    def longest(found: list[Part]) -> int:
        return max(len(value) for part in found for value in part.values())

    one, other = (
        description(stack(Odd({f"word {number}" for number in range(count)}))) for count in (100, 101)
    )  # fmt: skip
    assert longest(one) <= LONGEST
    assert difference(shorthand(one), other, one)
