"""What the study uses of Optuna that is not public, in one place. Its test says what an upgrade has changed.

| name | used for | what breaks without it |
| --- | --- | --- |
| `Study._get_trials` | samplers read the trials through it: `FilteredStudy` | trials see later ones, silently |
| `Study._storage` and others (`READABLE`) | `storage_of`; samplers read through it | the first draw raises |
| `storages._CachedStorage`, `._backend` | which methods need patience: `PATIENT_METHODS` | a lost server ends a study |
"""

from collections.abc import Callable, Container
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

READABLE = (
    "_directions", "_get_trials", "_is_multi_objective", "_storage", "_study_id", "_thread_local", "direction",
    "directions", "get_trials", "pruner", "sampler", "study_name", "trials",
)  # fmt: skip
"""What a sampler or pruner may read of a `FilteredStudy`; everything else could come from trials that it hides."""
PATIENT_METHODS = (
    "get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs",
    "get_study_system_attrs", "get_all_studies", "set_study_user_attr", "set_study_system_attr", "get_trial",
    "get_trial_id_from_study_id_trial_number", "_get_best_trial_id", "_get_trials", "_set_trial_param",
    "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr",
)  # fmt: skip
"""Methods of `RDBStorage` that Optuna calls and that may be repeated after a lost connection."""


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage that a study reads through; it remembers the trials that were created or read through it."""
    return study._storage


class FilteredStudy(optuna.Study):
    """A study with only some of its trials, for samplers and pruners; Optuna's Hyperband does the same.

    It shares the state of the study, including the trials that Optuna caches during a draw.

    Args:
        study: The whole study.
        visible: Whether the trial with this number is shown.
    """

    def __init__(self, study: optuna.Study, visible: Callable[[int], bool]) -> None:
        # Not the constructor of the base class, which reads the database.
        self.__dict__.update(study.__dict__, _visible=visible)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        visible = object.__getattribute__(self, "_visible")
        return [trial for trial in super()._get_trials(deepcopy, states, use_cache) if visible(trial.number)]

    def __getattribute__(self, name: str) -> Any:
        if name not in READABLE and not name.startswith("__"):
            raise AttributeError(f"{name} of a study with hidden trials cannot be read")
        return super().__getattribute__(name)
