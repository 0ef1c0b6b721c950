"""What the study uses of KerasTuner that is not public, in one place. Its test says what an upgrade has changed.

| name | used for | what breaks without it |
| --- | --- | --- |
| `HyperParameters._retrieve` | `Int`, `Float`, `Choice`, `Boolean` and `Fixed` all end in it | nothing is drawn |
| `HyperParameters._validate_name` | refuses a name before it is drawn | a wrong parameter is stored |
| `Oracle._record_values` | no configuration is drawn twice | `kt-random` repeats itself |
| `Oracle._set_project_dir` | an oracle of the user's own has a folder | such oracles |
| `Tuner._build_hypermodel`, `._override_compile_args` | `optimizer`, `loss`, a strategy | every build |
| `src.engine.tuner_utils.validate_trial_results` | what a trial may return, in KerasTuner's words | other words |
| `Tuner._configure_tensorboard_dir` | `TensorBoard` callbacks have a folder for each trial, with HParams | these |

The modules below `keras_tuner.engine` are public: KerasTuner exports them (`keras_tuner_export`).
"""

import math
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine import tuner_utils

from study.records import Value


class DrawnHyperParameters(keras_tuner.HyperParameters):
    """HyperParameters whose values a subclass draws when a space first declares them.

    Values that are known (set before, or read from a configuration), `Fixed` and inactive hyperparameters are not
    drawn; `merge`, `copy` and `from_config` draw nothing.
    """

    def draw(self, hp: Any) -> Value | None:
        """The value of an active hyperparameter; None leaves it to KerasTuner, which takes the default."""
        return None

    def _retrieve(self, hp: Any) -> Any:
        known = hp.name in self.values or isinstance(hp, kinds.Fixed)
        if not known and self.is_active(hp):
            self._validate_name(hp.name)  # before anything is stored
            value = self.draw(hp)
            if value is not None:
                self.values[hp.name] = value
        return super()._retrieve(hp)


def declare(hp: keras_tuner.HyperParameters, declared: Any) -> Any:
    """Declare a hyperparameter that exists as an object, as `hp.Int(...)` does; its value, None where inactive."""
    return hp._retrieve(declared)


def record(oracle: keras_tuner.Oracle, trial: Trial) -> None:
    """Tell an oracle about a trial; it does not draw the same values again."""
    oracle.trials[trial.trial_id] = trial
    oracle._record_values(trial)


def place(oracle: keras_tuner.Oracle, directory: Path, project_name: str) -> None:
    """Say in which folder an oracle saves its state."""
    oracle._set_project_dir(str(directory), project_name)


def built(tuner: Any, hp: Any) -> Any:
    """The model that a tuner builds: under its distribution strategy, compiled with what it overrides."""
    return tuner._build_hypermodel(hp)


def log_for_tensorboard(tuner: Any, callbacks: list[Any], trial: Trial, execution: int) -> None:
    """Give the TensorBoard callbacks of a trial a folder of its own, and add one that logs its hyperparameters."""
    tuner._configure_tensorboard_dir(callbacks, trial, execution)


def check_result(result: Any, objective: Any, function: str) -> None:
    """Refuse what KerasTuner does not take as the result of a function that scores a trial.

    Raises:
        FatalError: of KerasTuner: a `FatalTypeError` or a `FatalValueError`.
    """
    tuner_utils.validate_trial_results(result, objective, function)


def size(model: Any) -> int:
    """The number of trainable parameters of a model that is built; 0 for another."""
    return sum(math.prod(each.shape) for each in model.trainable_weights) if model.built else 0


CALLED = {"_build_hypermodel", "_override_compile_args", "_filter_metrics", "_configure_tensorboard_dir",
          "_get_tensorboard_dir"}  # fmt: skip
"""Private methods of KerasTuner's tuners that a subclass may override, because ours call them."""


def overridden(kind: type, ours: type) -> list[str]:
    """The private methods of KerasTuner's tuners that a subclass of ours overrides, although nobody calls them."""
    theirs = {name for each in keras_tuner.Tuner.__mro__[:-1] for name in vars(each) if _is_private(name)}
    own = {name for each in kind.__mro__[: kind.__mro__.index(ours)] for name in vars(each)}
    return sorted((theirs & own) - CALLED)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
