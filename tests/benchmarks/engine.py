"""Seconds per epoch: ours against plain `model.fit`, on the same model and batches of the same size, alternating.

    python tests/benchmarks/engine.py
    python tests/benchmarks/engine.py --mnist DIR        # also accuracy and loss curves on the real images

Arrays of MNIST's shape; 50,000 images for dense models, fewer for CNNs (the table says how many). The numbers are
medians over all epochs but the first, which traces. `bound` is the time of the matrix products of the model's dense
and convolutional layers alone (forward, gradients of weights and of inputs). The orders are those of a convolutional
block: `usual` is convolution, normalisation, activation, pooling; `pool first` and `strides` are what the `cnn` space
builds.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.system import environment

environment.import_tensorflow()

import keras
import numpy as np
import tensorflow as tf
from arrays import arrays
from keras import layers

from study.data import datasets
from study.images import Images
from study.training.epoch_callback import EpochCallback
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.pipeline import feed

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def dense() -> keras.Model:
    """Flatten-128-10, the baseline of the `dense` space."""
    return compiled([layers.Flatten(), layers.Dense(128, "relu")])


def cnn(order: str) -> keras.Model:
    """Three 3x3 convolutions of 32, 64 and 64 filters, two of them downsampled, and a dense layer."""
    stack: list[Any] = []
    for filters, halves in ((32, True), (64, True), (64, False)):
        strides = 2 if halves and order == "strides" else 1
        stack.append(layers.Conv2D(filters, 3, strides, padding="same", use_bias=False))
        pool = [layers.MaxPooling2D()] if halves and order != "strides" else []
        rest = [layers.BatchNormalization(), layers.ReLU()]
        stack += [*pool, *rest] if order == "pool first" else [*rest, *pool]
    return compiled([*stack, layers.Flatten(), layers.Dense(128, "relu")])


def compiled(stack: list[Any]) -> keras.Model:
    """A classifier of MNIST's images, with Adam."""
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack, layers.Dense(10)])
    model.compile(keras.optimizers.Adam(1e-3), LOSS, metrics=["accuracy"])
    return model


CASES: dict[str, tuple[Callable[[], keras.Model], Callable[[], keras.Model], int, int, int]] = {
    # name: model of plain fit, our model, batch size, images, epochs
    "dense 32": (dense, dense, 32, 50_000, 3),
    "dense 128": (dense, dense, 128, 50_000, 4),
    "dense 512": (dense, dense, 512, 50_000, 4),
    "cnn 32": (lambda: cnn("usual"), lambda: cnn("usual"), 32, 6_400, 3),
    "cnn 128": (lambda: cnn("usual"), lambda: cnn("usual"), 128, 12_800, 3),
    "cnn 128, pool first": (lambda: cnn("usual"), lambda: cnn("pool first"), 128, 12_800, 3),
    "cnn 128, strides": (lambda: cnn("usual"), lambda: cnn("strides"), 128, 12_800, 3),
}


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def fit(model: keras.Model, images: Images, ours: bool, **options: Any) -> Any:
    """`model.fit`, fed by the pipeline or by Keras."""
    if ours:
        feed(model, Examples(images, None), 0, EpochCallback(EpochLog(), lambda epoch, logs: None, None, None))
    return model.fit(images.scaled, images.y, verbose=0, **options)


def epoch_seconds(make: Callable[[], keras.Model], images: Images, batch_size: int, epochs: int, ours: bool) -> Any:
    """Seconds of each epoch but the first."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    clock = Clock()
    fit(make(), images, ours, batch_size=batch_size, epochs=epochs + 1, callbacks=[clock])
    return clock.seconds[1:]


def bound(model: keras.Model, batch_size: int, images: int) -> float:
    """Seconds of the matrix products of an epoch."""
    work = []
    for number, layer in enumerate(each for each in model.layers if hasattr(each, "kernel")):
        x, kernel = tf.random.normal((batch_size, *layer.input.shape[1:])), layer.kernel.value
        gradient = tf.random.normal((batch_size, *layer.output.shape[1:]))
        work.append((layer, number, x, kernel, gradient))

    @tf.function(autograph=False)
    def products() -> Any:
        def step(index: Any, total: Any) -> tuple[Any, Any]:
            for layer, number, x, kernel, gradient in work:
                x = x + total * 0  # otherwise TensorFlow would compute it once for all steps
                if isinstance(layer, layers.Dense):
                    results = [x @ kernel, tf.matmul(x, gradient, transpose_a=True)]
                    results += [tf.matmul(gradient, kernel, transpose_b=True)] if number else []
                else:
                    options = {"strides": [1, *layer.strides, 1], "padding": "SAME"}
                    results = [tf.nn.conv2d(x, kernel, **options)]
                    results.append(tf.raw_ops.Conv2DBackpropFilter(
                        input=x, filter_sizes=kernel.shape, out_backprop=gradient, **options))  # fmt: skip
                    if number:
                        results.append(tf.raw_ops.Conv2DBackpropInput(
                            input_sizes=tf.shape(x), filter=kernel, out_backprop=gradient, **options))  # fmt: skip
                total += tf.add_n([tf.reshape(result, [-1])[0] for result in results])
            return index + 1, total

        return tf.while_loop(lambda index, _: index < steps, step, (0, tf.constant(0.0)))[1]

    steps = images // batch_size
    products()
    began = time.perf_counter()
    products()
    return time.perf_counter() - began


def on_mnist(folder: Path) -> dict[str, Any]:
    """The largest difference between the losses of ours and plain fit, step by step on the same batches; validation
    accuracy by order."""
    data = datasets.load("mnist", split_seed=0, manual_dir=str(folder))
    curves = []
    for ours in (False, True):
        keras.utils.set_random_seed(1)
        losses: list[float] = []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs, losses=losses: losses.append(logs["loss"])
        )
        fit(dense(), data.train, ours, batch_size=128, shuffle=False, callbacks=[note])
        curves.append(np.array(losses))
    result: dict[str, Any] = {"loss_difference": float(np.abs(curves[0] - curves[1]).max()), "steps": len(curves[0])}
    for order in ("usual", "pool first", "strides"):
        accuracies = []
        for seed in range(3):
            keras.utils.set_random_seed(seed)
            model = cnn(order)
            fit(model, data.train, True, batch_size=128, epochs=2)
            accuracies.append(model.evaluate(data.validation.scaled, data.validation.y, 1000, verbose=0)[1])
        result[order] = {"validation_accuracy": accuracies, "mean": statistics.mean(accuracies)}
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="MNIST's original files.")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    results: dict[str, Any] = {}
    print(f"{'':20} {'images':>7} {'plain':>8} {'ours':>8} {'ratio':>6} {'bound':>8} {'n':>3}")
    for name in arguments.case or CASES:
        plain_model, our_model, batch_size, count, epochs = CASES[name]
        images = Images(*arrays(count, rng))
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(arguments.rounds):
            for ours in (turn % 2 == 0, turn % 2 == 1):
                make = our_model if ours else plain_model
                seconds[ours] += epoch_seconds(make, images, batch_size, epochs, ours)
        plain, own = (statistics.median(seconds[ours]) for ours in (False, True))
        least = bound(our_model(), batch_size, count)
        results[name] = {
            "images": count, "plain_seconds": round(plain, 4), "our_seconds": round(own, 4),
            "ratio": round(own / plain, 4), "bound_seconds": round(least, 4), "epochs_each": len(seconds[True]),
        }  # fmt: skip
        print(
            f"{name:20} {count:7} {plain:8.3f} {own:8.3f} {own / plain:6.2f} {least:8.3f} {len(seconds[True]):3}",
            flush=True,
        )
    if arguments.mnist:
        results["mnist"] = on_mnist(arguments.mnist)
        print(f"largest difference of the losses of {results['mnist']['steps']} steps, ours and plain: "
              f"{results['mnist']['loss_difference']:.2g}", file=sys.stderr)  # fmt: skip
        for order in ("usual", "pool first", "strides"):
            print(f"{order}: validation accuracy after 2 epochs {results['mnist'][order]}", file=sys.stderr)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
