"""What a report is made from, read once from the store and from the files in the study's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from optuna.trial import FrozenTrial, TrialState

from reports import predictions
from reports.predictions import Predictions
from study.config import ARRAYS, Definition, Resources
from study.images import Shown
from study.objective import Objective
from study.records import (
    BASELINE,
    BASELINE_NUMBER,
    CLASSES,
    ENVIRONMENT,
    TUNED,
    Conditions,
    EvaluationRecord,
    FinalRecord,
    TrialRecord,
    Value,
)
from study.storage import evaluations, examples, results, selection
from study.storage import predictions as stored
from study.storage.examples import Examples
from study.storage.selection import Selection
from study.storage.store import StoredStudy


class Results:
    """Results that keep what was computed from them."""

    @cached_property
    def computed(self) -> dict[Callable[..., Any], Any]:
        """By the function that computed it (see `once`)."""
        return {}


Source = TypeVar("Source", bound=Results)
Computed = TypeVar("Computed")


def once(compute: Callable[[Source], Computed]) -> Callable[[Source], Computed]:
    """Make a function compute once per results. They keep its value, so that it is freed with them."""

    @wraps(compute)
    def computed(results: Source) -> Computed:
        if compute not in results.computed:
            results.computed[compute] = compute(results)
        found: Computed = results.computed[compute]
        return found

    return computed


class Outcome(NamedTuple):
    """What came of a trial so far."""

    trial: int
    state: str
    """complete, pruned, failed or running."""
    value: float | None
    """The objective at its best epoch so far; None before there is one, and for a failed trial."""
    epochs: int
    """Those that it finished."""
    values: dict[str, Value]
    """Its hyperparameters; empty before its model is built."""


@dataclass(frozen=True, eq=False)
class SpaceResults(Results):
    """The search of one space."""

    name: str
    trials: list[FrozenTrial]
    objective: Objective
    best: FrozenTrial | None
    """The trial of its winner (see `study.storage.selection`)."""
    declared: dict[str, dict[str, Any]]
    """What the space declares while its defaults are built, by hyperparameter and conditions: KerasTuner's JSON."""

    @cached_property
    def records(self) -> dict[int, TrialRecord]:
        """The trials' records, by number; a running trial has none until its model is built."""
        found = {trial.number: results.record(trial) for trial in self.trials}
        return {number: record for number, record in found.items() if record is not None}

    def record(self, trial: FrozenTrial) -> TrialRecord | None:
        """The record of a trial."""
        return self.records.get(trial.number)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """What came of each trial that was trained, or is, by number."""
        return [self._outcome(trial) for trial in self.trials if results.state(trial) not in ("waiting", "excluded")]

    def _outcome(self, trial: FrozenTrial) -> Outcome:
        record, value = self.record(trial), results.reached(trial, self.objective)
        epochs = max([0 if record is None else record.epochs, *trial.intermediate_values])
        return Outcome(trial.number, results.state(trial), value, epochs, {} if record is None else record.values)

    @property
    def ended(self) -> int:
        """How many trials are complete, pruned, excluded or failed."""
        return sum(trial.state.is_finished() for trial in self.trials)

    def count(self, state: TrialState) -> int:
        """How many trials are in that state."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True, eq=False)
class StudyResults(Results):
    """A study as it is stored."""

    study: StoredStudy
    definition: Definition
    resources: Resources
    folder: Path
    """Holds the study's files."""
    fingerprint: dict[str, Any]
    environment: dict[str, Any]
    spaces: list[SpaceResults]
    selection: Selection
    """What validation chose."""
    finals: list[FinalRecord]
    """Every test of a model, including those of finalists that a longer search replaced."""
    classes: list[str]
    """The names of the classes; empty where they are only numbered."""
    conditions: Conditions | None
    """On what the finals of a tuner are tested; None before any was asked for."""
    evaluations: list[EvaluationRecord]
    """The finals of a tuner, including those of winners that a longer search replaced."""

    @property
    def is_of_tuner(self) -> bool:
        """Whether a tuner searched, with whatever data its `search` was given; otherwise they are images."""
        return self.definition.dataset == ARRAYS

    @cached_property
    def _predictions(self) -> dict[str, Predictions | None]:
        return {}

    def predictions_of(self, finals: list[FinalRecord]) -> list[Predictions]:
        """What these finals predicted; empty where any of it is missing."""
        for final in finals:
            if final.predictions not in self._predictions:
                self._predictions[final.predictions] = predictions.read(self.folder, final)
        found = [self._predictions[final.predictions] for final in finals]
        return [each for each in found if each is not None] if None not in found else []

    @cached_property
    def misread_images(self) -> dict[int, Shown]:
        """The images that some final misclassified, as a page shows them, by their index in the test set."""
        return stored.misread_images(self.folder)

    @cached_property
    def examples(self) -> Examples | None:
        """An image of each class, and how many images each has; None where they were not kept."""
        return examples.read(self.folder)

    def class_name(self, label: int) -> str:
        """The name of a class."""
        return self.classes[label] if label < len(self.classes) else str(label)

    def finals_of(self, space: str, role: str) -> list[FinalRecord]:
        """The finals of a space's baseline or of its present winner, by seed."""
        found = [final for final in self.finals if (final.space, final.role) == (space, role)]
        if role == TUNED:
            winner = self.selection.winners.get(space)
            found = [final for final in found if winner is not None and final.trial == winner.number]
        return sorted(found, key=lambda final: final.seed_index)

    @property
    def tests(self) -> int:
        """How often a model was tested."""
        return len(self.finals) + len(self.evaluations)

    def evaluations_of(self, space: str, role: str) -> list[EvaluationRecord]:
        """The finals of a tuner's baseline or of its present winner, by seed."""
        winner = self.selection.winners.get(space)
        numbers = {BASELINE: BASELINE_NUMBER, TUNED: None if winner is None else winner.number}
        found = [
            each for each in self.evaluations if (each.space, each.role, each.trial) == (space, role, numbers[role])
        ]
        return sorted(found, key=lambda each: each.seed_index)

    @property
    def recommended(self) -> tuple[str, str] | None:
        """Space and role of the finalist that validation chose; None before a trial is complete."""
        chosen = self.selection.recommended
        return None if chosen is None else (chosen.space, chosen.role)

    def winner_of(self, space: str) -> str | None:
        """The role of a space's winner: `TUNED`, or `BASELINE` where tuning found nothing better."""
        winner = self.selection.winners.get(space)
        return None if winner is None else winner.role

    @property
    def untuned(self) -> list[SpaceResults]:
        """The spaces in which the baseline won."""
        return [space for space in self.spaces if self.winner_of(space.name) == BASELINE]

    def finals_of_winner(self, space: str) -> list[FinalRecord]:
        """The finals of a space's winner, by seed."""
        role = self.winner_of(space)
        return [] if role is None else self.finals_of(space, role)


def read(study: StoredStudy) -> StudyResults:
    """Read a study."""
    definition = study.definition
    declared = study.fingerprint.get("details", {}).get("spaces", {})
    trials = {name: results.trials(study, name) for name in definition.spaces}
    chosen = selection.of(study, trials)
    spaces = []
    for name in definition.spaces:
        winner = chosen.winners.get(name)
        best = None if winner is None else winner.trial
        found = declared.get(name, {})
        spaces.append(SpaceResults(name, trials[name], definition.objective, best, found))
    return StudyResults(
        study=study,
        definition=definition,
        resources=study.resources,
        folder=study.folder,
        fingerprint=study.fingerprint,
        environment=study.attributes.get(ENVIRONMENT, {}),
        spaces=spaces,
        selection=chosen,
        finals=results.finals(study),
        classes=study.attributes.get(CLASSES, []),
        conditions=evaluations.conditions(study),
        evaluations=evaluations.evaluations(study),
    )
