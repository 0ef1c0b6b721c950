"""Whether a space builds a configuration as it did when that was trained first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import keras

from study.errors import SpaceChanged, one_line
from study.execution.fingerprints import changed
from study.records import TrialRecord, Value
from study.search.hyperparameters import TrialHyperParameters
from study.system.keras_settings import settings_kept
from study.system.signals import contained
from study.training.description import Part, description, shorthand
from study.training.difference import difference
from study.training.fit import built

OnBuilt = Callable[[keras.Model], None]
Trained = TypeVar("Trained")


@dataclass(frozen=True)
class Before:
    """A trial's configuration as it was built before."""

    space: str
    trial: int
    hypermodel: Any
    record: TrialRecord | None
    """Of the trial; None before its model was built."""

    def check(self) -> None:
        """Build it once more, as the trial did.

        Raises:
            SpaceChanged: that gives another model, or none.
        """
        if self.record is None or not self.record.built:
            return
        try:
            found = _rebuilt(self.hypermodel, self.record.values, self.record.seed)
        except Exception as error:  # a user's build may raise anything
            raise self._changed(f"it cannot be built: {one_line(error, 300)}") from error
        differing = difference(self.record.built, found)
        if differing and is_repeatable(self.hypermodel, self.record.values, self.record.seed):
            raise self._changed(differing)

    def compare(self, model: keras.Model) -> None:
        """Check it where a model is another.

        Raises:
            SpaceChanged: see `check`.
        """
        if self._difference(model):
            self.check()

    def train(self, fit: Callable[[OnBuilt], Trained], on_built: OnBuilt = lambda model: None) -> Trained:
        """What `fit` returns, which calls its argument with the model before it trains that. `on_built` is called with
        one that is as it was. With another seed a space may build another model: then its own decides.

        Raises:
            SpaceChanged: it is another; nothing was trained.
        """

        is_first = True

        def look(model: keras.Model) -> None:
            nonlocal is_first
            if is_first and (differing := self._difference(model)):
                raise self._changed(differing)
            is_first = False  # a tuner may build more models for a trial, with seeds of their own
            on_built(model)

        try:
            return fit(look)
        except SpaceChanged:
            self.check()
            return fit(on_built)

    def _difference(self, model: keras.Model) -> str:
        return "" if self.record is None else difference(self.record.built, description(model))

    def _changed(self, differing: str) -> SpaceChanged:
        return changed(self.space, f"trial {self.trial}, {differing}", "what is finished is kept")


def is_repeatable(hypermodel: Any, values: Mapping[str, Value], seed: int) -> bool:
    """Whether a configuration is built alike twice with the same seed: it may depend on what cannot be repeated."""
    once, twice = (shorthand(_rebuilt(hypermodel, values, seed)) for _ in range(2))
    return once == twice


def _rebuilt(hypermodel: Any, values: Mapping[str, Value], seed: int) -> list[Part]:
    with settings_kept(), contained():
        found = description(built(hypermodel, TrialHyperParameters.with_values(dict(values)), seed))
        keras.backend.clear_session()
    return found
