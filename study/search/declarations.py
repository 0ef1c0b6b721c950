"""The hyperparameters that a space declares."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        with _refused(name), limit or TimeLimit():
            hypermodel.declare_hyperparameters(hp)
            model = hypermodel.build(hp)
        on_built(model)
        keras.backend.clear_session()
    return hp


def explored(name: str, hypermodel: Any) -> TrialHyperParameters:
    """What a space declares in every branch: it is built again with the values that a conditional scope needs, until
    each scope was active once, as KerasTuner does.

    Raises:
        StudyError: it cannot be built.
    """
    hp = declared(name, hypermodel)
    active, waiting = list(hp.active_scopes), [each for each in hp.inactive_scopes if each not in hp.active_scopes]
    while waiting:
        conditions = waiting.pop(0)
        branch = TrialHyperParameters.with_values(
            {each.name: each.default for each in hp.space} | {each.name: each.values[0] for each in conditions}
        )
        with settings_kept(), _refused(name):
            hypermodel.declare_hyperparameters(branch)
            hypermodel.build(branch)
        keras.backend.clear_session()
        hp.merge(branch.space, overwrite=False)
        active += branch.active_scopes
        waiting += [each for each in branch.inactive_scopes if each not in active and each not in waiting]
        waiting = [each for each in waiting if each not in active]
    return hp


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Around a user's build."""
    try:
        with contained():
            yield
    except StudyError:  # which says in a line what is wrong
        raise
    except (Exception, Overdue) as error:  # a user's build may raise anything
        raise StudyError(f"the search space {name!r} cannot build its defaults: {one_line(error)}") from error


def described(hp: TrialHyperParameters) -> dict[str, dict[str, Any]]:
    """The configuration of each hyperparameter as JSON, by its name and conditions."""
    found = {}
    for each in hp.space:
        config = {key: value for key, value in each.get_config().items() if key not in ("name", "conditions")}
        conditions = "".join(f" if {condition.name} in {condition.values}" for condition in each.conditions)
        found[f"{each.name}{conditions}"] = {"kind": type(each).__name__, **config}
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]
