"""A worker: it claims trials and trains them until nothing is left. In the command's own process, or in one of its
own."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from study.data import cache
from study.errors import Interrupted, StudyError, StudyFailure, one_line
from study.execution.messages import Farewell, Goodbye, Message, Ready, Refused, Shown
from study.execution.session import Recycled, Session
from study.execution.task import Role, Task
from study.storage import queries, results
from study.storage.failures import FAILURES, failure
from study.system import environment, packages, streams, temporary
from study.system.progress import Display, PhaseStarted, RemoteDisplay
from study.system.signals import STOPPING, Interruption, contained, raise_interrupted
from study.system.time_limit import can_interrupt

POLL_SECONDS = 0.5
UNGUARDED = 70
"""The exit code of a worker whose script starts the study again when the worker imports it."""


def work_here(task: Task, display: Display) -> None:
    """Work on a task in this process.

    Raises:
        Interrupted: by a signal; what was under way continues with a resume.
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept.
    """
    if task.resources.trial_timeout is not None and not can_interrupt():
        display.warn("--trial-timeout is checked only between epochs here, outside the main thread; give --workers 1")
    interruption = Interruption(display.warn, at_once=raise_interrupted)
    with interruption.listening(), temporary.own(), cache.releasing():
        environment.import_tensorflow()  # before anything imports Keras, which would do it noisily
        from study.execution.preparation import prepare

        work(prepare(task, Role(), display, interruption))


def work(session: Session) -> None:
    """Search, confirm the winners, and make the finals."""
    from study.execution import confirmation, finals, search

    steps = session.task.steps
    for space in session.definition.spaces:
        finished, best = results.finished(session.study, space), _best(session, space)
        session.display.show(PhaseStarted(space, finished, session.definition.trials, best))
    if steps.search:
        search.search(session)
    if steps.finals:
        confirmation.confirm(session)
        finals.evaluate(session)


def _best(session: Session, space: str) -> str:
    """The best of an earlier run, in words; empty where there is none."""
    name, direction = session.definition.study_name(space), session.definition.objective.direction
    found = queries.best(session.study.store, name, direction)
    return "" if found is None else f"best {found[1]:.4f}"


def live(packed: bytes, role: Role, index: int, pipe: Connection, scratch: Path) -> None:
    """The life of the worker process of that number: prepare, wait for the word, work until nothing is left.

    Args:
        packed: The task, pickled; it may contain what cannot be imported here.
        role: What the worker is among the others.
        index: Its number.
        pipe: To its supervisor.
        scratch: Its folder for temporary files, which the supervisor removes.
    """
    streams.last()
    packages.claim()
    for number in set(STOPPING) - {signal.SIGTERM}:  # a terminal sends them to every process; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow_supervisor, args=(scratch,), daemon=True).start()
    interruption = Interruption(lambda line: None, at_once=None)
    with interruption.listening((signal.SIGTERM,)):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        farewell = _farewell(packed, role, index, pipe, interruption)
    send(pipe, farewell)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # nothing is open that would need the interpreter's or TensorFlow's shutdown


def send(pipe: Connection, message: Message) -> None:
    """Send a message, if somebody is still there to hear it."""
    with contextlib.suppress(OSError):
        pipe.send(message)


def _farewell(packed: bytes, role: Role, index: int, pipe: Connection, interruption: Interruption) -> Farewell:
    """Work; the last message."""
    try:
        with contained():
            _work(_unpacked(packed), role, index, pipe, interruption)
    except Interrupted:
        return Goodbye.STOPPED
    except Recycled:
        return Goodbye.RECYCLE
    except StudyError as error:
        return Refused(str(error), error.exit_code)
    except FAILURES as error:
        return Refused(str(failure(error)), StudyFailure.exit_code)
    except Exception as error:
        text = f"a worker failed: {one_line(error)}; what is finished is kept"
        return Refused(text, StudyFailure.exit_code, traceback.format_exc())
    return Goodbye.FINISHED


def _unpacked(packed: bytes) -> Task:
    try:
        task: Task = pickle.loads(packed)
    except Exception as error:  # whatever their modules raise
        raise StudyError(
            f"a worker process cannot import what was given as an object ({one_line(error, 300)}); define it at the "
            "top of a module, or give workers=0"
        ) from error
    return task


def _work(task: Task, role: Role, index: int, pipe: Connection, interruption: Interruption) -> None:
    _limit_memory(task.resources.memory_limit)
    environment.import_tensorflow()
    interruption.check()
    if not role.first:  # the first one creates the study and caches the data
        while not pipe.poll(POLL_SECONDS):
            interruption.check()
        task, role = joining(task, role, pipe.recv().began)
    from study.execution.preparation import prepare

    display = RemoteDisplay(lambda event: send(pipe, Shown(event)), index)
    session = prepare(task, role, display, interruption, partial(send, pipe))
    send(pipe, Ready(session.began))
    work(session)


def joining(task: Task, role: Role, began: float) -> tuple[Task, Role]:
    """Task and role of a worker that comes after the study was created, in a session that began then."""
    return replace(task, steps=replace(task.steps, create=False)), replace(role, began=began)


def _limit_memory(limit: int | None) -> None:
    """A trial that needs more raises, and so it is that trial that fails, and not this machine."""
    if limit is not None:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _follow_supervisor(scratch: Path) -> None:
    """A worker whose supervisor was killed ends too, and removes its temporary files itself; its trial is taken up by a
    resume."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    temporary.remove(scratch)
    os._exit(1)
