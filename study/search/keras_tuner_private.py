"""What the study uses of KerasTuner that is not public, in one place. Its test says what an upgrade has changed.

| name | used for | what breaks without it |
| --- | --- | --- |
| `HyperParameters._retrieve` | `Int`, `Float`, `Choice`, `Boolean` and `Fixed` all end in it | nothing is drawn |
| `HyperParameters._validate_name` | refuses a name before it is drawn | a wrong parameter is stored |
| `Oracle._record_values` | no configuration is drawn twice | `kt-random` repeats itself |
| `GridSearchOracle._get_next_combination` | the order of `kt-grid` | `kt-grid` raises |

The modules below `keras_tuner.engine` are public: KerasTuner exports them (`keras_tuner_export`).
"""

from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds
from keras_tuner.engine.trial import Trial

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


def next_combination(oracle: Any, values: dict[str, Any]) -> dict[str, Any] | None:
    """The combination after these values in a grid; None after the last one."""
    found: dict[str, Any] | None = oracle._get_next_combination(values)
    return found
