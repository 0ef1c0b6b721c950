"""When a worker has grown so much that a fresh process should take its place."""

import psutil

RECYCLE_GROWTH = 512 * 2**20
"""Bytes. TensorFlow keeps a little of each model, and a fresh worker takes seconds to start."""
LIMIT_PARTS = 8
"""A worker may grow by this part of a memory limit: what a trial may use must not depend on those before it."""


class Growth:
    """How much this process has grown since its first trial, or since the first one after `forget`. A first trial
    brings what stays: the arrays of the data, and TensorFlow's own. `limit`: bytes it may hold; None is no limit."""

    def __init__(self, limit: int | None) -> None:
        self._most = RECYCLE_GROWTH if limit is None else min(RECYCLE_GROWTH, limit // LIMIT_PARTS)
        self._trials = self._first = 0

    def forget(self) -> None:
        """What comes next needs data of its own."""
        self._trials = 0

    def count_trial(self) -> None:
        """Called after each trial."""
        self._trials += 1

    def is_too_large(self) -> bool:
        """Called before each trial."""
        size = int(psutil.Process().memory_info().rss)
        if self._trials < 2:
            self._first = size
        return size - self._first > self._most
