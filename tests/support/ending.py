"""Search spaces whose code ends or confuses the process that runs it, by its hyperparameter `kind`."""

import os
import sys
from typing import Any

import keras
import keras_tuner
import tiny

import study


class Unreadable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def end(kind: str) -> None:
    """Do what a kind means; `good` is nothing."""
    match kind:
        case "text":
            sys.exit("no data here")
        case "number":
            sys.exit(3)
        case "nothing":
            sys.exit()
        case "interrupt":
            raise KeyboardInterrupt
        case "generator":
            raise GeneratorExit("closed")
        case "unreadable":
            raise Unreadable
        case "escapes":
            raise ValueError("\x1b[31mred\x1b[0m \udcff \u202e")
        case "prints":
            sys.stdout.write("é ✓ \udcff " * 500)
        case "at once":
            os._exit(3)


KINDS = ["good", "prints", "escapes", "text", "number", "nothing", "interrupt", "generator", "unreadable"]
ERRORS = {
    "text": "SystemExit: no data here",
    "number": "SystemExit: 3",
    "nothing": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit: closed",
    "unreadable": "Unreadable: (it has no text that can be read)",
    "escapes": r"ValueError: \x1b[31mred\x1b[0m \udcff \u202e",
}
"""What is stored of a trial of each kind that fails."""
EXPECTED: dict[str, tuple[str, str | None]] = {
    kind: ("fail", ERRORS[kind]) if kind in ERRORS else ("complete", None) for kind in KINDS
}
"""State and error of each kind's trial."""


def kinds(name: str) -> dict[str, tuple[str, str | None]]:
    """State and error of each kind's trial in a study."""
    table = study.load(name).trials
    rows = zip(table["hp.kind"], table["state"], table["error"], strict=True)
    return {kind: (state, error if isinstance(error, str) else None) for kind, state, error in rows}


def build(hp: Any) -> keras.Model:
    """Ends while the model is built."""
    end(hp.Choice("kind", KINDS))
    return tiny.compiled()


class Fitted(keras_tuner.HyperModel):
    """Ends while the model is trained."""

    def build(self, hp: Any) -> keras.Model:
        return tiny.compiled()

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        end(hp.Choice("kind", KINDS))
        return model.fit(*args, **kwargs)


def ends_at_once(hp: Any) -> keras.Model:
    """Ends its process, past everything that Python does at an end."""
    end(hp.Choice("kind", ["good", "at once"]))
    return tiny.compiled()


def defaults(hp: Any) -> keras.Model:
    """Cannot build its defaults."""
    sys.exit("usage: spaces.py FILE")
