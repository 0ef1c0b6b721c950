"""The first signal ends an epoch, the second one the process."""

import signal
import threading

import pytest

from study.errors import Interrupted
from study.system.signals import STOPPING, Interruption, raise_interrupted


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_asks_and_the_second_ends(number: int) -> None:
    lines: list[str] = []
    interruption = Interruption(lines.append, at_once=raise_interrupted)
    before = signal.getsignal(number)
    with interruption.listening():
        interruption.check()
        signal.raise_signal(number)
        assert len(lines) == 1
        with pytest.raises(Interrupted):
            interruption.check()
        with pytest.raises(Interrupted):
            signal.raise_signal(number)
    assert len(lines) == 1
    assert signal.getsignal(number) == before


def test_further_signals_can_be_ignored() -> None:
    lines: list[str] = []
    interruption = Interruption(lines.append, at_once=None)
    with interruption.listening((signal.SIGTERM,)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert (interruption.requested, len(lines)) == (True, 1)


def test_an_ignored_signal_stays_ignored() -> None:
    interruption = Interruption(print, at_once=raise_interrupted)
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruption.listening():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert not interruption.requested


def test_another_thread_runs_without_handlers() -> None:
    handlers = []

    def work() -> None:
        with Interruption(print, at_once=None).listening():
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
