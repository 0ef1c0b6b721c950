"""What a report is made from, read once from the storage."""

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from study import results
from study import storage as storage_room
from study.config import StudyConfig
from study.records import TUNED, FinalRecord, TrialRecord


@dataclass(frozen=True)
class SpaceResults:
    """The search of one space."""

    name: str
    study: optuna.Study
    trials: list[FrozenTrial]
    best: FrozenTrial | None
    """The complete trial with the best value."""

    def record(self, trial: FrozenTrial) -> TrialRecord | None:
        """What is stored beside a trial; None while it runs."""
        return results.record(trial)

    def count(self, state: TrialState) -> int:
        """Trials in that state."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True)
class StudyResults:
    """A study as it is stored."""

    config: StudyConfig
    fingerprint: dict[str, Any]
    environment: dict[str, Any]
    spaces: list[SpaceResults]
    finals: list[FinalRecord]
    """Every test of a model, also of finalists that a longer search replaced."""

    def finals_of(self, space: str, role: str) -> list[FinalRecord]:
        """The finals of a space's baseline or of its present winner, by seed."""
        found = [final for final in self.finals if (final.space, final.role) == (space, role)]
        if role == TUNED:
            best = next(each.best for each in self.spaces if each.name == space)
            found = [final for final in found if best is not None and final.trial == best.number]
        return sorted(found, key=lambda final: final.seed_index)


def read(storage: BaseStorage, config: StudyConfig) -> StudyResults:
    """Read a study."""
    attributes = storage_room.load(storage, config.finals_name).user_attrs
    spaces = []
    for name in config.spaces:
        study = storage_room.load(storage, config.study_name(name))
        trials = study.get_trials(deepcopy=False)
        spaces.append(SpaceResults(name, study, trials, results.best_trial(trials, config)))
    return StudyResults(
        config=config,
        fingerprint=attributes.get("fingerprint", {}),
        environment=attributes.get("environment", {}),
        spaces=spaces,
        finals=results.finals(storage, config),
    )
