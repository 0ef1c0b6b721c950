"""The standard streams of our own processes. They last as long as the process, even when nobody reads them."""

import contextlib
import errno
import io
import os
import sys

UNREAD = (errno.EPIPE, errno.EIO)
"""Nobody reads a pipe any more, or its terminal was closed."""


class LastingStream(io.TextIOWrapper):
    """A stream that writes what its encoding lacks as an escape, and discards what nobody takes any more."""

    failure: OSError | None = None
    """Why something was lost that somebody wanted to read: a full disk, for example."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        if error.errno not in UNREAD:
            self.failure = self.failure or error
        discard(self.fileno())


def last() -> None:
    """Let the standard streams of this process last. A program calls it once, at its start."""
    open_missing()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before the process began
            stream = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
        if isinstance(stream, io.TextIOWrapper):
            encoding, by_line, through = stream.encoding, stream.line_buffering, stream.write_through
            lasting = LastingStream(
                stream.detach(), encoding, "backslashreplace", line_buffering=by_line, write_through=through
            )
            setattr(sys, name, lasting)
            setattr(sys, f"__{name}__", lasting)


def open_missing() -> None:
    """Open the standard file descriptors that are closed: what is opened next would get their numbers, and with them
    what others print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one


def discard(descriptor: int) -> None:
    """Let what is written to a file descriptor from now on go nowhere."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def lost() -> OSError | None:
    """Why something of what this process has printed was lost; None where nothing was, or nobody wanted it."""
    if isinstance(sys.stdout, LastingStream):
        sys.stdout.flush()
        return sys.stdout.failure
    return None
