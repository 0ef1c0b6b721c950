"""Search spaces whose trials fail, each in its own way."""

from typing import Any

import keras
import keras_tuner
import tiny


class Numbered(tiny.Tiny):
    """Half of it fails by one error, the rest by errors of their own."""

    def build(self, hp: Any) -> keras.Model:
        hp.Float("rate", 0.0, 1.0, default=0.5)
        return tiny.compiled()

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        rate = hp.get("rate")
        raise ValueError("too large" if rate >= 0.5 else f"{rate} is too small")


class Fatal(tiny.Tiny):
    """Its trials after the baseline cannot be built, for a reason that concerns them all."""

    error: type[Exception] = keras_tuner.errors.FatalError

    def build(self, hp: Any) -> keras.Model:
        if hp.Float("rate", 0.01, 0.1, default=0.1) != 0.1:
            raise self.error("the disk is gone")
        return tiny.compiled()


class FatalFit(tiny.Tiny):
    """Cannot be fitted, for a reason that concerns every configuration."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        raise keras_tuner.errors.FatalValueError("the disk is gone")


class Failed(tiny.Tiny):
    """Fails by the error with which KerasTuner asks to go on, unless it is the baseline."""

    def build(self, hp: Any) -> keras.Model:
        if hp.Float("rate", 0.01, 0.1, default=0.1) != 0.1:
            raise keras_tuner.errors.FailedTrialError("this one only")
        return tiny.compiled()
