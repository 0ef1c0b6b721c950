"""The hyperparameters that a space declares."""

import json
from typing import Any

import keras

from study.errors import StudyError, one_line
from study.search.hyperparameters import TrialHyperParameters


def declared(name: str, hypermodel: Any) -> TrialHyperParameters:
    """What a space declares while its defaults are built.

    Raises:
        StudyError: they cannot be built.
    """
    hp = TrialHyperParameters()
    try:
        hypermodel.declare_hyperparameters(hp)
        hypermodel.build(hp)
    except Exception as error:  # a user's build may raise anything
        raise StudyError(f"the search space {name!r} cannot build its defaults: {one_line(error)}") from error
    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(policy)  # clearing the session resets it
    return hp


def described(hp: TrialHyperParameters) -> dict[str, dict[str, Any]]:
    """The configuration of each hyperparameter as JSON, by its name and conditions."""
    found = {}
    for each in hp.space:
        config = {key: value for key, value in each.get_config().items() if key not in ("name", "conditions")}
        conditions = "".join(f" if {condition.name} in {condition.values}" for condition in each.conditions)
        found[f"{each.name}{conditions}"] = {"kind": type(each).__name__, **config}
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]
