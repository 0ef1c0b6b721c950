"""Whether a resumed study is the one that was started: hashes of its data and its spaces, and its objective.

A space is what its defaults declare and build. What other configurations build is compared when one is built again
(`unchanged`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from study.config import Definition
from study.errors import SpaceChanged, StudyError
from study.search.declarations import described
from study.training.description import Part, shorthand
from study.training.difference import difference, first_of


def of_study(
    definition: Definition,
    data: Mapping[str, str],
    spaces: Mapping[str, Any],
    models: Mapping[str, Sequence[Part]],
) -> dict[str, Any]:
    """JSON: hashes of `data` and of each of `spaces` and `models`, the `objective`, and `details`, which tell what
    differs when a hash does.

    Args:
        definition: Of the study.
        data: Shape, type and hash of every array, by name.
        spaces: The HyperParameters that each space declares while its defaults are built.
        models: The description of the model that this gives.
    """
    declarations = {name: described(hp) for name, hp in spaces.items()}
    return {
        "data": _hash(data),
        "spaces": {name: _hash(hyperparameters) for name, hyperparameters in declarations.items()},
        "models": {name: shorthand(found) for name, found in models.items()},
        "objective": {"name": definition.objective.name, "direction": definition.objective.direction},
        "details": {"data": dict(data), "spaces": declarations, "models": {name: [*models[name]] for name in models}},
    }


def check(
    stored: Mapping[str, Any], found: Mapping[str, Any], is_repeatable: Callable[[str], bool] = lambda space: True
) -> None:
    """Refuse to continue with other data, another space or another objective: trials could not be compared.

    Args:
        stored: The fingerprint that the study was started with.
        found: The one that it has now.
        is_repeatable: Whether the defaults of a space are built alike each time; otherwise they are not compared.

    Raises:
        StudyError: saying what differs.
    """
    then, now = stored.get("details", {}), found["details"]
    if stored["objective"] != found["objective"]:
        raise StudyError(
            "the objective is not the one that the study was started with "
            f"({_differences(stored['objective'], found['objective'])}); nothing was changed; start another study for "
            "this one"
        )
    if stored["data"] != found["data"]:
        differing = _differences(then.get("data", {}), now["data"])
        raise StudyError(
            f"the data are not those that the study was started with ({differing}); nothing was changed; restore them "
            "or start another study for these"
        )
    for name, fingerprint in stored["spaces"].items():
        if found["spaces"].get(name) != fingerprint:
            differing = _differences(then.get("spaces", {}).get(name, {}), now["spaces"].get(name, {}))
            raise changed(name, differing)
    models, kept = now["models"], then.get("models", {})
    for name, before in stored.get("models", {}).items():  # studies of earlier versions have none
        differing = difference(before, models.get(name, []), kept.get(name))
        if differing and is_repeatable(name):
            raise changed(name, differing)


def changed(space: str, differing: str, kept: str = "nothing was changed") -> SpaceChanged:
    """The error for a space that is another now, with what differs, and what has become of the study."""
    return SpaceChanged(
        f"the search space {space} is not the one that the study was started with ({differing}); {kept}; restore it or "
        "start another study"
    )


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What two mappings do not have in common, in words."""
    found = []
    for name in {**then, **now}:
        was, is_now = then.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            found += [f"{name}: {text}" for text in filter(None, [_differences(was, is_now)])]
        elif was != is_now:
            found.append(f"{name} {_in_words(was)} then, {_in_words(is_now)} now")
    return first_of(found) or ("their order" if list(then) != list(now) else "")


def _in_words(value: Any) -> str:
    return "absent" if value is None else "declared" if isinstance(value, dict) else str(value)
