"""What `import keras_tuner.engine` offers, with the tuners of studies."""

import sys

from keras_tuner.engine import hypermodel, hyperparameters, metrics_tracking, oracle, trial

from study.keras_tuner.engine import base_tuner, tuner

__all__ = ["base_tuner", "hypermodel", "hyperparameters", "metrics_tracking", "oracle", "trial", "tuner"]

# So that `from study.keras_tuner.engine.trial import Trial` finds KerasTuner's own.
for _name, _module in {
    "hypermodel": hypermodel, "hyperparameters": hyperparameters, "metrics_tracking": metrics_tracking,
    "oracle": oracle, "trial": trial,
}.items():  # fmt: skip
    sys.modules[f"{__name__}.{_name}"] = _module
