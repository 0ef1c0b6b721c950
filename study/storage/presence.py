"""Signs of life: whether a process of this machine is alive, whatever container it runs in and however that is called.

A process that trains, or that watches over one which does, locks a byte of a file beside the database. Where the byte
is follows from its identity, so that others know it. The kernel unlocks it when the process ends, however it ends.
These are the locks that SQLite itself uses (POSIX record locks, fcntl(2)).
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from weakref import WeakValueDictionary, finalize

from study.system import rights
from study.system.processes import Process, boot, host

PLACES = 2**62
"""Bytes that may be locked; none of them is ever written."""


def _nothing() -> None:
    """Nothing is open yet; unlike a lambda it can be pickled."""


class Presence:
    """The processes of one machine that share a database.

    A process has one object per file, and one descriptor: to close another one would end its locks.

    Args:
        file: Whose bytes are locked.
        database: The file whose rights it is given; None where the database is no file.
    """

    _known: ClassVar["WeakValueDictionary[Path, Presence]"] = WeakValueDictionary()

    def __init__(self, file: Path, database: Path | None) -> None:
        self._file = file
        self._database = database
        self._descriptor = -1
        self._close: Callable[[], object] = _nothing
        self._shown = False

    @classmethod
    def of(cls, file: Path, database: Path | None) -> "Presence":
        """This process's object for a file."""
        return cls._known.setdefault(file, cls(file, database))

    def show(self) -> None:
        """Let others see that this process is alive, for as long as it is.

        Raises:
            StudyError: the file cannot be written.
        """
        if self._shown:
            return
        try:
            self._open(os.O_RDWR, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise rights.unwritable(self._file, error) from None
        if self._database is not None:
            rights.give_rights_of(self._database, self._file)
        with suppress(OSError):  # a file system without locks: nobody can tell
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _place(boot(), host().namespace, Process.current()))
        self._shown = True

    def shows(self, namespace: str, process: Process) -> bool | None:
        """Whether a process is alive that was started since this machine was; None where that cannot be told.

        Args:
            namespace: Where it has its number (`Host.namespace`).
            process: Not this one, whose lock it would end.
        """
        place = _place(boot(), namespace, process)
        try:
            if self._descriptor < 0:
                self._open(os.O_RDWR, os.O_RDONLY)
        except OSError:  # there is no such file, or it cannot be read
            return None
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            return True if error.errno in (errno.EACCES, errno.EAGAIN) else None
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, place)
        return False

    def _open(self, flags: int, otherwise: int) -> None:
        """Open the file, while nothing of it is locked yet."""
        try:
            descriptor = os.open(self._file, flags)
        except OSError:
            descriptor = os.open(self._file, otherwise, 0o666)
        self._close()
        self._descriptor, self._close = descriptor, finalize(self, os.close, descriptor)


def _place(boot_id: str, namespace: str, process: Process) -> int:
    """The byte of a process, of which no two have the same."""
    identity = f"{boot_id} {namespace} {process.pid} {process.started}"
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") % PLACES
