"""What a study shows while it runs: events, and the displays that they are shown on."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from study.config import UNLIMITED
from study.errors import printable
from study.system.streams import discard


class Stage(NamedTuple):
    """What is done before the first trial; a terminal says it until then."""

    text: str


class PhaseStarted(NamedTuple):
    """A search or the finals begin; `done` of the `total` items were finished earlier, `best` is the best of them."""

    name: str
    done: int
    total: int
    best: str = ""
    share: float | None = None
    """Of the time that all are expected to take, what the finished ones are; None where it is not known."""


class TrialStarted(NamedTuple):
    """A worker begins a trial or a final of a phase, which trains for at most `epochs` epochs."""

    name: str
    epochs: int
    phase: str
    worker: int = 0


class EpochEnded(NamedTuple):
    """A worker finished an epoch of it."""

    epoch: int
    note: str
    worker: int = 0


class TrialEnded(NamedTuple):
    """A trial or a final ended; `line` says what came of it, `best` what the best so far is."""

    phase: str
    line: str
    done: int
    total: int
    best: str = ""
    share: float | None = None
    """As that of `PhaseStarted`."""


class Line(NamedTuple):
    """A line of its own; a warning is shown to those who asked for quiet, too. Of those of a kind only the first is."""

    text: str
    is_warning: bool = False
    kind: str = ""


Event = Stage | PhaseStarted | TrialStarted | EpochEnded | TrialEnded | Line


class Display(ABC):
    """Shows events. It only shows them: no decision is made by what a display was given."""

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show an event."""

    def refresh(self) -> None:  # noqa: B027
        """Called a few times per second; a display on which nothing moves has nothing to do."""

    def say(self, text: str) -> None:
        """Show a line."""
        self.show(Line(text))

    def warn(self, text: str) -> None:
        """Show a line also when quiet."""
        self.show(Line(text, is_warning=True))

    def remark(self, kind: str, text: str) -> None:
        """Warn of something that may happen often, once."""
        self.show(Line(text, is_warning=True, kind=kind))


@dataclass(frozen=True)
class RemoteDisplay(Display):
    """Sends the events of a worker, known by its number, to the process that shows them."""

    send: Callable[[Event], None]
    worker: int

    def show(self, event: Event) -> None:
        self.send(event._replace(worker=self.worker) if isinstance(event, (TrialStarted, EpochEnded)) else event)


class LineDisplay(Display):
    """One line per trial, for a file, a pipe or a notebook; warnings only if it is quiet.

    A pipe that nobody reads any more, or a terminal that was closed, ends the output and not the study.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self._quiet = console, quiet
        self._kinds: set[str] = set()

    def show(self, event: Event) -> None:
        if isinstance(event, TrialEnded):
            event = Line(event.line)
        if isinstance(event, Line) and event.kind:
            if event.kind in self._kinds:
                return
            self._kinds.add(event.kind)
        if isinstance(event, Line) and (event.is_warning or not self._quiet):
            self._draw(print_line, self.console, event.text)

    def stop(self) -> None:
        """Show nothing more that moves."""

    def table(self, table: Table) -> None:
        """Print a table, also when quiet."""
        self._draw(self.console.print, table)

    def _draw(self, draw: Callable[..., Any], *what: Any, **options: Any) -> None:
        try:
            draw(*what, **options)
            self.console.file.flush()
        except OSError:
            _discard_output(self.console)


class LiveDisplay(LineDisplay):
    """A terminal: bars for the phases of a study and for what each worker trains, below the lines."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, TextColumn("{task.fields[note]}"), console=console, auto_refresh=False)
        self._phases: dict[str, _Phase] = {}
        self._workers: dict[int, TaskID] = {}
        self._stage: TaskID | None = None
        self._bars.start()

    def stop(self) -> None:
        self._draw(self._bars.stop)

    def show(self, event: Event) -> None:
        match event:
            case Stage(text):
                self._end_stage()
                self._stage = self._bars.add_task(_shown(text), total=None, note="")
            case PhaseStarted(name, done, total, best, share):
                self._end_stage()
                self._bars.update(self._phase(name, done, total, share).bar, note=_shown(best))
            case TrialStarted(name, epochs, phase, worker):
                if phase in self._phases:
                    self._phases[phase].begin()
                if worker in self._workers:
                    self._bars.remove_task(self._workers[worker])
                self._workers[worker] = self._bars.add_task(f"  {_shown(name)}, epoch", total=epochs, note="")
            case EpochEnded(epoch, note, worker) if worker in self._workers:
                self._bars.update(self._workers[worker], completed=epoch, note=_shown(note))
            case TrialEnded(name, _, done, total, best, share):
                found = self._phase(name, done, total, share)
                seconds = found.seconds_left(_share(done, total, share))
                left = f"about {_duration(seconds)} left" if done < total < UNLIMITED else ""
                self._bars.update(found.bar, completed=done, note=_shown("  ".join(filter(None, (best, left)))))
        super().show(event)
        self.refresh()

    def refresh(self) -> None:
        self._draw(self._bars.refresh)

    def _end_stage(self) -> None:
        if self._stage is not None:
            self._bars.remove_task(self._stage)
            self._stage = None

    def _phase(self, name: str, done: int, total: int, share: float | None) -> "_Phase":
        """The phase of that name."""
        if name not in self._phases:
            bar = self._bars.add_task(_shown(name), total=total if total < UNLIMITED else None, completed=done, note="")
            self._phases[name] = _Phase(bar, _share(done, total, share))
        return self._phases[name]


@dataclass
class _Phase:
    """A bar, and the pace at which it fills."""

    bar: TaskID
    before: float
    """The share that was done earlier, at another pace."""
    began: float | None = None
    """When its first trial here began, which is long after the bar was made where other phases come before."""

    def begin(self) -> None:
        if self.began is None:
            self.began = time.monotonic()

    def seconds_left(self, share: float) -> float:
        """By the pace so far."""
        self.begin()
        spent = time.monotonic() - (self.began or 0.0)
        return spent / (share - self.before) * (1 - share) if share > self.before else 0.0


def _share(done: int, total: int, share: float | None) -> float:
    """Where it is not known what the items take, they take the same."""
    return done / total if share is None else share


class LastingConsole(Console):
    """A console that a broken pipe does not end."""

    def on_broken_pipe(self) -> None:
        _discard_output(self)


def print_line(console: Console, text: str) -> None:
    """Print a text as it is, on a line of its own; what the console's encoding lacks is written as an escape."""
    encodable = printable(text).encode(console.encoding, "backslashreplace").decode(console.encoding)
    console.print(encodable, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def display(*, quiet: bool = False) -> Iterator[LineDisplay]:
    """The display that suits where this process prints to, until the block ends."""
    console = LastingConsole()
    shown = LiveDisplay(console) if console.is_terminal and not quiet else LineDisplay(console, quiet=quiet)
    try:
        yield shown
    finally:
        shown.stop()


def _discard_output(console: Console) -> None:
    """Nobody reads it any more."""
    with contextlib.suppress(OSError):  # a notebook's output is no file
        discard(console.file.fileno())


def _shown(text: str) -> str:
    """A text beside a bar."""
    return escape(printable(text))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
