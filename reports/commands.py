"""The commands that a page prints, and the words for a study that no command can start: it was given Python objects.

A command is a whole text, or the end of one after a colon.
"""

import json
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from study.config import ARRAYS, DATA, DATA_OPTIONS, DURATIONS, SPACES, Definition, Resources, flag
from study.objective import KNOWN, Objective
from study.paths import HOME, whole
from study.records import Value
from study.storage.address import Address

IMPORTABLE = re.compile(r"(?!__main__:)(?:[^\W\d]\w*\.)*[^\W\d]\w*:[^\W\d]\w*")
"""The other names that `--space` takes."""
NO_OPTIONS = ("name", "callbacks", "settings", "manual_dir", "data_dir")
"""Fields that are no options of the command: an argument, Python objects, a tuner's own, and folders of one machine."""


def objects(definition: Definition) -> list[str]:
    """What the study was given as Python objects, in words; commands can start and resume a study that has none."""
    data = ["the data"] if definition.dataset in (ARRAYS, DATA) else []
    spaces = [f"the space {space}" for space in definition.spaces if not _is_named(space)]
    return [*data, *spaces, *(f"the callback {name}" for name in definition.callbacks)]


def start(definition: Definition, resources: Resources) -> str:
    """The command that starts such a study, or why none can.

    It leaves out the defaults, but names the number of workers, whose default depends on the machine.
    """
    if given := objects(definition):
        return f"Started from Python with objects that no command can give: {', '.join(given)}."
    words = ["study", "run", definition.name]
    for part in (definition, resources):
        for field in fields(part):
            value = getattr(part, field.name)
            if field.name not in NO_OPTIONS and (value != field.default or field.name == "workers"):
                words += _option(field.name, value)
    return shlex.join(words)


def place(address: Address) -> list[str]:
    """The options that say where a study is kept; none for the default place."""
    home = [] if address.home == whole(HOME) else ["--home", str(address.home)]
    return home if address.is_default else [*home, "--storage", address.shown]


def resume(definition: Definition, address: Address, **budget: int | None) -> str:
    """What continues the study: a command, or a call in Python. `budget` is a larger one, as far as it is given."""
    given = {name: value for name, value in budget.items() if value is not None}
    if definition.dataset == ARRAYS:
        return "tuner.search(...) in Python" + (f", with max_trials={given['trials']}" if "trials" in given else "")
    if objects(definition):
        more = "".join(f", {name}={value}" for name, value in given.items())
        return f"study.resume({definition.name!r}, ...{more}) in Python, with the same objects"
    options = [word for name, value in given.items() for word in (flag(name), str(value))]
    return shlex.join(["study", "resume", definition.name, *options, *place(address)])


def report(definition: Definition, address: Address) -> str:
    """The command that writes the page."""
    return shlex.join(["study", "report", definition.name, *place(address)])


def status(definition: Definition, address: Address) -> str:
    """The command that says how far the study is."""
    return shlex.join(["study", "status", definition.name, *place(address)])


def train(
    definition: Definition, space: str, values: Mapping[str, Value], epochs: int, stop_after: int | None, seed: int
) -> str | None:
    """The command that trains a configuration on training + validation images, `stop_after` of the epochs that `fit` is
    asked for; None where only Python can."""
    if definition.dataset in (ARRAYS, DATA) or not _is_named(space):
        return None
    words: dict[str, Any] = {
        "--space": space, "--dataset": definition.dataset, "--values": json.dumps(values),
        "--epochs": epochs, "--seed": seed,
    }  # fmt: skip
    if stop_after is not None and stop_after < epochs:
        words["--stop-after"] = stop_after
    if definition.pruner != "none":
        words["--pruner"] = definition.pruner
    more = [
        word
        for option in (*DATA_OPTIONS, "split_seed", "precision", "pixels", "class_weights")
        if getattr(definition, option) != getattr(Definition, option)
        for word in _option(option, getattr(definition, option))
    ]
    return shlex.join(["study", "train", *(str(word) for pair in words.items() for word in pair), *more])


def _is_named(space: str) -> bool:
    return space in SPACES or IMPORTABLE.fullmatch(space) is not None


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, Objective):
        direction = [] if value.name in KNOWN else ["--direction", value.direction]
        return ["--objective", value.name, *direction]
    if name == "spaces":
        return [word for space in value for word in ("--space", space)]
    if value is True:
        return [flag(name)]
    if name in DURATIONS:  # whole seconds on the command line
        value = math.ceil(value)
    return [flag(name), str(value).removesuffix(".0") if isinstance(value, float) else str(value)]
