"""What a run shows: a live display on a terminal, a line a trial elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Display:
    """Shows the phases of a study (a space's search, the finals), their items (trials, finals) and epochs.

    Args:
        console: Where to; a live display where it is a terminal.
        quiet: Show nothing but warnings.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._live: Progress | None = None
        self._items: TaskID | None = None
        self._epochs: TaskID | None = None
        self._began = time.monotonic()
        self._finished = 0

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self._quiet:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def phase(self, name: str, done: int, total: int) -> None:
        """A search or the finals begin, `done` of `total` items finished earlier."""
        self._began, self._finished = time.monotonic(), 0
        if self._live is not None:
            for task in self._live.task_ids:
                self._live.remove_task(task)
            self._items = self._live.add_task(escape(name), total=total, completed=done, note="")
            self._epochs = self._live.add_task("epoch", total=None, note="", visible=False)

    def item(self, name: str, epochs: int) -> None:
        """A trial or final begins, which trains up to so many epochs."""
        if self._live is not None and self._epochs is not None:
            self._live.reset(self._epochs, total=epochs, description=f"  {escape(name)}, epoch", visible=True, note="")

    def epoch(self, note: str) -> None:
        """An epoch ended."""
        if self._live is not None and self._epochs is not None:
            self._live.update(self._epochs, advance=1, note=escape(note))

    def finished(self, line: str, left: int, best: str = "") -> None:
        """A trial or final ended and so many are left; `best` says the best so far."""
        self._finished += 1
        if self._live is not None and self._items is not None:
            remaining = (time.monotonic() - self._began) / self._finished * left
            parts = (best, f"about {_duration(remaining)} left" if left else "")
            self._live.update(self._items, advance=1, note=escape("  ".join(filter(None, parts))))
        self.say(line)

    def say(self, line: str) -> None:
        """A line of its own."""
        if not self._quiet:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def warn(self, line: str) -> None:
        """A line that is shown also when quiet."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
