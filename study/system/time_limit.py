"""How long a user's code may take. In the main thread a signal ends whatever it does in Python, `time.sleep` and locks
included. A call into C that never returns can only be ended from outside, with its process."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from study.errors import Overdue

AGAIN_SECONDS = 1.0
"""Between two signals: the code may have caught what the first one raised."""


def can_interrupt() -> bool:
    """Whether code in this thread can be ended: only the main thread hears signals, and Windows has none for this."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class TimeLimit:
    """The time that one training may take, all of its parts together. It runs while the object is entered, but for what
    is done `held`, which is the study's own work. Where nothing can be interrupted it is looked at between them.

    Args:
        seconds: None is no limit.
        why: What is said of a training that takes longer, before its phase.
        earlier_counts: Whether what earlier processes spent on the training counts.
        tell: Called with the seconds that are left, and with what to say after them, when the time begins to run, and
            with None when it stops.
    """

    def __init__(
        self,
        seconds: float | None = None,
        why: str = "",
        earlier_counts: bool = True,
        tell: Callable[[float | None, str], None] = lambda left, why: None,
    ) -> None:
        self.phase = ""
        """Where the training is, such as `in build`; said at the end."""
        self._left = math.inf if seconds is None else seconds
        self._why, self._earlier_counts, self._tell = why, earlier_counts, tell
        self._since: float | None = None
        self._before: tuple[Any, tuple[float, float]] | None = None

    def spent_earlier(self, seconds: float) -> None:
        """Called when the training continues what an earlier process began."""
        if self._earlier_counts:
            self._left -= seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that does not count, and is not interrupted.

        Raises:
            Overdue: at its end, where the time is up.
        """
        ran = self.stop()
        yield
        if ran:
            self.start()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.stop()
        if kind is None:
            self._check()

    def start(self) -> None:
        """Let the time run.

        Raises:
            Overdue: it is up.
        """
        self._check()
        if self._left == math.inf:
            return
        self._tell(self._left, self._text())
        self._since = time.monotonic()
        if can_interrupt():
            handler = signal.signal(signal.SIGALRM, self._ring)
            self._before = handler, signal.setitimer(signal.ITIMER_REAL, self._left, AGAIN_SECONDS)

    def stop(self) -> bool:
        """Stop the time; whether it ran."""
        if self._since is None:
            return False
        took, self._since = time.monotonic() - self._since, None
        self._left -= took
        if self._before is not None:  # somebody else's alarm, perhaps
            (handler, (due, again)), self._before = self._before, None
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
            if due:  # only now: one that is overdue rings at once
                signal.setitimer(signal.ITIMER_REAL, max(due - took, 1e-6), again)
        self._tell(None, "")
        return True

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """Not while the time is being stopped: it would ring on in the study's own work."""
        within = frame is not None and frame.f_globals is globals()
        if self._since is not None and not within:
            raise Overdue(self._text())

    def _check(self) -> None:
        if self._left <= 0:
            raise Overdue(self._text())

    def _text(self) -> str:
        return f"{self._why} ({self.phase})" if self.phase else self._why
