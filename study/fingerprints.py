"""Whether a resumed study is the one that was started: a hash each of its data, spaces and objective."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from study.config import StudyConfig
from study.errors import StudyError, one_line
from study.hyperparameters import TrialHyperParameters


def declared(name: str, hypermodel: Any) -> TrialHyperParameters:
    """What a space declares while its defaults are built.

    Raises:
        StudyError: they cannot be built.
    """
    import keras

    hp = TrialHyperParameters()
    try:
        hypermodel.declare_hyperparameters(hp)
        hypermodel.build(hp)
    except Exception as error:  # whatever a user's build raises
        raise StudyError(f"the search space {name!r} cannot build its defaults: {one_line(error)}") from error
    policy = keras.config.dtype_policy()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(policy)  # which the session was
    return hp


def of_study(
    config: StudyConfig, data: Mapping[str, str], spaces: Mapping[str, TrialHyperParameters]
) -> dict[str, Any]:
    """JSON: `data` (arrays and cut, by their parts), `spaces` (what each has `declared`), `objective`, and `details`,
    which tell what differs when a hash does."""
    declarations = {name: _described(hp) for name, hp in spaces.items()}
    return {
        "data": _hash(data),
        "spaces": {name: _hash(hyperparameters) for name, hyperparameters in declarations.items()},
        "objective": config.objective,
        "details": {"data": dict(data), "spaces": declarations},
    }


def check(stored: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse to go on with other data or another space: its trials could not be compared.

    Raises:
        StudyError: saying what is not as it was.
    """
    then, now = stored.get("details", {}), found["details"]
    if stored["data"] != found["data"]:
        differing = _differences(then.get("data", {}), now["data"])
        raise StudyError(
            f"the data are not those that the study was started with ({differing}); nothing was changed; restore them "
            "or start another study for these"
        )
    for name, fingerprint in stored["spaces"].items():
        if found["spaces"].get(name) != fingerprint:
            differing = _differences(then.get("spaces", {}).get(name, {}), now["spaces"].get(name, {}))
            raise StudyError(
                f"the search space {name} is not the one that the study was started with ({differing}); nothing was "
                "changed; restore it or start another study"
            )


def _described(hp: TrialHyperParameters) -> dict[str, dict[str, Any]]:
    """The configuration of each hyperparameter, by its name and conditions."""
    described = {}
    for each in hp.space:
        config = {key: value for key, value in each.get_config().items() if key not in ("name", "conditions")}
        conditions = "".join(f" if {condition.name} in {condition.values}" for condition in each.conditions)
        described[f"{each.name}{conditions}"] = {"kind": type(each).__name__, **config}
    return json.loads(json.dumps(described, default=str))  # type: ignore[no-any-return]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], shown: int = 3) -> str:
    """What two mappings do not have in common, in words."""
    found = []
    for name in {**then, **now}:
        was, is_now = then.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            found += [f"{name}: {text}" for text in filter(None, [_differences(was, is_now)])]
        elif was != is_now:
            found.append(f"{name} {_said(was)} then, {_said(is_now)} now")
    more = [f"and {len(found) - shown} more"] if len(found) > shown else []
    return ", ".join(found[:shown] + more) or ("their order" if list(then) != list(now) else "")


def _said(value: Any) -> str:
    return "absent" if value is None else "declared" if isinstance(value, dict) else str(value)
