"""Ctrl-C, SIGTERM and a closed terminal: the end of the epoch first, the end at once when asked again."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from study.errors import Interrupted

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Whether this process was asked to stop.

    Args:
        asked: Called at the first signal with a line for the user.
        at_once: Called at each further one; what it raises ends the process. None: they change nothing.
    """

    def __init__(self, asked: Callable[[str], None], at_once: Callable[[], None] | None) -> None:
        self.requested = False
        self._asked = asked
        self._at_once = at_once

    def check(self) -> None:
        """Raises `Interrupted` once it was asked for."""
        if self.requested:
            raise Interrupted

    @contextmanager
    def listening(self, signals: tuple[int, ...] = STOPPING) -> Iterator[None]:
        """Take the signals while the block runs. One that was ignored stays so: that is what `nohup` is for.

        Python hears them in its main thread alone: in another one the block runs without."""
        main = threading.current_thread() is threading.main_thread()
        heard = [number for number in signals if main and signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            self._asked("interrupted: ending this epoch (once more ends at once)")
        elif self._at_once is not None:
            self._at_once()


def raise_interrupted() -> None:
    """What a process that trains by itself does at the second signal."""
    raise Interrupted
