"""Seconds per epoch: ours against plain `model.fit`, on the same layers and batches of the same size, alternating.

    python tests/benchmarks/engine.py
    python tests/benchmarks/engine.py --precision mixed_bfloat16      # also ours in that precision, against our float32
    python tests/benchmarks/engine.py --mnist DIR                     # also the losses on the real images

The networks are those of the search spaces, on one core unless `--threads` says otherwise: the baselines of `dense` and
`cnn`, and `cnn` with three blocks of two convolutions (16, 32, 64 filters), batch normalisation and Adam. Arrays of
MNIST's shape; the table says how many. The numbers are medians over all epochs but the first, which traces; a ratio is
the median of the ratios of the runs that came one after the other. `bound` is the time of the matrix products of the
model's dense and convolutional layers alone, in float32 (forward, gradients of weights and of inputs). Where other work
shares the cores, `--cpu-time` counts the process's CPU seconds, which it disturbs less.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from study.system import environment, machine

environment.import_tensorflow()

import keras
import numpy as np
import tensorflow as tf
from arrays import arrays
from keras import layers

from search_spaces import load
from study.config import PRECISIONS
from study.data import datasets
from study.images import Images
from study.search.hyperparameters import TrialHyperParameters
from study.training.epoch_callback import EpochCallback
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.pipeline import feed

TWO_CONVOLUTIONS = {"blocks": 3, "filters": 16, "convolutions": 2, "batch_normalization": True, "dropout": 0.2}


class Case(NamedTuple):
    """A configuration of a search space, and how much it is trained."""

    space: str
    values: dict[str, Any]
    batch_size: int
    images: int
    epochs: int

    def model(self) -> keras.Model:
        """Compiled, for MNIST's images, in Keras's present precision."""
        return load(self.space).hypermodel((28, 28, 1), 10).build(TrialHyperParameters.with_values(self.values))


CASES = {
    "dense 32": Case("dense", {}, 32, 50_000, 3),
    "dense 128": Case("dense", {}, 128, 50_000, 4),
    "dense 512": Case("dense", {}, 512, 50_000, 4),
    "cnn 128": Case("cnn", {}, 128, 6_400, 3),
    "cnn 128, two convolutions": Case("cnn", TWO_CONVOLUTIONS, 128, 6_400, 3),
}


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    now: Callable[[], float] = time.perf_counter

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = Clock.now()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(Clock.now() - self.began)


def fit(model: keras.Model, images: Images, ours: bool, **options: Any) -> Any:
    """`model.fit`, fed by the pipeline or by Keras."""
    if ours:
        feed(model, Examples(images, None), 0, EpochCallback(EpochLog(), lambda epoch, logs: None, None, None))
    return model.fit(images.scaled, images.y, verbose=0, **options)


def epoch_seconds(case: Case, images: Images, ours: bool, precision: str) -> float:
    """The median of the seconds of each epoch but the first."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    model, clock = case.model(), Clock()
    keras.config.set_dtype_policy("float32")
    fit(model, images, ours, batch_size=case.batch_size, epochs=case.epochs + 1, callbacks=[clock])
    return statistics.median(clock.seconds[1:])


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
                total += tf.reduce_sum(tf.stack([tf.reshape(result, [-1])[0] for result in results]))
            return index + 1, total

        return tf.while_loop(lambda index, _: index < steps, step, (0, tf.constant(0.0)))[1]

    steps = images // batch_size
    products()
    began = Clock.now()
    products()
    return Clock.now() - began


def on_mnist(folder: Path) -> dict[str, Any]:
    """The largest difference between the losses of ours and plain fit, step by step on the same batches."""
    data = datasets.load("mnist", split_seed=0, manual_dir=str(folder))
    curves = []
    for ours in (False, True):
        keras.utils.set_random_seed(1)
        losses: list[float] = []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs, losses=losses: losses.append(logs["loss"])
        )
        fit(CASES["dense 128"].model(), data.train, ours, batch_size=128, shuffle=False, callbacks=[note])
        curves.append(np.array(losses))
    return {"loss_difference": float(np.abs(curves[0] - curves[1]).max()), "steps": len(curves[0])}


def measured(case: Case, precision: str, rounds: int) -> dict[str, Any]:
    """Plain fit, ours, and ours in the other precision, one after the other, in another order each time."""
    images = Images(*arrays(case.images, np.random.default_rng(0)))
    runs = {"plain": (False, "float32"), "ours": (True, "float32")}
    if precision != "float32":
        runs[precision] = (True, precision)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            seconds[name].append(epoch_seconds(case, images, *runs[name]))
    result: dict[str, Any] = {
        "images": case.images, "rounds": rounds, "bound": round(bound(case.model(), case.batch_size, case.images), 4),
        "seconds": {name: round(statistics.median(values), 4) for name, values in seconds.items()},
        "ratio": _ratio(seconds["ours"], seconds["plain"]),
    }  # fmt: skip
    if precision != "float32":
        result["precision_ratio"] = _ratio(seconds[precision], seconds["ours"])
    return result


def _ratio(ones: list[float], others: list[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ones, others, strict=True)), 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, help="Images of each case, if not its own number.")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="MNIST's original files.")
    given = parser.parse_args()
    if given.cpu_time:
        Clock.now = time.process_time
    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(given.threads)
    results: dict[str, Any] = {"computes_bfloat16": machine.computes_bfloat16(), "threads": given.threads}
    print(f"{'':26} {'images':>7} {'plain':>8} {'ours':>8} {'ratio':>6} {'bound':>8}", end="")
    print("" if given.precision == "float32" else f"   {given.precision}, and its ratio to ours in float32")
    for name in given.case or CASES:
        case = CASES[name]._replace(**{} if given.images is None else {"images": given.images})
        results[name] = found = measured(case, given.precision, given.rounds)
        seconds = found["seconds"]
        print(f"{name:26} {found['images']:7} {seconds['plain']:8.3f} {seconds['ours']:8.3f} {found['ratio']:6.2f} "
              f"{found['bound']:8.3f}", end="")  # fmt: skip
        short = "" if given.precision == "float32" else f" {seconds[given.precision]:8.3f}"
        print(short and f"{short} {found['precision_ratio']:6.2f}", flush=True)
    if given.mnist:
        results["mnist"] = on_mnist(given.mnist)
        print(f"largest difference of the losses of {results['mnist']['steps']} steps, ours and plain: "
              f"{results['mnist']['loss_difference']:.2g}", file=sys.stderr)  # fmt: skip
    print(json.dumps(results))


if __name__ == "__main__":
    main()
