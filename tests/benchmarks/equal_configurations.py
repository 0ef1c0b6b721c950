"""Whether configurations that differ in nothing are called different: a `fit` in two stages, on the digits.

    python tests/benchmarks/equal_configurations.py
    python tests/benchmarks/equal_configurations.py --confirm 0

The space has a hyperparameter that changes nothing, so every trial is the baseline under another number. In each of 20
studies, which differ by their seed, baseline and winner are retrained with 7 seeds; anything but "tied" or "undecided"
is a false alarm. The confirmation runs usually see that the baseline is as good as any and make it the winner; without
them, the best trial is, and is compared with the baseline: then what differs is the number of epochs after which each
was best. Prints what each verdict says; then a JSON line.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import keras_tuner

import study
from reports import collect
from reports.panels import verdict
from study.config import Definition
from study.records import BASELINE
from study.storage import selection


class TwoStages(keras_tuner.HyperModel):
    """The head is trained first, then everything, more slowly."""

    def build(self, hp: Any) -> keras.Model:
        """A small multi-layer perceptron."""
        hp.Int("unused", 0, 1000)
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(32, "relu", name="hidden"),
                keras.layers.Dense(10, "softmax"),
            ]
        )

    def fit(self, hp: Any, model: keras.Model, *args: Any, epochs: int, **kwargs: Any) -> Any:
        """Half of the epochs for the head alone, then as many as it was asked for."""
        for trainable, rate, wanted in ((False, 3e-3, max(1, epochs // 2)), (True, 1e-3, epochs)):
            model.get_layer("hidden").trainable = trainable
            model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
            history = model.fit(*args, epochs=wanted, **kwargs)
        return history


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--confirm", type=int, default=Definition.confirm)
    arguments = parser.parse_args()
    words: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        for seed in range(arguments.studies):
            found = study.run(
                f"s{seed}", spaces=[TwoStages()], trials=4, epochs=6, seeds=arguments.seeds, seed=seed,
                confirm=arguments.confirm, pruner="none", home=Path(home), quiet=True,
            )  # fmt: skip
            chosen = selection.of(found.stored)
            (winner,), (candidates,) = chosen.winners.values(), chosen.candidates.values()
            baseline = next(each for each in candidates if each.role == BASELINE)
            compared = verdict.info(collect.read(found.stored)).comparisons
            words += [each.word for each in compared] or ["the winner is the baseline"]
            print(
                f"seed {seed}: trial {winner.number} with {winner.best_epoch} epochs, baseline {baseline.best_epoch}: "
                f"{words[-1]}",
                flush=True,
            )
    counts = {word: words.count(word) for word in sorted(set(words))}
    print(json.dumps({"studies": arguments.studies, "seeds": arguments.seeds, "words": counts}))
    sys.exit(bool({"better", "worse"} & counts.keys()))


if __name__ == "__main__":
    main()
