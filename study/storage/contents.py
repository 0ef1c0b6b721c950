"""Which studies the Optuna studies of a database make up, and what other tools have taken away from them."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from study.config import ARRAYS, CONFIRMATION, FINALS, Definition, Resources
from study.errors import StudyError
from study.objective import Direction

PLANNED = (CONFIRMATION, FINALS)
"""Parts that can be made again from the searches."""


class Entry(NamedTuple):
    """An Optuna study of a database."""

    name: str
    config: Any
    """Its user attribute `CONFIG`; None where it has none."""
    has_trials: bool


class Configured(NamedTuple):
    """What is stored of a study, whether all of it is there or not."""

    definition: Definition
    resources: Resources
    names: list[str]
    """The Optuna studies that were created for it, as they are called now."""


@dataclass(frozen=True)
class Contents:
    """What a database has."""

    entries: Sequence[Entry]
    """In the order in which they were created."""

    def studies(self) -> dict[str, Configured]:
        """The studies by name. Other people's Optuna studies are passed over, and so is what is left of a creation that
        was interrupted: the config of the finals is written last, and nothing is trained before."""
        found: dict[str, Configured] = {}
        for entry in self.entries:
            with suppress(KeyError, TypeError, AttributeError, StudyError):  # somebody else's attribute of that name
                definition = Definition.from_json(entry.config["definition"])
                resources = Resources.from_json(entry.config["resources"])
                names = found[definition.name].names if definition.name in found else []
                if not names or entry.name == definition.study_name(FINALS):
                    found[definition.name] = Configured(definition, resources, names)
                names.append(entry.name)
        begun = {entry.name for entry in self.entries if entry.has_trials}
        return {
            name: study for name, study in found.items()
            if study.definition.study_name(FINALS) in study.names or begun.intersection(study.names)
        }  # fmt: skip

    def has_older(self, name: str) -> bool:
        """Whether a study of that name was stored before what a study is and what it runs on were told apart."""
        configs = [entry.config for entry in self.entries if isinstance(entry.config, dict)]
        return any({"spaces", "name"} <= config.keys() and config["name"] == name for config in configs)

    def losses(self, url: str) -> dict[str, str]:
        """What was deleted or renamed of studies, in a line with what to do about it, by study.

        Args:
            url: Of the database, as it may be shown.
        """
        names = {entry.name for entry in self.entries}
        found = {}
        for name, study in self.studies().items():
            # An Optuna study that somebody else has created under the name of a search does not replace it.
            there = {part: study.definition.study_name(part) in (names if part in PLANNED else study.names)
                     for part in study.definition.parts}  # fmt: skip
            if missing := [part for part in there if not there[part]]:
                found[name] = _loss(study, missing, url)
        return found


def direction_of(definition: Definition, part: str) -> Direction:
    """Which way the values of a part's trials are better."""
    tests_accuracy = part == FINALS and definition.dataset != ARRAYS
    return "maximize" if tests_accuracy else definition.objective.direction


def _loss(study: Configured, missing: list[str], url: str) -> str:
    definition = study.definition
    lost = [definition.study_name(part) for part in missing]
    renamed = [name for name in study.names if name not in map(definition.study_name, definition.parts)]
    if renamed:
        advice = f"{' and '.join(map(repr, renamed))} may be it: rename it back"
    elif {*missing} <= {*PLANNED}:
        words = ["optuna", "create-study", "--storage", url, "--study-name"]
        commands = [
            shlex.join([*words, name, "--direction", direction_of(definition, part)])
            for name, part in zip(lost, missing, strict=True)
        ]
        advice = f"after {' and '.join(map(repr, commands))}, 'study resume {definition.name}' trains it again"
    else:
        advice = "put a copy of the database in its place, or start a study with another NAME"
    return (
        f"the study {definition.name!r} has lost its Optuna study {' and '.join(map(repr, lost))}, which another tool "
        f"deleted or renamed; the rest of it is kept; {advice}"
    )
