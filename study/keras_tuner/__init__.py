"""What `import keras_tuner` offers, with tuners whose trials are those of a study: a script changes its import.

import study.keras_tuner as keras_tuner
"""

import sys

from study.system import packages

packages.check()

import keras_tuner as original
from keras_tuner import (
    HyperModel,
    HyperParameters,
    Objective,
    Oracle,
    SklearnTuner,
    __version__,
    applications,
    errors,
    oracles,
    synchronized,
)

from study.keras_tuner import engine, tuners
from study.keras_tuner.tuner import Tuner
from study.keras_tuner.tuners import BayesianOptimization, GridSearch, Hyperband, OptunaTuner, RandomSearch

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "HyperModel",
    "HyperParameters",
    "Hyperband",
    "Objective",
    "OptunaTuner",
    "Oracle",
    "RandomSearch",
    "SklearnTuner",
    "Tuner",
    "__version__",
    "applications",
    "engine",
    "errors",
    "oracles",
    "synchronized",
    "tuners",
]

# So that `from study.keras_tuner.errors import FailedTrialError` finds KerasTuner's own.
for _each in ("applications", "errors", "oracles"):
    sys.modules[f"{__name__}.{_each}"] = getattr(original, _each)
