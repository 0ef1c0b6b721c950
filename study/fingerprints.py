"""Whether a resumed study is the one that was started: a hash each of its data, spaces and objective."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from study.config import StudyConfig
from study.datasets import Dataset
from study.errors import StudyError, one_line
from study.hyperparameters import TrialHyperParameters


def of_study(config: StudyConfig, dataset: Dataset, hypermodels: Mapping[str, Any]) -> dict[str, Any]:
    """JSON: `data` (arrays and cut), `spaces` (what each declares while its defaults are built), `objective`.

    Raises:
        StudyError: a space whose defaults cannot be built.
    """
    return {
        "data": dataset.fingerprint,
        "spaces": {name: _of_space(name, hypermodel) for name, hypermodel in hypermodels.items()},
        "objective": config.objective,
    }


def check(stored: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse to go on with other data or another space: its trials could not be compared.

    Raises:
        StudyError: saying what is not as it was.
    """
    if stored["data"] != found["data"]:
        raise StudyError("the data are not those that the study was started with; start another study for them")
    for name, fingerprint in stored["spaces"].items():
        if found["spaces"].get(name) != fingerprint:
            raise StudyError(
                f"the search space {name} is not the one that the study was started with; restore it or start "
                "another study"
            )


def _of_space(name: str, hypermodel: Any) -> str:
    import keras

    hp = TrialHyperParameters()
    try:
        hypermodel.declare_hyperparameters(hp)
        hypermodel.build(hp)
    except Exception as error:  # whatever a user's build raises
        raise StudyError(f"the search space {name!r} cannot build its defaults: {one_line(error)}") from error
    keras.backend.clear_session()
    declared = [[type(each).__name__, each.get_config()] for each in hp.space]
    return hashlib.sha256(json.dumps(declared, sort_keys=True, default=str).encode()).hexdigest()
