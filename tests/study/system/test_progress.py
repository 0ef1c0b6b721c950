"""What a terminal shows while a study runs."""

import io

import pytest
from rich.console import Console

from study.system import progress
from study.system.progress import LiveDisplay, PhaseStarted, Stage, TrialEnded, TrialStarted


@pytest.fixture
def terminal() -> LiveDisplay:
    """A display on a terminal that a text stands for."""
    return LiveDisplay(Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None))


def drawn(display: LiveDisplay) -> str:
    """What is on the terminal now: what was drawn last."""
    file = display.console.file
    assert isinstance(file, io.StringIO)
    file.seek(0)
    file.truncate()
    display.refresh()
    return file.getvalue()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_the_stages_of_loading_are_said_until_the_first_phase(terminal: LiveDisplay) -> None:
    for text in ("loading TensorFlow", "reading digits"):
        terminal.show(Stage(text))
        assert text in drawn(terminal)
    assert "loading" not in drawn(terminal)
    terminal.show(PhaseStarted("dense", 4, 10, "best 0.9000"))
    seen = drawn(terminal)
    assert "reading" not in seen
    assert "best 0.9000" in seen  # of the run before
    assert "4/10" in seen


@pytest.mark.parametrize("done, seconds, left", [(5, 30, "2 min 30 s"), (7, 90, "1 min 30 s")])
def test_the_time_left_is_by_the_pace_of_the_phase_itself(
    terminal: LiveDisplay, clock: list[float], done: int, seconds: float, left: str
) -> None:
    """From its first trial here, and not counting what was done in an earlier run."""
    terminal.show(PhaseStarted("cnn", 4, 10))
    clock[0] = 5000  # another space was searched meanwhile
    terminal.show(TrialStarted("cnn trial 4", 8, "cnn"))
    clock[0] += seconds
    terminal.show(TrialEnded("cnn", "cnn  trial 4", done, 10, "best 0.9100"))
    assert f"best 0.9100  about {left} left" in drawn(terminal)


def test_what_takes_longer_counts_for_more(terminal: LiveDisplay, clock: list[float]) -> None:
    """The finals of a small model, which come before those of a large one, are a tenth of the work."""
    terminal.show(PhaseStarted("finals", 0, 4, share=0.0))
    terminal.show(TrialStarted("dense tuned, seed 0", 8, "finals"))
    clock[0] += 10
    terminal.show(TrialEnded("finals", "final  dense tuned, seed 0", 1, 4, share=0.1))
    assert "about 1 min 30 s left" in drawn(terminal)
    assert "1/4" in drawn(terminal)
