"""How many workers one PostgreSQL server holds. The workers are simulated; what they ask the server is real.

    python tests/benchmarks/scale.py
    python tests/benchmarks/scale.py --workers 100 --stored 1000 10000 --seconds 60

Each worker is a thread with its own connection, which runs the code of a worker process: it claims, samples, reports,
renews its lease and tells. Only the training is replaced: the worker waits, and its learning curve is made up. Ten
threads share a process. A trial takes 20 s and has 10 epochs; with `--speed 0.1` it takes 200 s. The server runs on
this machine with its default settings, apart from the number of connections. It shares the cores with the workers, so
the result is a lower bound for a server on a machine of its own. Workers draw at random here: the time that sampling
takes is the workers' own, and is measured separately (`--sampler-times`).
"""

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "support"))

from study.system import environment

environment.import_tensorflow()

import keras
import keras_tuner
import numpy as np
import optuna
import psutil
import servers
from sqlalchemy import create_engine, text

from study.config import Definition, Resources
from study.execution import trials
from study.execution.growth import Growth
from study.execution.search import SpaceSearch
from study.execution.session import Session
from study.execution.task import Role, Task
from study.records import RECORD, TrialRecord
from study.search.hyperparameters import TrialHyperParameters
from study.search.samplers import SAMPLERS, KeyedSampler
from study.storage import claims, postgresql
from study.storage.address import Address
from study.storage.store import Store, StoredStudy
from study.system.processes import Process
from study.system.progress import Display, Event
from study.system.signals import Interruption
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.examples import Examples
from study.training.fit import Hooks, Training

SPACE = "dense"
RESOURCES = Resources(join=10**6)  # so that no trial has to wait for an earlier one
EPOCHS = 10
EPOCH_SECONDS = 2.0
THREADS = 10
"""Workers per process: more would wait for the interpreter instead of for the server."""
HEAD = (
    "stored  workers  trials/s (wanted)  claim median  p95  end p95  lease p95  report p95  lock held  share of time  "
    "connections  cores: workers  server"
)


class Silent(Display):
    """Shows nothing."""

    def show(self, event: Event) -> None: ...


class Space(keras_tuner.HyperModel):  # type: ignore[misc]  # KerasTuner is Any to the checker
    """A space of six hyperparameters, without a model."""

    def build(self, hp: Any) -> Any:
        """Declare the hyperparameters."""
        hp.Int("units", 16, 512, step=16)
        hp.Int("layers", 1, 4)
        hp.Float("rate", 1e-4, 1e-1, sampling="log")
        hp.Float("dropout", 0.0, 0.5)
        hp.Choice("activation", ["relu", "gelu", "tanh"])
        hp.Choice("batch_size", [32, 64, 128, 256])


class Stopwatch:
    """Seconds that each kind of request took, in all threads. `claim` and `end` include the wait for the study's lock;
    `held` is the time from when the lock is granted until it is released."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {name: [] for name in ("claim", "end", "held", "lease", "report")}
        self.open: dict[object, tuple[str, float]] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time one request."""
        key, began = object(), time.perf_counter()
        self.open[key] = name, began
        try:
            yield
        finally:
            del self.open[key]
            self.seconds[name].append(time.perf_counter() - began)

    def timing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed at each call."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.timed(name):
                return call(*args, **kwargs)

        return measured

    def since(self, first: dict[str, int]) -> dict[str, list[float]]:
        """The requests that followed so many of each kind; one that is not answered yet counts with its time so far."""
        now, seconds = time.perf_counter(), {name: times[first[name] :] for name, times in self.seconds.items()}
        for name, began in list(self.open.values()):
            seconds[name].append(now - began)
        return seconds


def curve(seed: int) -> list[float]:
    """A validation accuracy for each epoch."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.9, 0.99)
    return [float(level - 0.2 * np.exp(-epoch / 2) + rng.normal(0, 0.002)) for epoch in range(EPOCHS)]


def replay(pause: float) -> Callable[..., None]:
    """A function in the place of `training.fit`: it waits `pause` seconds per epoch and logs a made-up curve."""

    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])  # 10,100 parameters

    def fit(training: Training, log: EpochLog, hooks: Hooks, checkpoint: CheckpointFile) -> None:
        training.hypermodel.build(training.hp)
        hooks.on_built(model)
        began = time.monotonic()
        for epoch, value in enumerate(curve(training.seed), 1):
            time.sleep(max(0.0, began + epoch * pause - time.monotonic()))
            logs = {"loss": 1 - value, "accuracy": value, "val_loss": 1 - value, "val_accuracy": value}
            log.add(logs)
            hooks.on_epoch(epoch, logs)

    return fit


def opened(url: str, definition: Definition) -> StoredStudy:
    """The study, through a connection of its own."""
    store = Store.open(_address(url))
    assert store is not None
    return store.study(definition.name)


def _address(url: str) -> Address:
    return Address.of(Path(tempfile.gettempdir()), url)


def fill(url: str, definition: Definition, stored: int) -> None:
    """Create the study with so many finished trials: one as a search stores it, and copies of it, which SQL makes in
    seconds."""
    store = Store.open(_address(url), create=True)
    assert store is not None
    study = store.create_study(definition, RESOURCES, {"fingerprint": {}, "environment": {}}).part(SPACE)
    record = TrialRecord(
        values={"units": 64, "layers": 2, "rate": 1e-3, "dropout": 0.1, "activation": "relu", "batch_size": 32},
        epochs=EPOCHS, best_epoch=EPOCHS, parameters=10_000, seconds=20.0,
        history={name: [*curve(0)] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}, seed=1, worker="a:1",
    )  # fmt: skip
    trial = study.ask()
    Space().build(TrialHyperParameters(trial))
    for epoch, value in enumerate(curve(0), 1):
        trial.report(value, epoch)
    trial.set_user_attr(RECORD, record.to_json())
    study.tell(trial, curve(0)[-1])
    _copy_last_trial(url, stored - 1)


def _copy_last_trial(url: str, copies: int) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        first = connection.execute(text("SELECT max(trial_id) FROM trials")).scalar_one()
        series = f"generate_series(1, {copies}) AS n"
        for sql in (
            "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
            f"SELECT {first} + n, n, study_id, state, datetime_start, datetime_complete FROM trials, {series} "
            f"WHERE trial_id = {first}",
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
            f"SELECT {first} + n, param_name, param_value + CASE WHEN param_name LIKE '%rate%' THEN random() / 100 "
            f"ELSE 0 END, distribution_json FROM trial_params, {series} WHERE trial_id = {first}",
            "INSERT INTO trial_values (trial_id, objective, value, value_type) "
            f"SELECT {first} + n, objective, value - random() / 10, value_type FROM trial_values, {series} "
            f"WHERE trial_id = {first}",
            "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
            f"SELECT {first} + n, step, intermediate_value, intermediate_value_type "
            f"FROM trial_intermediate_values, {series} WHERE trial_id = {first}",
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
            f"SELECT {first} + n, key, value_json FROM trial_user_attributes, {series} WHERE trial_id = {first}",
            f"SELECT setval('trials_trial_id_seq', {first + copies + 1})",
        ):
            connection.execute(text(sql))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


class _Worker(threading.local):
    """The simulated worker of a thread."""

    host = "here"
    since: float | None = None
    """When the lock was granted to it; None without the lock."""


WORKER = _Worker()


def prepared(url: str, definition: Definition, number: int) -> SpaceSearch:
    """A simulated worker before its first trial, connected."""
    study, display = opened(url, definition), Silent()
    session = Session(
        task=Task(study.store.address, definition, study.resources), role=Role(), study=study, dataset=None,
        examples=Examples(None, None), hypermodels={SPACE: Space()}, declared={SPACE: None}, display=display,
        interruption=Interruption(display.warn, None), began=time.time(), growth=Growth(None),
    )  # fmt: skip
    search = SpaceSearch(session, SPACE)
    search.claims._me = Process(number, 0.0)
    return search


def watched(watch: Stopwatch) -> None:
    """Time the requests of all workers of this process."""
    claims.Claims.renew = watch.timing("lease", claims.Claims.renew)  # type: ignore[method-assign]
    optuna.Trial.report = watch.timing("report", optuna.Trial.report)  # type: ignore[method-assign]
    exclusively, take, give = Session.exclusively, postgresql._take_lock, postgresql._give_lock

    def either(session: Session, action: Any, *rest: Any) -> Any:
        with watch.timed("claim" if action.__name__ == "claim" else "end"):
            return exclusively(session, action, *rest)

    def taken(*arguments: Any) -> None:
        take(*arguments)
        WORKER.since = time.perf_counter()

    def given(engine: Any) -> None:
        give(engine)
        if WORKER.since is not None:
            watch.seconds["held"].append(time.perf_counter() - WORKER.since)
            WORKER.since = None

    Session.exclusively = either  # type: ignore[assignment,method-assign]
    postgresql._take_lock, postgresql._give_lock = taken, given  # type: ignore[assignment]


def work(search: SpaceSearch, number: int, pause: float) -> None:
    """The life of a simulated worker."""
    WORKER.host = f"host{number}"
    time.sleep(np.random.default_rng(number).uniform(0, pause * EPOCHS))  # not all at the same moment
    search.run()


def simulate(pipe: Connection, url: str, definition: Definition, numbers: range, pause: float) -> None:
    """The life of a process of simulated workers: it says when they are connected, lets them begin at the first
    message, and answers the third with what was measured since the second."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    watch = Stopwatch()
    watched(watch)
    claims.host = lambda: WORKER.host  # type: ignore[assignment,attr-defined]
    trials.fit = replay(pause)  # type: ignore[attr-defined]
    searches = [prepared(url, definition, number) for number in numbers]
    pipe.send("connected")
    pipe.recv()
    threads = [
        threading.Thread(target=work, args=(search, number, pause), daemon=True)
        for number, search in zip(numbers, searches, strict=True)
    ]
    for thread in threads:
        thread.start()
    pipe.recv()
    first = {name: len(times) for name, times in watch.seconds.items()}
    ended, began = len(watch.seconds["end"]), sum(os.times()[:2])
    pipe.recv()
    alive = sum(thread.is_alive() for thread in threads)
    pipe.send((watch.since(first), len(watch.seconds["end"]) - ended, sum(os.times()[:2]) - began, alive))
    os._exit(0)


def load(server: servers.Server, definition: Definition, workers: int, speed: float, seconds: float) -> dict[str, Any]:
    """What so many workers come to, measured for so many seconds."""
    pause = EPOCH_SECONDS / speed
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["study.execution.search", "study.api"])  # TensorFlow is imported once
    count = math.ceil(workers / THREADS)
    pipes = []
    for index in range(count):
        ours, theirs = context.Pipe()
        numbers = range(index, workers, count)
        context.Process(target=simulate, args=(theirs, server.url, definition, numbers, pause), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("begin")
    time.sleep(2 * EPOCHS * pause + 1)  # each ends its first trial; then it reads what is stored
    backends = psutil.Process(server.pid)
    for pipe in pipes:
        pipe.send("measure")
    before, began = _cpu(backends), time.perf_counter()
    time.sleep(seconds)
    connections = int(server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'study'"))
    cores, wall = _cpu(backends) - before, time.perf_counter() - began
    for pipe in pipes:
        pipe.send("end")
    answers = [pipe.recv() for pipe in pipes]
    assert sum(each[3] for each in answers) == workers, "a worker has failed"
    measured = {name: sorted(chain(*(each[0][name] for each in answers))) for name in answers[0][0]}
    figures = {
        "trials_per_second": sum(each[1] for each in answers) / wall,
        "wanted": workers * speed / (EPOCHS * EPOCH_SECONDS),
        "connections": connections,
        "workers_cores": sum(each[2] for each in answers) / wall,
        "server_cores": cores / wall,
        "lock_share": sum(measured["held"]) / wall,
    }
    for name, times in measured.items():
        times = times or [float("nan")]
        figures[f"{name}_median"] = statistics.median(times)
        figures[f"{name}_p95"] = times[int(0.95 * (len(times) - 1))]
    return figures


def _cpu(postmaster: psutil.Process) -> float:
    """Processor seconds of the server's processes so far."""
    total = 0.0
    for process in [postmaster, *postmaster.children()]:
        try:
            total += sum(process.cpu_times()[:4])  # with those that have ended
        except psutil.NoSuchProcess:
            continue
    return total


def sampling(url: str, definition: Definition, sampler: str) -> tuple[float, float]:
    """Seconds in which a fresh worker draws its first trial, for which it reads every trial, and its second one."""
    drawn = KeyedSampler(SAMPLERS[sampler], lambda *key: definition.seed_for(SPACE, "sampler", *key), {}, 4)
    study = opened(url, definition).load(SPACE, sampler=drawn)
    times = []
    for _ in range(2):
        began = time.perf_counter()
        trial = study.ask()
        Space().build(TrialHyperParameters(trial))
        times.append(time.perf_counter() - began)
        study.tell(trial, 0.9)
    return times[0], times[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--stored", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--speed", type=float, default=1.0, help="A trial takes 20 s divided by this.")
    parser.add_argument("--sampler-times", action="store_true", help="Also measure how long tpe takes to draw.")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = servers.Server(Path(folder))
        server.start(max_connections=max(options.workers) + 20)
        try:
            for stored in options.stored:
                definition = Definition(
                    name=f"stored{stored}", spaces=(SPACE,), trials=10**9, epochs=EPOCHS, sampler="random",
                    pruner="none",
                )  # fmt: skip
                fill(server.url, definition, stored)
                if options.sampler_times:
                    first, second = sampling(server.url, definition, "tpe")
                    print(f"{stored} stored: tpe draws a first trial in {first:.2f} s, a second in {second:.2f} s",
                          flush=True)  # fmt: skip
                for workers in options.workers:
                    row = {"stored": stored, "workers": workers, "speed": options.speed,
                           **load(server, definition, workers, options.speed, options.seconds)}  # fmt: skip
                    rows.append(row)
                    if len(rows) == 1:
                        print(HEAD)
                    print(
                        f"{stored:6}  {workers:7}  {row['trials_per_second']:8.2f} ({row['wanted']:.1f})  "
                        f"{row['claim_median']:11.3f}  {row['claim_p95']:.3f}  {row['end_p95']:7.3f}  "
                        f"{row['lease_p95']:9.3f}  {row['report_p95']:10.3f}  {row['held_median']:9.3f}  "
                        f"{row['lock_share']:13.2f}  {row['connections']:11}  {row['workers_cores']:14.2f}  "
                        f"{row['server_cores']:6.2f}",
                        flush=True,
                    )
        finally:
            server.kill()
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
