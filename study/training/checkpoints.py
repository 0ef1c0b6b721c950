"""A training under way as one file: all that is needed to continue after its last finished epoch, bit for bit.
It is a NumPy archive, whose parts carry checksums: a truncated or altered file is recognised. Its content is copied
from the model first and written while the training continues, so that it costs little more than the copy."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.errors import one_line
from study.system.files import inside, is_local, remove, write_whole

STATE = "state"
"""The part of the archive that is JSON; all others are arrays, named by their number."""


class Checkpoint(NamedTuple):
    """A training after one of its epochs."""

    variables: list[NDArray[Any]]
    """Weights, optimizer and the state of every random generator."""
    state: dict[str, Any]
    """JSON values and arrays, nested: callbacks, history, the number of the epoch."""


@dataclass
class CheckpointFile:
    """The checkpoint of one trial or final.

    Args:
        file: Where it is stored.
        owner_key: Identifies the training; a checkpoint of another one is not used.
        warn: Called with one line if a checkpoint cannot be used or written; the training continues regardless.
        check: Called before a checkpoint is written; whatever it raises ends the training.
    """

    file: Path
    owner_key: str
    warn: Callable[[str], None]
    check: Callable[[], None] = lambda: None
    _writing: Thread | None = field(default=None, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _warned: bool = field(default=False, init=False)

    def read(self) -> Checkpoint | None:
        """The last checkpoint that was written; None if there is none that can be used."""
        try:
            with self.file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            stored = json.loads(arrays.pop(STATE).tobytes(), object_hook=partial(_unpacked, arrays))
            if stored["owner_key"] == self.owner_key:
                return Checkpoint([arrays[str(index)] for index in range(stored["variables"])], stored["state"])
            self.refuse("it is of another training")
        except FileNotFoundError:
            pass
        except Exception as error:  # whatever NumPy raises for a damaged archive
            self.refuse(one_line(error, 120))
        return None

    def refuse(self, why: str) -> None:
        """Warn that the checkpoint that was read is not used."""
        self.warn(f"the checkpoint {self.file} cannot be used ({why}); its training starts again from epoch 0")

    def write(self, checkpoint: Checkpoint) -> None:
        """Begin to write a checkpoint in a thread of its own; when this returns, the previous one is complete.
        Its arrays must not change any more."""
        self.wait()
        self.check()
        self._writing = Thread(target=self._write, args=(checkpoint,))
        self._writing.start()

    def wait(self) -> None:
        """Wait until the last checkpoint is on the disk; warn, once, if it cannot be written."""
        if self._writing is None:
            return
        self._writing.join()
        self._writing = None
        if self._failure is not None and not self._warned:
            self._warned = True
            why = getattr(self._failure, "strerror", None) or one_line(self._failure)
            self.warn(
                f"the checkpoint {self.file} cannot be written ({why}); the training goes on, but a kill would cost "
                "its epochs since the last checkpoint; make room for it"
            )

    def remove(self) -> None:
        """Delete the checkpoint of a training that has ended."""
        self.wait()
        drafts = self.file.parent.glob(f"draft-*-{self.file.name}") if is_local(self.file) else ()
        try:
            for file in (self.file, *drafts):
                remove(file)
        except OSError as error:  # a resume deletes it
            self.warn(f"the checkpoint {self.file} cannot be deleted ({error.strerror})")

    def _write(self, checkpoint: Checkpoint) -> None:
        variables, state = checkpoint
        arrays = {str(index): array for index, array in enumerate(variables)}
        stored = {"owner_key": self.owner_key, "variables": len(variables), "state": state}
        content = json.dumps(stored, default=partial(_packed, arrays))
        arrays[STATE] = np.frombuffer(content.encode(), dtype=np.uint8)
        try:
            write_whole(self.file, lambda draft: np.savez(draft, **arrays))  # type: ignore[arg-type]
        except Exception as error:  # the training continues whatever it is
            self._failure = error


def packable(value: Any) -> bool:
    """Whether a checkpoint's state can hold the value and return an equal one when it is read."""
    if isinstance(value, list):
        return all(map(packable, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and key != "array" and packable(each) for key, each in value.items())
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_))


def sweep(folder: Path, kept: set[str]) -> None:
    """Delete what dead processes left: checkpoints, and drafts of them, whose names are not among the kept ones."""
    for file in inside(folder):
        if re.sub(r"^draft-\w+-\d+-", "", file.name) not in kept:
            remove(file)


def _packed(arrays: dict[str, NDArray[Any]], value: Any) -> Any:
    """What JSON cannot hold: a number of NumPy's as Python's, an array as its number among `arrays`."""
    if not isinstance(value, np.ndarray):
        return value.item()
    arrays[number := str(len(arrays))] = value
    return {"array": number}


def _unpacked(arrays: dict[str, NDArray[Any]], value: dict[str, Any]) -> Any:
    return arrays[value["array"]] if value.keys() == {"array"} else value
