"""`--watch`: a view of studies that is renewed while they run."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.storage.store import StoredStudy

LOOK_SECONDS = 2.0
"""Between two looks."""
QUIET_SECONDS = 10.0
"""After so long without anything being trained, it is over: between two trials nothing is, for a moment."""


def changes(studies: Sequence["StoredStudy"]) -> Iterator[list[dict[str, Any]]]:
    """How far the studies are (`results.progress`), at first and whenever that has changed, until nobody trains them.
    How much room they take does not count as a change."""
    from study.storage import results

    before, trained = None, time.monotonic()
    while True:
        now = [results.progress(study) for study in studies]
        if any(map(results.is_trained, studies)):
            trained = time.monotonic()
        if (known := [state | {"bytes": 0} for state in now]) != before:
            before = known
            yield now
        if time.monotonic() - trained >= QUIET_SECONDS:
            return
        time.sleep(LOOK_SECONDS)
