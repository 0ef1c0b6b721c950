"""What bfloat16 does to the accuracy of a network of convolutions: paired trainings, tested.

    python tests/benchmarks/precision.py --manual-dir DIR
    python tests/benchmarks/precision.py --manual-dir DIR --images 25600 --seeds 5 --results FILE

Each seed is trained in float32 and in mixed_bfloat16, from the same weights, with the same images in the same order:
three blocks of two convolutions (16, 32, 64 filters) of the space `cnn`, batch normalisation, light augmentation, label
smoothing 0.1, dropout 0.2, Adam 3e-3 in one cycle, batches of 128, one thread. Prints a line per training as it ends
(test accuracy, CPU seconds), then the mean of the differences with its 95 % interval (Student's t for pairs). With
`--results`, they are kept, and a second call goes on where the first was ended.

Where the processor has no instructions for bfloat16, which TensorFlow would imitate ten times slower, the convolutions
are imitated here: what enters and leaves them, forwards and backwards, is rounded to bfloat16, and products are summed
in float32, as such instructions do. Accuracies are those of bfloat16 then; seconds are not.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"))

from study.system import environment, machine

environment.import_tensorflow()

import keras
import tensorflow as tf

from reports.statistics import paired_difference
from search_spaces import load
from study.data import datasets
from study.search.hyperparameters import TrialHyperParameters
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training, fit
from study.training.keras_private import replace_method
from study.training.prediction import probabilities

PRECISIONS = ("float32", "mixed_bfloat16")
VALUES = {
    "blocks": 3, "filters": 16, "convolutions": 2, "batch_normalization": True, "augmentation": "light",
    "label_smoothing": 0.1, "dropout": 0.2, "learning_rate": 3e-3, "schedule": "one_cycle", "batch_size": 128,
}  # fmt: skip


def imitate(model: keras.Model) -> None:
    """Let convolutions in bfloat16 compute as a processor with such instructions does."""

    def convolve(layer: keras.layers.Conv2D, inputs: Any) -> Any:
        assert not layer.use_bias
        products = layer.convolution_op(tf.cast(inputs, "float32"), tf.cast(layer.kernel.value, "float32"))
        return tf.cast(products, "bfloat16")

    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.compute_dtype == "bfloat16":
            replace_method(layer, "call", convolve)


def trained(data: datasets.Dataset, images: int, epochs: int, seed: int, precision: str) -> dict[str, Any]:
    """Train and test."""
    keras.config.set_dtype_policy(precision)
    hp = TrialHyperParameters.with_values(VALUES)
    examples = Examples(data.train.part(slice(images)), None)
    hooks = Hooks(on_built=lambda model: None if machine.computes_bfloat16() else imitate(model))
    hypermodel = load("cnn").hypermodel(data.input_shape, data.num_classes)
    began, test = time.process_time(), data.test()
    model = fit(Training(hypermodel, hp, examples, epochs, seed), EpochLog(), hooks)
    seconds = time.process_time() - began
    accuracy = float((probabilities(model, test).argmax(axis=1) == test.y).mean())
    return {
        "seed": seed, "precision": precision, "images": images, "epochs": epochs, "accuracy": accuracy,
        "cpu_seconds": round(seconds, 1), "computes_bfloat16": machine.computes_bfloat16(),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--manual-dir", type=Path, metavar="DIR", help="Folder with MNIST's original files.")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--results", type=Path, metavar="FILE", help="JSON lines, which are added to.")
    given = parser.parse_args()
    data = datasets.load("mnist", split_seed=0, manual_dir=None if given.manual_dir is None else str(given.manual_dir))
    kept = given.results.read_text().splitlines() if given.results and given.results.exists() else []
    rows = [row for row in map(json.loads, kept) if (row["images"], row["epochs"]) == (given.images, given.epochs)]
    done = {(row["seed"], row["precision"]) for row in rows}
    for seed in range(given.seeds):
        for precision in PRECISIONS[:: 1 if seed % 2 else -1]:
            if (seed, precision) not in done:
                rows.append(trained(data, given.images, given.epochs, seed, precision))
                print(json.dumps(rows[-1]), flush=True)
                if given.results:
                    with given.results.open("a") as file:
                        print(json.dumps(rows[-1]), file=file)
    own, short = ([row["accuracy"] for row in sorted(rows, key=lambda row: row["seed"])
                   if row["precision"] == precision] for precision in PRECISIONS)  # fmt: skip
    for precision, accuracies in zip(PRECISIONS, (own, short), strict=True):
        print(f"{precision}: {sum(accuracies) / len(accuracies):.4%} on {len(data.test())} test images, n = {len(own)}")
    print(f"difference, float32 minus mixed_bfloat16: {paired_difference(own, short)}")


if __name__ == "__main__":
    main()
