"""A tuner's hypermodel, as its search builds and fits it."""

from typing import TYPE_CHECKING, Any

import keras
import keras_tuner

from study.keras_tuner.refusals import Refused
from study.search import keras_tuner_private
from study.search.keras_tuner_private import declare

if TYPE_CHECKING:
    from study.keras_tuner.tuner import Tuner


class Tuned(keras_tuner.HyperModel):
    """Declares the hyperparameters that were given first, and builds as the tuner does: under its distribution
    strategy, compiled with its optimizer, loss and metrics."""

    def __init__(self, tuner: "Tuner") -> None:
        super().__init__()
        self._tuner = tuner
        given = tuner.given.hyperparameters
        self._given = [] if given is None else list(given.space)  # the oracle adds to it, as KerasTuner's does

    def declare_hyperparameters(self, hp: Any) -> None:
        for each in self._given:
            declare(hp, each)
        if not self._tuner.given.tune_new_entries and hasattr(hp, "settle"):
            hp.settle()
        if self._tuner.hypermodel is not None:
            self._tuner.hypermodel.declare_hyperparameters(hp)

    def build(self, hp: Any) -> Any:
        if self._tuner.hypermodel is None:
            return None
        model = self._tuner.built(hp)
        self.refuse_new(hp)
        return model

    def refuse_new(self, hp: Any) -> None:
        """Refuse what the hypermodel declares beside what was given, where it must not.

        Raises:
            Refused: naming it.
        """
        new = {each.name for each in hp.space} - {each.name for each in self._given}
        if new and not self._tuner.given.allow_new_entries:
            raise Refused(
                f"`allow_new_entries` is `False`, and the hypermodel declares {', '.join(sorted(new))}, which "
                "hyperparameters= has not"
            )


class TunedWithFit(Tuned):
    """One whose `fit`, or whose tuner's `run_trial`, is its own."""

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        result = self._tuner.hypermodel.fit(hp, model, *args, **kwargs)
        self.refuse_new(hp)
        return result


def tuned(tuner: "Tuner", *, has_own_run: bool) -> Tuned:
    """The tuner's hypermodel: a study looks at its class to know whether `fit` may return scores."""
    hypermodel = tuner.hypermodel
    own = has_own_run or (hypermodel is not None and type(hypermodel).fit is not keras_tuner.HyperModel.fit)
    return (TunedWithFit if own else Tuned)(tuner)


def check_model(tuner: "Tuner", model: Any) -> None:
    """Refuse, in KerasTuner's words, what a trial cannot train.

    Raises:
        FatalTypeError: of KerasTuner: it is no model.
        FailedTrialError: of KerasTuner: it is larger than the tuner's `max_model_size`.
    """
    if not isinstance(model, keras.Model):
        raise keras_tuner.errors.FatalTypeError(
            "Expected the model-building function, or HyperModel.build() to return a valid Keras Model instance; it "
            f"returned {type(model).__name__}"
        )
    most = tuner.max_model_size
    size = keras_tuner_private.size(model) if most else 0
    if most and size > most:
        raise keras_tuner.errors.FailedTrialError(f"Oversized model: {size} parameters. Skip model.")
