"""How long a user's code may take."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from study.errors import Overdue
from study.system.time_limit import TimeLimit


@pytest.fixture(autouse=True)
def _alarms_are_left_as_they_were() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_no_limit_lets_everything_be() -> None:
    with TimeLimit():
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_time_is_that_of_all_parts() -> None:
    limit = TimeLimit(0.3, "too long")
    limit.phase = "in build"
    with limit:
        pass
    time.sleep(0.4)  # between its parts it does not run
    with limit, limit.held():
        time.sleep(0.4)
    limit.phase = "in epoch 1"
    with pytest.raises(Overdue, match=r"^too long \(in epoch 1\)$"), limit:
        time.sleep(3600)
    with pytest.raises(Overdue), limit:
        raise AssertionError("it was up")


def test_what_is_caught_comes_again() -> None:
    caught = 0
    with pytest.raises(Overdue), TimeLimit(0.1, "too long"):
        with suppress(Overdue):
            try:
                time.sleep(3600)
            finally:
                caught += 1
        time.sleep(3600)
    assert caught == 1


def test_the_studys_own_work_is_not_interrupted() -> None:
    limit, done = TimeLimit(0.1, "too long"), False
    with pytest.raises(Overdue, match="too long"), limit:
        with limit.held():
            time.sleep(0.3)
            done = True
        time.sleep(3600)
    assert done


def test_an_error_in_the_studys_own_work_is_that_error() -> None:
    limit = TimeLimit(0.1, "too long")
    with pytest.raises(KeyError), limit, limit.held():
        time.sleep(0.2)
        raise KeyError


@pytest.mark.parametrize("counts, left", [(True, 2.0), (False, 10.0)])
def test_what_an_earlier_process_spent(counts: bool, left: float) -> None:
    told: list[float | None] = []
    limit = TimeLimit(10.0, earlier_counts=counts, tell=lambda left, why: told.append(left))
    limit.spent_earlier(8.0)
    with limit:
        pass
    assert told == [pytest.approx(left, abs=0.5), None]


def test_outside_the_main_thread_it_is_noticed_afterwards() -> None:
    raised: list[str] = []

    def work() -> None:
        try:
            with TimeLimit(0.1, "too long"):
                time.sleep(0.3)
        except Overdue as error:
            raised.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == ["too long"]


@pytest.mark.parametrize(("due", "left"), [(0.6, 0.4), (0.1, 0.0)])
def test_an_alarm_of_somebody_else_goes_on(due: float, left: float) -> None:
    """One that falls due meanwhile rings afterwards."""
    rung: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, due)
    try:
        with TimeLimit(100.0):
            time.sleep(0.2)
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= left
        deadline = time.monotonic() + 10
        while not rung and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(rung) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_it_never_rings_where_it_is_stopped() -> None:
    """Wherever the signal comes in: the block ends with the error or without it, and then nothing rings any more."""
    for _ in range(300):
        limit = TimeLimit(2e-5 + 1e-7, "too long")
        with suppress(Overdue), limit:
            pass
        assert limit._since is None
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0
    assert math.isfinite(limit._left)
