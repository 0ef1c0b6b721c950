"""Worker processes: each claims trials and trains them; a supervisor that trains nothing watches over them.

The supervisor imports neither Keras nor TensorFlow. A worker that dies is replaced, and what it trained is taken up;
one that has grown too large is replaced between two trials.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import joblib
import psutil
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from study import claims, results
from study import storage as storage_room
from study.config import StudyConfig
from study.errors import Interrupted, StudyError, StudyFailure, one_line
from study.progress import Display, RemoteDisplay
from study.records import ERROR, RECORD, TrialRecord
from study.session import POLL_SECONDS, Recycled, Session, Task, checkpoint_path, prepare
from study.signals import STOPPING, Interruption, raise_interrupted

WORKER_BYTES = 2 * 2**30
"""Memory that a worker may come to need."""
GPUS = "CUDA_VISIBLE_DEVICES"
MOST_FITTING = 16
"""Workers; the more there are, the less each of their trials knows of the others."""
MOST_DEATHS_AT_START = 20
"""Workers in a row that may die before they claim a trial; then something is wrong with the machine, not with one."""

READY, GO, SHOW, DONE, RECYCLE, STOPPED, REFUSED, CRASHED = (
    "ready", "go", "show", "done", "recycle", "stopped", "refused", "crashed",
)  # fmt: skip
"""What supervisor and worker tell each other: a word and its arguments."""


def fitting() -> int:
    """Worker processes that suit this machine: one a core, each with one thread, where there is memory for them.

    Measured on 2 cores (tests/benchmarks/workers.py), trials an hour of one worker with both cores and of two with one
    each: 891 and 1,802 in the `dense` space, 1,578 and 2,440 in `cnn` on a tenth of the images. With GPUs: one each.
    """
    if found := gpus():
        return len(found)
    in_memory = psutil.virtual_memory().available // WORKER_BYTES
    cores: int = joblib.cpu_count(only_physical_cores=True)
    return max(1, min(cores, in_memory, MOST_FITTING))


def gpus() -> list[str]:
    """The GPUs of this machine that may be used, by what CUDA calls them."""
    allowed = os.environ.get(GPUS)
    if allowed is not None:
        return [each.strip() for each in allowed.split(",") if each.strip() not in ("", "-1")]
    devices = [device.name.removeprefix("nvidia") for device in Path("/dev").glob("nvidia[0-9]*")]
    return [str(ordinal) for ordinal in range(sum(map(str.isdecimal, devices)))]


def parse(text: str) -> int:
    """A number of workers, or as many as are `fitting` for `auto`.

    Raises:
        StudyError: anything else.
    """
    if text == "auto":
        return fitting()
    try:
        number = int(text)
    except ValueError:
        raise StudyError(f"--workers is a number or auto; it was given {text!r}") from None
    if number < 0:
        raise StudyError(f"--workers must be at least 0; it was given {number}")
    return number


def run(task: Task, display: Display, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Search and finals of a study, by as many worker processes as the task says, or by this process for 0.

    Args:
        task: What to do.
        display: Where it is shown.
        meanwhile: Called while worker processes, where there are some, import TensorFlow.

    Raises:
        Interrupted: by a signal; what was under way goes on with a resume.
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept.
    """
    if task.workers:
        _Supervisor(task, display).run(meanwhile)
        return
    interruption = Interruption(display.warn, at_once=raise_interrupted)
    with interruption.listening():
        from study import environment

        environment.import_tensorflow()
        _work(prepare(task, display, interruption))


def _work(session: Session) -> None:
    from study import driver, finals

    for space in session.config.spaces:
        progress = results.finished(session.storage, session.config, space)
        session.display.phase(space, progress, session.config.trials)
    if session.task.search:
        driver.search(session)
    if session.task.finals:
        finals.evaluate(session)


def _tell(pipe: Connection, *message: Any) -> None:
    with contextlib.suppress(OSError):  # the supervisor is gone, and this process about to follow
        pipe.send(message)


def _worker(task: Task, index: int, pipe: Connection) -> None:
    """The life of a worker process: prepare, wait for the word, work until nothing is left."""
    for number in set(STOPPING) - {signal.SIGTERM}:  # a terminal sends them to every process; the supervisor decides
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow_supervisor, daemon=True).start()
    display = RemoteDisplay(partial(_tell, pipe, SHOW), index)
    interruption = Interruption(lambda line: None, at_once=None)
    message: tuple[Any, ...] = (STOPPED,)
    with interruption.listening((signal.SIGTERM,)):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        try:
            _live(task, display, interruption, pipe)
            message = (DONE,)
        except Interrupted:
            pass
        except Recycled:
            message = (RECYCLE,)
        except StudyError as error:
            message = REFUSED, str(error), error.exit_code
        except storage_room.FAILURES as error:
            failure = storage_room.failure(error)
            message = REFUSED, str(failure), failure.exit_code
        except Exception as error:
            message = CRASHED, one_line(error), traceback.format_exc()
    _tell(pipe, *message)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # nothing is open that would need TensorFlow's leave-taking


def _live(task: Task, display: Display, interruption: Interruption, pipe: Connection) -> None:
    from study import environment

    _limit_memory(task.config.memory_limit)
    gc.disable()  # what is imported is no garbage, and to look through it costs half a second
    environment.import_tensorflow()
    gc.enable()
    interruption.check()
    if not task.first:  # the first one creates the study and caches the data
        while not pipe.poll(POLL_SECONDS):
            interruption.check()
        task = replace(task, create=False, began=pipe.recv()[1])
    session = prepare(task, display, interruption)
    _tell(pipe, READY, session.began)
    _work(session)


def _limit_memory(limit: int | None) -> None:
    """What needs more raises, and so is that trial's failure, not this machine's."""
    if limit is not None:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _follow_supervisor() -> None:
    """A worker whose supervisor was killed ends too; its trial is taken up by a resume."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@dataclass
class _Worker:
    """A worker process as its supervisor sees it."""

    index: int
    process: SpawnProcess
    pipe: Connection
    identity: claims.Process
    first: bool
    began_work: bool = False
    claimed: bool = False
    last: tuple[Any, ...] | None = None
    """Its last words; None where it died without any."""


class _Supervisor:
    """Starts the workers, shows what they do, replaces those that die or have grown, passes on signals."""

    def __init__(self, task: Task, display: Display) -> None:
        self._task = replace(task, supervisor=claims.Process.current())
        self._display = display
        self._interruption = Interruption(display.warn, at_once=self._end_at_once)
        self._workers: list[_Worker] = []
        self._stopping = False
        self._killed = self._abandoned = False
        self._failure: StudyError | None = None
        self._began = task.began
        self._deaths_at_start = 0
        self._storage: BaseStorage | None = None

    def run(self, meanwhile: Callable[[], None]) -> None:
        count = self._task.workers
        with self._interruption.listening():
            try:
                for index in range(count):
                    self._start(index, first=index == 0 and self._task.first)
                meanwhile()
                while self._workers:
                    self._listen()
                    if self._interruption.requested:
                        self._stop()
                stopped = self._stopping
            finally:
                self._kill()
                self._reap()
        if self._failure is not None:
            raise self._failure
        if stopped:
            raise Interrupted

    def _start(self, index: int, first: bool) -> None:
        if self._stopping:
            return
        task = replace(self._task, first=first, began=self._began)
        if task.create and self._storage_of_study() is not None:
            task = replace(task, create=False)  # the one before it died right after
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_worker, args=(task, index, theirs))
        with _share_of_machine(self._task.workers, index), _signals_held_back():
            process.start()
        theirs.close()
        assert process.pid is not None
        self._workers.append(_Worker(index, process, ours, claims.Process.of(process.pid), first))
        if self._stopping:  # since a moment ago
            process.kill()
        if not first and self._began is not None:
            _tell(ours, GO, self._began)

    def _listen(self) -> None:
        """Show what the workers say, and see to those that have ended."""
        connection.wait([worker.pipe for worker in self._workers], timeout=POLL_SECONDS)
        for worker in list(self._workers):
            # Asked first: what it said before it ended is still heard. Its children may hold its pipe open.
            ended = worker.process.exitcode is not None
            with contextlib.suppress(EOFError, OSError):
                while worker.pipe.poll():
                    self._hear(worker, worker.pipe.recv())
            if ended:
                self._ended(worker)
        self._display.refresh()

    def _hear(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        if message[0] == SHOW:
            _, call, arguments, options = message
            getattr(self._display, call)(*arguments, **options)
            if call == "item":
                worker.claimed = True
                self._deaths_at_start = 0
        elif message[0] == READY:
            worker.began_work = True
            if self._began is None:
                # The study is there: whoever comes now joins it.
                self._began = message[1]
                self._task = replace(self._task, create=False)
                for other in self._workers:
                    if other is not worker:
                        _tell(other.pipe, GO, self._began)
        else:
            worker.last = message

    def _ended(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        # What ends while all are stopped has not died of what it trained.
        how = _how(worker.process.exitcode) if worker.last is None and not self._stopping else None
        self._release(worker, how)
        match worker.last:
            case (word,) if word == DONE:
                return
            case (word, text, exit_code) if word == REFUSED:
                error = StudyError(text) if exit_code == StudyError.exit_code else StudyFailure(text)
                self._fail(error)
            case (word, text, details) if word == CRASHED:
                self._display.warn(details.rstrip())
                self._fail(StudyFailure(f"a worker failed: {text}; what is finished is kept"))
            case (word,) if word == STOPPED and not (self._stopping or self._interruption.requested):
                how = "stopped by SIGTERM"  # by somebody else than us
        if self._stopping:
            return
        if how is not None:
            self._display.warn(f"a worker was {how}; another takes its place")
            self._count_death(worker, how)
        if not self._stopping:
            self._start(worker.index, worker.first)

    def _count_death(self, worker: _Worker, how: str) -> None:
        if not worker.claimed:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MOST_DEATHS_AT_START:
                self._fail(
                    StudyFailure(f"{self._deaths_at_start} workers in a row were {how} before they trained anything")
                )

    def _release(self, worker: _Worker, how: str | None) -> None:
        """Let others take up what it trained; give up a trial in which too many have died."""
        config = self._task.config
        if not worker.began_work or self._abandoned:
            return
        storage = self._storage_of_study()
        assert storage is not None
        folder = self._task.home / config.name

        def release() -> None:
            for what, name in zip([*config.spaces, None], config.study_names, strict=True):
                study = storage_room.load(storage, name)
                for trial in claims.release(study, worker.identity, how):
                    text = f"{len(claims.deaths(trial))} workers died in it: {', '.join(claims.deaths(trial))}"
                    if what is not None:
                        record = _record_of_dead(config, what, trial, text)
                        storage.set_trial_user_attr(trial._trial_id, RECORD, record.to_json())
                    else:
                        storage.set_trial_user_attr(trial._trial_id, ERROR, f"final {trial.number}: {text}")
                    study.tell(trial.number, state=TrialState.FAIL)
                    (folder / checkpoint_path(what or "finals", trial.number)).unlink(missing_ok=True)
                    self._display.warn(f"{what or 'finals'} trial {trial.number} is given up: {text}")

        storage_room.exclusively(storage, self._task.home, self._task.url, config.name, release, lambda seconds: None)

    def _storage_of_study(self) -> BaseStorage | None:
        """The storage, once the study of this definition is in it."""
        if self._storage is None:
            known = self._began is not None
            storage = storage_room.open_storage(self._task.url, known=known, waiting=self._display.warn)
            stored = storage_room.read_configs(storage).get(self._task.config.name)
            self._storage = storage if not self._task.create or stored == self._task.config else None
        return self._storage

    def _fail(self, error: StudyError) -> None:
        self._failure = self._failure or error
        self._stop()

    def _stop(self) -> None:
        """Let every worker end its epoch; one that has not begun has nothing to end."""
        if self._stopping:
            return
        self._stopping = True
        for worker in self._workers:
            if worker.began_work:
                worker.process.terminate()
            else:
                worker.process.kill()

    def _end_at_once(self) -> None:
        """The second signal kills what trains; the third one also ends a wait for the lock or the database."""
        if self._killed:
            self._abandoned = True
            raise Interrupted
        self._killed = True
        self._kill()

    def _kill(self) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.process.kill()

    def _reap(self) -> None:
        while self._workers:
            self._ended(self._workers[0])


def _record_of_dead(config: StudyConfig, space: str, trial: FrozenTrial, text: str) -> TrialRecord:
    """What is known of a trial whose workers died."""
    known = results.record(trial)
    reported: list[float | None] = list(trial.intermediate_values.values())
    if known is not None:
        return replace(known, epochs=len(reported), history={config.objective: reported}, error=text)
    return TrialRecord(
        values={},
        epochs=0,
        best_epoch=None,
        parameters=None,
        seconds=0.0,
        history={},
        seed=config.seed_for(space, "trial", trial.number),
        worker="",
        error=text,
    )


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"ended by exit code {exitcode}"


@contextlib.contextmanager
def _share_of_machine(workers: int, index: int) -> Iterator[None]:
    """Environment in which worker `index` of so many uses its share of the cores, one of several GPUs, and of that
    what it needs, so that others may have it too."""
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
    """Until a process that is started can deal with them: it inherits that they wait."""
    resource_tracker.ensure_running()  # which would let them through
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
