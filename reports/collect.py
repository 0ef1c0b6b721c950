"""What a report is made from, read once from the storage and the files beside it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from reports import predictions
from reports.predictions import Predictions
from study import results
from study import storage as storage_room
from study.config import StudyConfig
from study.records import CLASSES, TUNED, FinalRecord, TrialRecord


@dataclass(frozen=True, eq=False)
class SpaceResults:
    """The search of one space."""

    name: str
    study: optuna.Study
    trials: list[FrozenTrial]
    best: FrozenTrial | None
    """The complete trial with the best value."""
    declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the space declares while its defaults are built (see `study.fingerprints`)."""

    @cached_property
    def records(self) -> dict[int, TrialRecord]:
        """What is stored beside the trials, by number; a running trial has nothing until its model is built."""
        found = {trial.number: results.record(trial) for trial in self.trials}
        return {number: record for number, record in found.items() if record is not None}

    def record(self, trial: FrozenTrial) -> TrialRecord | None:
        """What is stored beside a trial."""
        return self.records.get(trial.number)

    @property
    def ended(self) -> int:
        """Trials that are complete, pruned or failed."""
        return sum(trial.state.is_finished() for trial in self.trials)

    def count(self, state: TrialState) -> int:
        """Trials in that state."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A study as it is stored."""

    config: StudyConfig
    fingerprint: dict[str, Any]
    environment: dict[str, Any]
    spaces: list[SpaceResults]
    finals: list[FinalRecord]
    """Every test of a model, also of finalists that a longer search replaced."""
    classes: list[str]
    """The names of the classes; empty where they have none but their numbers."""
    folder: Path | None = None
    """Where the study keeps its files."""
    _predictions: dict[str, Predictions | None] = field(default_factory=dict)

    def predictions_of(self, finals: list[FinalRecord]) -> list[Predictions]:
        """What they predicted; empty unless all of it is there."""
        for final in finals:
            if final.predictions not in self._predictions:
                self._predictions[final.predictions] = predictions.read(self.folder, final)
        found = [self._predictions[final.predictions] for final in finals]
        return [each for each in found if each is not None] if None not in found else []

    @property
    def maximize(self) -> bool:
        """Whether a larger objective is better."""
        return self.config.direction == "maximize"

    def class_name(self, label: int) -> str:
        """What a class is called."""
        return self.classes[label] if label < len(self.classes) else str(label)

    def finals_of(self, space: str, role: str) -> list[FinalRecord]:
        """The finals of a space's baseline or of its present winner, by seed."""
        found = [final for final in self.finals if (final.space, final.role) == (space, role)]
        if role == TUNED:
            best = next(each.best for each in self.spaces if each.name == space)
            found = [final for final in found if best is not None and final.trial == best.number]
        return sorted(found, key=lambda final: final.seed_index)


def read(storage: BaseStorage, config: StudyConfig, folder: Path | None = None) -> StudyResults:
    """Read a study; `folder` holds its predictions."""
    attributes = storage_room.load(storage, config.finals_name).user_attrs
    fingerprint = attributes.get("fingerprint", {})
    declared = fingerprint.get("details", {}).get("spaces", {})
    spaces = []
    for name in config.spaces:
        study = storage_room.load(storage, config.study_name(name))
        trials = study.get_trials(deepcopy=False)
        best = results.best_trial(trials, config)
        spaces.append(SpaceResults(name, study, trials, best, declared.get(name, {})))
    return StudyResults(
        config=config,
        fingerprint=fingerprint,
        environment=attributes.get("environment", {}),
        spaces=spaces,
        finals=results.finals(storage, config),
        classes=attributes.get(CLASSES, []),
        folder=folder,
    )
