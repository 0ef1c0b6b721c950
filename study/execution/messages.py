"""What a supervisor and its workers tell each other."""

from enum import Enum
from typing import NamedTuple

from study.system.progress import Event


class Ready(NamedTuple):
    """The worker has prepared everything, and the study is stored; or, from the supervisor: join it."""

    began: float
    """When the session began to search, seconds since 1970."""


class Claimed(NamedTuple):
    """The worker has claimed a trial or a final."""


class Limited(NamedTuple):
    """The worker calls a user's code, which may take so long; or it has come back from it."""

    left: float | None
    """Seconds; None where nothing is limited."""
    why: str
    """What it is ended for after that."""


class Shown(NamedTuple):
    """Something to be shown."""

    event: Event


class Goodbye(Enum):
    """Why a worker has ended in good order."""

    FINISHED = "nothing is left to train"
    RECYCLE = "it has grown too large: another one is to take its place"
    STOPPED = "it was asked to stop"


class Refused(NamedTuple):
    """The study cannot continue; or, with a traceback, the worker met an error that nobody foresaw."""

    text: str
    exit_code: int
    traceback: str = ""


Farewell = Goodbye | Refused
"""The last message of a worker."""
Message = Ready | Claimed | Limited | Shown | Farewell
