"""A training under way as one file: all that is needed to go on from its last finished epoch, to the bit.

The file is a NumPy archive, whose parts carry checksums: one that is cut off or altered is recognised. It is copied
from the model first and written beside the training, so that an epoch costs little more than the copy.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.errors import one_line
from study.files import inside, is_local, remove, write_whole

STATE = "state"
"""The archive's part that is JSON; the others are arrays by their number."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after one of its epochs."""

    variables: list[NDArray[Any]]
    """Weights, optimiser and the state of every random generator."""
    state: dict[str, Any]
    """JSON values and arrays, nested: callbacks, history, where the training stands."""


@dataclass
class CheckpointFile:
    """The checkpoint of one trial or final.

    Args:
        file: Where.
        owner_key: Says whose training it is; a file of another's is not used.
        warn: Told in a line when a checkpoint cannot be used or written; the training goes on all the same.
        check: Called before one is written; what it raises ends the training.
    """

    file: Path
    owner_key: str
    warn: Callable[[str], None]
    check: Callable[[], None] = lambda: None
    _writing: Thread | None = field(default=None, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _warned: bool = field(default=False, init=False)

    def read(self) -> Checkpoint | None:
        """What was written last; None where there is nothing that can be used."""
        try:
            with self.file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            stored = json.loads(arrays.pop(STATE).tobytes())
            if stored["owner_key"] != self.owner_key:
                self.refuse("it is of another training")
                return None
            variables = [arrays[str(index)] for index in range(stored["variables"])]
            return Checkpoint(variables, _unpacked(stored["state"], arrays))
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a damaged archive makes its reader raise
            self.refuse(one_line(error, 120))
            return None

    def write(self, checkpoint: Checkpoint) -> None:
        """Write one, beside whatever comes next; the one before it is complete when this returns.

        Its arrays must be copies: nothing may change them any more.
        """
        self.wait()
        self.check()
        self._writing = Thread(target=self._write, args=(checkpoint,))
        self._writing.start()

    def wait(self) -> None:
        """Until the last one is on the disk; warns, once, where it cannot be brought there."""
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
        """The training has ended."""
        self.wait()
        drafts = self.file.parent.glob(f"draft-*-{self.file.name}") if is_local(self.file) else ()
        try:
            for file in (self.file, *drafts):
                remove(file)
        except OSError as error:  # a resume sweeps it
            self.warn(f"the checkpoint {self.file} cannot be deleted ({error.strerror})")

    def _write(self, checkpoint: Checkpoint) -> None:
        arrays = {str(index): array for index, array in enumerate(checkpoint.variables)}
        state = {
            "owner_key": self.owner_key,
            "variables": len(checkpoint.variables),
            "state": _packed(checkpoint.state, arrays),
        }
        arrays[STATE] = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)

        def save(draft: Path) -> None:
            with draft.open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]

        try:
            write_whole(self.file, save)
        except Exception as error:  # the training goes on whatever it is
            self._failure = error

    def refuse(self, why: str) -> None:
        """Say that what was read is not used."""
        self.warn(f"the checkpoint {self.file} cannot be used ({why}); its training starts again from epoch 0")


def packable(value: Any) -> bool:
    """Whether a checkpoint's state can hold the value and give back an equal one."""
    if isinstance(value, list):
        return all(map(packable, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and key != "array" and packable(each) for key, each in value.items())
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.bool_))


def sweep(folder: Path, kept: set[str]) -> None:
    """Delete what dead processes left: checkpoints whose names are not among the kept ones, and their drafts."""
    for file in inside(folder):
        if re.sub(r"^draft-\w+-\d+-", "", file.name) not in kept:
            remove(file)


def _packed(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """JSON values; arrays go to `arrays` and leave their number."""
    if isinstance(value, np.ndarray):
        arrays[str(len(arrays))] = value
        return {"array": str(len(arrays) - 1)}
    if isinstance(value, (np.number, np.bool_)):
        return value.item()
    if isinstance(value, dict):
        return {key: _packed(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_packed(each, arrays) for each in value]
    return value


def _unpacked(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"array"}:
            return arrays[value["array"]]
        return {key: _unpacked(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_unpacked(each, arrays) for each in value]
    return value
