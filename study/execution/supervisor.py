"""The supervisor of worker processes. It trains nothing and imports neither Keras nor TensorFlow.

A worker that dies is replaced, and its trial is taken up; one that has grown too large is replaced between two trials.
"""

import contextlib
import math
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import joblib

from study.errors import Interrupted, StudyError, StudyFailure
from study.execution.giving_up import give_up
from study.execution.messages import Claimed, Farewell, Goodbye, Limited, Message, Ready, Refused, Shown
from study.execution.task import Role, Task
from study.execution.workers import POLL_SECONDS, UNGUARDED, joining, live, send
from study.storage import claims
from study.storage.store import Store, StoredStudy
from study.system import temporary
from study.system.machine import GPUS, gpus
from study.system.processes import Process
from study.system.progress import Display
from study.system.signals import STOPPING, Interruption

MOST_DEATHS_AT_START = 20
"""Workers in a row that may die before they claim a trial; then something is wrong with the machine, not with one."""

GRACE_SECONDS = 3.0
"""How much longer than it may a user's code is let go on: the worker ends it itself where it can."""


@dataclass
class _Worker:
    """A worker process as its supervisor sees it."""

    index: int
    process: SpawnProcess
    pipe: Connection
    identity: Process
    first: bool
    scratch: Path
    """Its folder for temporary files."""
    is_ready: bool = False
    claimed: bool = False
    farewell: Farewell | None = None
    """Its last message; None where it died without one."""
    due: float = math.inf
    """When it is ended unless it is heard of before (`time.monotonic`)."""
    why: str = ""
    """What is said of it then."""
    is_overdue: bool = False
    """Whether it was ended so."""


class Supervisor:
    """Starts the workers of a task, shows what they do, replaces those that die or have grown, passes on signals.

    `on_ready` is called when the first worker has prepared everything, with the time when the session began.
    """

    def __init__(
        self, task: Task, role: Role, display: Display, on_ready: Callable[[float], None] = lambda began: None
    ) -> None:
        self._task = task
        self._role = replace(role, supervisor=Process.current())
        self._display = display
        self._on_ready = on_ready
        self._interruption = Interruption(display.warn, at_once=self._end_at_once)
        self._workers: list[_Worker] = []
        self._stopping = False
        self._killed = self._abandoned = False
        self._failure: StudyError | None = None
        self._deaths_at_start = 0
        self._study: StoredStudy | None = None

    def run(self) -> None:
        """Work until nothing is left.

        Raises:
            Interrupted: by a signal; what was under way continues with a resume.
            StudyError: what cannot be used, or what stopped the study.
        """
        with self._interruption.listening():
            try:
                for index in range(self._task.workers):
                    self._start(index, first=index == 0 and self._role.first)
                while self._workers:
                    self._listen()
                    if self._interruption.requested:
                        self._stop()
                stopped = self._stopping
            finally:
                self._kill()
                while self._workers:
                    self._end(self._workers[0])
        if self._failure is not None:
            raise self._failure
        if stopped:
            raise Interrupted

    def _start(self, index: int, first: bool) -> None:
        if self._stopping:
            return
        task, role = self._task, replace(self._role, first=first)
        if task.steps.create and self._stored() is not None:
            task = replace(task, steps=replace(task.steps, create=False))  # the one before it died right after
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        scratch = temporary.create()
        process = context.Process(target=live, args=(pickle.dumps(task), role, index, theirs, scratch))
        with _share_of_machine(self._task.workers, index), temporary.used(scratch), _signals_held_back():
            process.start()
        theirs.close()
        assert process.pid is not None
        self._workers.append(_Worker(index, process, ours, Process.of(process.pid), first, scratch))
        if self._stopping:  # since a moment ago
            process.kill()
        if not first and self._role.began is not None:
            send(ours, Ready(self._role.began))

    def _listen(self) -> None:
        """Hear what the workers say, and see to those that have ended."""
        connection.wait([worker.pipe for worker in self._workers], timeout=POLL_SECONDS)
        for worker in list(self._workers):
            # Asked first: what it said before it ended is still heard. Its children may hold its pipe open.
            ended = worker.process.exitcode is not None
            with contextlib.suppress(EOFError, OSError):
                while worker.pipe.poll():
                    self._hear(worker, worker.pipe.recv())
            if ended:
                self._end(worker)
            elif time.monotonic() > worker.due:
                worker.is_overdue = True
                worker.process.kill()
        self._display.refresh()

    def _hear(self, worker: _Worker, message: Message) -> None:
        match message:
            case Shown(event):
                self._display.show(event)
            case Claimed():
                worker.claimed = True
                self._deaths_at_start = 0
            case Limited(left, why):
                worker.due = math.inf if left is None else time.monotonic() + left + GRACE_SECONDS
                worker.why = why
            case Ready(began):
                worker.is_ready = True
                if self._role.began is None:
                    self._begin(worker, began)
            case _:
                worker.farewell = message

    def _begin(self, first: _Worker, began: float) -> None:
        """The study is stored: workers that start from now on join it."""
        self._task, self._role = joining(self._task, self._role, began)
        study = self._stored()
        assert study is not None
        if study.store.presence is not None:
            study.store.presence.show()
        for other in self._workers:
            if other is not first:
                send(other.pipe, Ready(began))
        self._on_ready(began)

    def _end(self, worker: _Worker) -> None:
        """See to a worker that has ended."""
        worker.process.join()
        temporary.remove(worker.scratch)
        worker.pipe.close()
        self._workers.remove(worker)
        # What ends while all are stopped has not died of what it trained.
        how = _how(worker.process.exitcode) if worker.farewell is None and not self._stopping else None
        self._release(worker, how)
        match worker.farewell:
            case Goodbye.FINISHED:
                return
            case Refused(text, exit_code, details):
                if details:
                    self._display.warn(details.rstrip())
                self._fail(StudyError(text) if exit_code == StudyError.exit_code else StudyFailure(text))
            case Goodbye.STOPPED if not (self._stopping or self._interruption.requested):
                how = "stopped by SIGTERM"  # by somebody else
        if worker.process.exitcode == UNGUARDED:
            self._fail(
                StudyError(
                    "each worker process imports this script, which starts the study again; put what starts it under "
                    "'if __name__ == \"__main__\":', or give workers=0"
                )
            )
        elif worker.is_overdue:
            if not worker.is_ready:
                self._fail(StudyError(worker.why))
        elif how is not None and not self._stopping:
            self._display.warn(f"a worker was {how}; another takes its place")
            self._count_death(worker, how)
        self._start(worker.index, worker.first)

    def _count_death(self, worker: _Worker, how: str) -> None:
        if not worker.claimed:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MOST_DEATHS_AT_START:
                self._fail(
                    StudyFailure(f"{self._deaths_at_start} workers in a row were {how} before they trained anything")
                )

    def _release(self, worker: _Worker, how: str | None) -> None:
        """Let others take up what it trained; give up a trial in which too many workers have died."""
        if not worker.is_ready or self._abandoned:
            return
        study = self._stored()
        assert study is not None

        def release() -> None:
            for part in study.definition.parts:
                name = study.definition.study_name(part)
                if worker.is_overdue:
                    for trial in claims.owned_by(study.store, name, worker.identity):
                        give_up(study, part, trial, worker.why, self._display.warn)
                for trial in claims.release(study.store, name, worker.identity, how):
                    deaths = claims.deaths_in(trial.owner)
                    why = f"{len(deaths)} workers died in it: {', '.join(deaths)}"
                    give_up(study, part, trial, why, self._display.warn)

        study.exclusively(release)

    def _stored(self) -> StoredStudy | None:
        """The study, once it is stored as it is defined."""
        if self._study is None:
            known = self._role.began is not None
            store = Store.open(self._task.address, wait_for_server=known, say=self._display.warn)
            found = store.studies().get(self._task.definition.name) if store is not None else None
            if found is not None and (not self._task.steps.create or found.definition == self._task.definition):
                self._study = found
        return self._study

    def _fail(self, error: StudyError) -> None:
        self._failure = self._failure or error
        self._stop()

    def _stop(self) -> None:
        """Let every worker end its epoch; one that has not begun has nothing to end."""
        if self._stopping:
            return
        self._stopping = True
        for worker in self._workers:
            if worker.is_ready:
                worker.process.terminate()
            else:
                worker.process.kill()

    def _end_at_once(self) -> None:
        """The second signal kills the workers; the third one also ends a wait for the lock or the database."""
        if self._killed:
            self._abandoned = True
            raise Interrupted
        self._killed = True
        self._kill()

    def _kill(self) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.process.kill()


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"ended by exit code {exitcode}"


@contextlib.contextmanager
def _share_of_machine(workers: int, index: int) -> Iterator[None]:
    """The environment in which a worker, one of so many, uses its share of the cores, one of several GPUs, and no more
    of that GPU's memory than it needs."""
    share = str(max(1, joblib.cpu_count() // workers))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    wanted = (dict.fromkeys(names, share) if workers > 1 else {}) | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    before = {name: os.environ.get(name) for name in (*wanted, GPUS)}
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})
    if workers > 1 and len(found := gpus()) > 1:
        os.environ[GPUS] = found[index % len(found)]
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Until a process that is being started can deal with them: it inherits that they wait."""
    resource_tracker.ensure_running()  # which would let them through
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
