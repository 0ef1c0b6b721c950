"""What tests read of a study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from study import results
from study import storage as storage_room
from study.config import StudyConfig

Command = Callable[..., tuple[int, str, str]]
"""Runs a command: exit code, standard output, standard error."""


def study_table(home: Path, name: str) -> dict[str, list[Any]]:
    """What must be the same for the same study: numbers, parameters, states, values, intermediate values and real
    values of every trial of each space."""
    storage, config = storage_room.open_study(storage_room.storage_url(home, None), name)
    return {
        space: [
            (
                trial.number,
                trial.state.name,
                trial.value,
                trial.params,
                trial.intermediate_values,
                kept.values if (kept := results.record(trial)) else None,
            )
            for trial in results.trials(storage, config, space)
        ]
        for space in config.spaces
    }


def stored_config(home: Path, name: str) -> StudyConfig:
    """The definition of a study as it is stored."""
    return storage_room.open_study(storage_room.storage_url(home, None), name)[1]
