"""Ctrl-C, SIGTERM and a closed terminal: the first signal ends the epoch, a second one ends the process at once. What a
user's code raises to end the process is none of them."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from study.errors import Ended, Interrupted, Overdue

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that ask a process to stop."""


@dataclass
class Interruption:
    """Whether this process was asked to stop."""

    asked: Callable[[str], None]
    """Called at the first signal with a line for the user."""
    at_once: Callable[[], None] | None
    """Called at each further signal; what it raises ends the process. None ignores further signals."""
    requested: bool = False

    def check(self) -> None:
        """Raise `Interrupted` if the process was asked to stop."""
        if self.requested:
            raise Interrupted

    @contextmanager
    def listening(self, signals: tuple[int, ...] = STOPPING) -> Iterator[None]:
        """Handle the signals while the block runs. One that was ignored before stays ignored, as `nohup` intends."""
        main = threading.current_thread() is threading.main_thread()  # Python delivers signals to no other
        heard = [number for number in signals if main and signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if not self.requested:
            self.requested = True
            self.asked("interrupted: finishing this epoch (interrupt again to stop at once)")
        elif self.at_once is not None:
            self.at_once()


def raise_interrupted() -> None:
    """What a process that trains by itself does at the second signal."""
    raise Interrupted


@contextmanager
def contained() -> Iterator[None]:
    """Around a user's code: where it calls `sys.exit` or raises KeyboardInterrupt, that ends what it was called for, as
    any exception does, and not the study.

    Raises:
        Ended: it did.
    """
    try:
        yield
    except (Exception, Interrupted, Overdue):
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and _may_be_interrupted():
            raise
        raise Ended from error


def _may_be_interrupted() -> bool:
    """Whether somebody who presses Ctrl-C raises KeyboardInterrupt here: nobody listens to the signals."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
