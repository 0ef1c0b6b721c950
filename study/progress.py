"""What a run shows: a live display on a terminal, a line a trial elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table


class Display:
    """Shows the phases of a study (a space's search, the finals), and the epochs of what each worker trains.

    A terminal that is closed, or a pipe that nobody reads any more, ends the showing and not the study.

    Args:
        console: Where to; a live display where it is a terminal.
        quiet: Show nothing but warnings.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._live: Progress | None = None
        self._phases: dict[str, tuple[TaskID, float, int]] = {}
        self._workers: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self._quiet:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
                auto_refresh=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._showing(self._live.stop)
            self._live = None

    def phase(self, name: str, done: int, total: int) -> None:
        """A search or the finals begin, `done` of `total` items finished earlier."""
        if self._live is not None and name not in self._phases:
            task = self._live.add_task(escape(name), total=total, completed=done, note="")
            self._phases[name] = task, time.monotonic(), done
            self.refresh()

    def item(self, name: str, epochs: int, worker: int = 0) -> None:
        """A worker begins a trial or final, which trains up to so many epochs."""
        if self._live is not None:
            if worker in self._workers:
                self._live.remove_task(self._workers[worker])
            description = f"  {escape(name)}, epoch"
            self._workers[worker] = self._live.add_task(description, total=epochs, note="")
            self.refresh()

    def epoch(self, epoch: int, note: str, worker: int = 0) -> None:
        """A worker finished an epoch."""
        if self._live is not None and worker in self._workers:
            self._live.update(self._workers[worker], completed=epoch, note=escape(note))
            self.refresh()

    def finished(self, phase: str, line: str, *, done: int, total: int, best: str = "") -> None:
        """A trial or final ended, and with it `done` of `total`; `best` says the best so far."""
        self.phase(phase, done, total)
        if self._live is not None:
            task, began, done_before = self._phases[phase]
            remaining = (time.monotonic() - began) / max(done - done_before, 1) * (total - done)
            parts = (best, f"about {_duration(remaining)} left" if done < total else "")
            self._live.update(task, completed=done, note=escape("  ".join(filter(None, parts))))
        self.say(line)

    def say(self, line: str) -> None:
        """A line of its own."""
        if not self._quiet:
            self.warn(line)

    def warn(self, line: str) -> None:
        """A line that is shown also when quiet."""
        self._showing(lambda: self.console.print(line, markup=False, highlight=False, soft_wrap=True))

    def show(self, table: Table) -> None:
        """A table that is shown also when quiet."""
        self._showing(lambda: self.console.print(table))

    def refresh(self) -> None:
        """Draw the live display anew."""
        if self._live is not None:
            self._showing(self._live.refresh)

    def _showing(self, draw: Callable[[], Any]) -> None:
        try:
            draw()
            self.console.file.flush()
        except OSError:
            _look_away()


class LastingConsole(Console):
    """A console that a broken pipe does not end."""

    def on_broken_pipe(self) -> None:
        _look_away()


def _look_away() -> None:
    """Nobody looks any more: what is printed from now on goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class RemoteDisplay(Display):
    """A display whose calls are shown by another process.

    Args:
        send: Takes the name of a method of `Display`, its arguments and its options to that process.
        worker: The number of this one.
    """

    def __init__(self, send: Callable[[str, tuple[Any, ...], dict[str, Any]], None], worker: int) -> None:
        self._send = send
        self._worker = worker

    def phase(self, name: str, done: int, total: int) -> None:
        self._tell("phase", name, done, total)

    def item(self, name: str, epochs: int, worker: int = 0) -> None:
        self._tell("item", name, epochs, worker=self._worker)

    def epoch(self, epoch: int, note: str, worker: int = 0) -> None:
        self._tell("epoch", epoch, note, worker=self._worker)

    def finished(self, phase: str, line: str, *, done: int, total: int, best: str = "") -> None:
        self._tell("finished", phase, line, done=done, total=total, best=best)

    def say(self, line: str) -> None:
        self._tell("say", line)

    def warn(self, line: str) -> None:
        self._tell("warn", line)

    def refresh(self) -> None:
        """The other process does."""

    def _tell(self, call: str, *arguments: Any, **options: Any) -> None:
        self._send(call, arguments, options)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
