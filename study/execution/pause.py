"""How long to wait before looking again at what other processes do."""

import time


class Pause:
    """A tenth of the time waited so far, within bounds (seconds): many who wait must not keep the storage busy."""

    def __init__(self, least: float = 0.2, most: float = 2.0) -> None:
        self._least, self._most = least, most
        self._began = time.monotonic()

    def seconds(self) -> float:
        """The next pause."""
        return min(max(self._least, (time.monotonic() - self._began) / 10), self._most)
