"""The hyperparameters that a space declares."""

import json
from collections.abc import Callable
from typing import Any

import keras

from study.errors import Overdue, StudyError, one_line
from study.search.hyperparameters import TrialHyperParameters
from study.system.keras_settings import settings_kept
from study.system.signals import contained
from study.system.time_limit import TimeLimit


def declared(
    name: str,
    hypermodel: Any,
    on_built: Callable[[Any], None] = lambda model: None,
    limit: TimeLimit | None = None,
) -> TrialHyperParameters:
    """What a space declares while its defaults are built.

    Args:
        name: What messages call the space.
        hypermodel: The space.
        on_built: Called with the model of its defaults.
        limit: How long they may take to be built.

    Raises:
        StudyError: they cannot be built.
    """
    hp = TrialHyperParameters()
    with settings_kept():
        try:
            with contained(), limit or TimeLimit():
                hypermodel.declare_hyperparameters(hp)
                model = hypermodel.build(hp)
        except (Exception, Overdue) as error:  # a user's build may raise anything
            raise StudyError(f"the search space {name!r} cannot build its defaults: {one_line(error)}") from error
        on_built(model)
        keras.backend.clear_session()
    return hp


def described(hp: TrialHyperParameters) -> dict[str, dict[str, Any]]:
    """The configuration of each hyperparameter as JSON, by its name and conditions."""
    found = {}
    for each in hp.space:
        config = {key: value for key, value in each.get_config().items() if key not in ("name", "conditions")}
        conditions = "".join(f" if {condition.name} in {condition.values}" for condition in each.conditions)
        found[f"{each.name}{conditions}"] = {"kind": type(each).__name__, **config}
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]
