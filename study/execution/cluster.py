"""Workers that Ray places on the nodes of a cluster.

Ray decides where a worker runs, starts it again elsewhere when its node is lost, and assigns GPUs. Each worker is a
supervisor with one process, as on one machine, and finds the study in its database. Code and data are expected on the
nodes: installed, on a shared file system, or brought by `ray job submit --working-dir`.
"""

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.queue import Empty, Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.config import MOST_WORKERS
from study.errors import Interrupted, StudyError, StudyFailure, one_line
from study.execution.messages import Ready, Refused, Shown
from study.execution.supervisor import Supervisor
from study.execution.task import Cluster, Role, Task
from study.execution.workers import POLL_SECONDS, joining
from study.storage.address import Address
from study.system.progress import Display, RemoteDisplay
from study.system.signals import Interruption

PASSWORD = "PGPASSWORD"
"""The environment variable in which PostgreSQL's client looks for the password."""
ATTEMPTS = 3
"""To connect as a client. Ray forks a process for each beside the threads of gRPC, and now and then that dies at once:
seen once in 7 connections on two busy cores."""
BATCH = 1000
"""Messages of workers that are taken at once."""


def run(task: Task, cluster: Cluster, display: Display) -> None:
    """Search and make the finals with workers on a cluster.

    Raises:
        Interrupted: by a signal; the workers have left the cluster, and what was under way continues with a resume.
        StudyError: no cluster is there, or what cannot be used.
        StudyFailure: the study stopped; what is finished is kept.
    """
    with _connected(cluster.address):
        _Placement(task, cluster, display).run()


def fitting(cluster: Cluster) -> int:
    """How many workers the cluster has room for now, at least one.

    Raises:
        StudyError: no cluster is there.
    """
    with _connected(cluster.address):
        return min(max(1, _room(cluster)), MOST_WORKERS)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[None]:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            break
        except (ConnectionError, RayError, ValueError, RuntimeError) as error:
            if attempt < ATTEMPTS and isinstance(error, ConnectionAbortedError):
                continue
            why = str(error).strip().rpartition("\n")[2] or type(error).__name__  # it may hold a traceback
            raise StudyError(
                f"there is no Ray cluster at {address} ({why[:120]}); 'ray start --head' starts one here; "
                "--cluster is auto or ray://HOST:10001"
            ) from None
    try:
        yield
    finally:
        ray.shutdown()


class _Placement:
    """Asks Ray for the workers, shows what they do, passes on signals."""

    def __init__(self, task: Task, cluster: Cluster, display: Display) -> None:
        self._task = task
        self._cluster = cluster
        self._display = display
        self._interruption = Interruption(display.warn, at_once=self._end_at_once)
        # On this node: it must not be lost with another one.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self._queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        self._session = uuid.uuid4().hex
        self._placed: list[Any] = []
        self._stopping = False
        self._failure: StudyError | None = None

    def run(self) -> None:
        count = self._task.workers
        self._say_how_many(count)
        nodes = _nodes()
        with self._interruption.listening():
            self._place(0, first=True)
            others = iter(range(1, count))
            while self._placed:
                ended, _ = ray.wait(self._placed, timeout=POLL_SECONDS)
                if self._hear() and not self._stopping:
                    for index in others:  # the study is there: they join it
                        self._place(index, first=False)
                for reference in ended:
                    self._ended(reference)
                if self._interruption.requested:
                    self._stop()
                if (alive := _nodes()) < nodes:
                    self._display.warn(
                        f"the cluster has {alive} of {nodes} nodes left; Ray places the lost workers on others"
                    )
                nodes = alive
                self._display.refresh()
            self._hear()  # their last messages
            stopped = self._stopping
        if self._failure is not None:
            raise self._failure
        if stopped:
            raise Interrupted

    def _place(self, index: int, first: bool) -> None:
        home = self._task.address.home.absolute()
        options = replace(self._task.options, cluster=None, workers=1, joins=not first)
        task = replace(self._task, address=Address(home, self._task.address.url), options=options)
        role = Role(first=first, place=f"{self._session}/{index}")
        if not first:
            task, role = joining(task, role, time.time())
        wanted = {"num_cpus": self._cluster.cpus, "num_gpus": self._cluster.gpus, "max_retries": -1}
        # As an argument: Ray shows its runtime environment in its logs and on its dashboard.
        password = os.environ.get(PASSWORD)
        worker = _work.options(**wanted).remote(task, role, index, self._cluster.cpus, password, self._queue)
        self._placed.append(worker)

    def _hear(self) -> bool:
        """Show what the workers say; whether one of them has prepared everything."""
        ready = False
        with contextlib.suppress(Empty, RayError):
            for message in self._queue.get_nowait_batch(min(BATCH, self._queue.qsize())):
                match message:
                    case Ready():
                        ready = True
                    case Shown(event):
                        self._display.show(event)
        return ready

    def _ended(self, reference: Any) -> None:
        self._placed.remove(reference)
        try:
            refusal: Refused | None = ray.get(reference)
        except RayError as error:
            refusal = None if self._stopping else Refused(f"a worker failed on the cluster: {one_line(error, 300)}", 1)
        if refusal is not None:
            kind = StudyError if refusal.exit_code == StudyError.exit_code else StudyFailure
            self._failure = self._failure or kind(refusal.text)
            self._stop()

    def _stop(self, force: bool = False) -> None:
        """Let every worker end its epoch."""
        if self._stopping and not force:
            return
        self._stopping = True
        for each in self._placed:
            with contextlib.suppress(RayError):
                ray.cancel(each, force=force)

    def _end_at_once(self) -> None:
        self._stop(force=True)

    def _say_how_many(self, count: int) -> None:
        if (room := _room(self._cluster)) < count:
            self._display.warn(f"the cluster has room for {room} of {count} workers; the others wait until it grows")


def _room(cluster: Cluster) -> int:
    """Workers that fit on the nodes that are there."""
    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = {"CPU": cluster.cpus, "GPU": cluster.gpus}
    return sum(
        min((int(node.get(kind, 0.0) // each) for kind, each in wanted.items() if each), default=MOST_WORKERS)
        for node in there
    )


def _nodes() -> int:
    return sum(bool(node["Alive"]) for node in ray.nodes())


@ray.remote  # type: ignore[untyped-decorator]
def _work(task: Task, role: Role, index: int, cpus: float, password: str | None, queue: Queue) -> Refused | None:
    """A worker's life on its node; None where nothing was left to do."""
    if password is not None:
        os.environ[PASSWORD] = password
    threads = str(max(1, round(cpus)))
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = threads

    def send(message: Ready | Shown) -> None:
        with contextlib.suppress(RayError):  # the command is gone, and this worker about to follow
            queue.put_nowait(message)

    display = RemoteDisplay(lambda event: send(Shown(event)), index)
    try:
        Supervisor(task, role, display, lambda began: send(Ready(began))).run()
    except Interrupted:
        pass
    except StudyError as error:
        return Refused(str(error), error.exit_code)
    return None
