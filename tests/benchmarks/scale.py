"""How many workers one PostgreSQL server holds: simulated ones, whose every question to it is real.

    python tests/benchmarks/scale.py
    python tests/benchmarks/scale.py --workers 100 --stored 1000 10000 --seconds 60

Each worker is a thread with a connection of its own that claims, asks, reports, renews its lease and tells as a worker
process does (the same code); in the place of training it waits, and its curve is made up. Ten threads share a process.
A trial takes 20 s and has 10 epochs; `--speed 0.1` makes that 200 s. The server is this machine's own, with its
defaults but for the number of connections; workers and server share the cores, so what is measured is the least that a
server of its own would hold. What sampling itself takes belongs to the workers: it is measured apart, by one of them.
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

from study import environment

environment.import_tensorflow()

import keras_tuner
import numpy as np
import optuna
import psutil
import servers
from sqlalchemy import create_engine, text

from study import claims, driver, postgresql, training
from study import storage as storage_room
from study.claims import Process
from study.config import StudyConfig
from study.epochs import EpochLog
from study.progress import Display
from study.records import RECORD, TrialRecord
from study.session import Growth, Session, Task
from study.signals import Interruption

SPACE = "dense"
EPOCHS = 10
EPOCH_SECONDS = 2.0
THREADS = 10
"""Workers a process: more would wait for the interpreter instead of for the server."""
HEAD = (
    "stored  workers  trials/s (wanted)  claim median  p95  end p95  lease p95  report p95  lock held  share of time  "
    "connections  cores: workers  server"
)


class Silent(Display):
    """Shows nothing."""

    def __init__(self) -> None:
        """Nothing to show it on."""

    def phase(self, *_: Any, **__: Any) -> None: ...
    def item(self, *_: Any, **__: Any) -> None: ...
    def epoch(self, *_: Any, **__: Any) -> None: ...
    def finished(self, *_: Any, **__: Any) -> None: ...
    def warn(self, line: str) -> None: ...


class Space(keras_tuner.HyperModel):
    """Six hyperparameters."""

    def build(self, hp: Any) -> Any:
        """Ask for them; nothing is built."""
        hp.Int("units", 16, 512, step=16)
        hp.Int("layers", 1, 4)
        hp.Float("rate", 1e-4, 1e-1, sampling="log")
        hp.Float("dropout", 0.0, 0.5)
        hp.Choice("activation", ["relu", "gelu", "tanh"])
        hp.Choice("batch_size", [32, 64, 128, 256])


class Stopwatch:
    """How long each kind of question took, seconds; of all threads. `claim` and `end` wait for the study's lock and use
    it, `held` is from its grant until it is given back."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {name: [] for name in ("claim", "end", "held", "lease", "report")}
        self.open: dict[object, tuple[str, float]] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """One question."""
        key, began = object(), time.perf_counter()
        self.open[key] = name, began
        try:
            yield
        finally:
            del self.open[key]
            self.seconds[name].append(time.perf_counter() - began)

    def timing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, timed."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.timed(name):
                return call(*args, **kwargs)

        return measured

    def since(self, first: dict[str, int]) -> dict[str, list[float]]:
        """What came after so many; what is not answered yet counts as having taken until now."""
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
    """In the place of `training.fit`."""

    def fit(hypermodel: Any, hp: Any, examples: Any, *, seed: int, log: EpochLog, on_epoch: Any, on_built: Any,
            **_: Any) -> None:  # fmt: skip
        hypermodel.build(hp)
        on_built(10_000)
        began = time.monotonic()
        for epoch, value in enumerate(curve(seed), 1):
            time.sleep(max(0.0, began + epoch * pause - time.monotonic()))
            logs = {"loss": 1 - value, "accuracy": value, "val_loss": 1 - value, "val_accuracy": value}
            log.add(logs)
            on_epoch(epoch, logs)

    return fit


def fill(url: str, config: StudyConfig, stored: int) -> None:
    """Finished trials as a study of ours leaves them, by SQL: as many as wanted in seconds."""
    storage = storage_room.open_storage(url, create=True)
    assert storage is not None
    storage_room.create_study(storage, config, {"fingerprint": {}, "environment": {}})
    study = storage_room.load(storage, config.study_name(SPACE))
    record = TrialRecord(
        values={"units": 64, "layers": 2, "rate": 1e-3, "dropout": 0.1, "activation": "relu", "batch_size": 32},
        epochs=EPOCHS, best_epoch=EPOCHS, parameters=10_000, seconds=20.0,
        history={name: curve(0) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}, seed=1, worker="a:1",
    )  # fmt: skip
    hp = keras_tuner.HyperParameters()
    Space().build(hp)
    trial = study.ask()
    from study.hyperparameters import TrialHyperParameters

    Space().build(TrialHyperParameters(trial))
    for epoch, value in enumerate(curve(0), 1):
        trial.report(value, epoch)
    trial.set_user_attr(RECORD, record.to_json())
    study.tell(trial, curve(0)[-1])
    engine = create_engine(url)
    with engine.begin() as connection:
        first = connection.execute(text("SELECT max(trial_id) FROM trials")).scalar_one()
        copies = f"generate_series(1, {stored - 1}) AS n"
        for sql in (
            "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
            f"SELECT {first} + n, n, study_id, state, datetime_start, datetime_complete FROM trials, {copies} "
            f"WHERE trial_id = {first}",
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
            f"SELECT {first} + n, param_name, param_value + CASE WHEN param_name LIKE '%rate%' THEN random() / 100 "
            f"ELSE 0 END, distribution_json FROM trial_params, {copies} WHERE trial_id = {first}",
            "INSERT INTO trial_values (trial_id, objective, value, value_type) "
            f"SELECT {first} + n, objective, value - random() / 10, value_type FROM trial_values, {copies} "
            f"WHERE trial_id = {first}",
            "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
            f"SELECT {first} + n, step, intermediate_value, intermediate_value_type "
            f"FROM trial_intermediate_values, {copies} WHERE trial_id = {first}",
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
            f"SELECT {first} + n, key, value_json FROM trial_user_attributes, {copies} WHERE trial_id = {first}",
            f"SELECT setval('trials_trial_id_seq', {first + stored})",
        ):
            connection.execute(text(sql))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


class _Worker(threading.local):
    host = "here"
    since: float | None = None
    """When it was granted the lock."""


WORKER = _Worker()


def prepared(url: str, config: StudyConfig, number: int) -> driver._Search:
    """A simulated worker before its first trial, connected."""
    storage = storage_room.open_storage(url, known=True)
    assert storage is not None
    silent = Silent()
    session = Session(
        task=Task(config, Path(tempfile.gettempdir()), url), storage=storage, dataset=None,
        examples=training.Examples(None, None), hypermodels={SPACE: Space()}, declared={SPACE: None},
        display=silent, interruption=Interruption(silent.warn, None), began=time.time(), growth=Growth(),
    )  # fmt: skip
    search = driver._Search(session, SPACE)
    search.claims._me = Process(number, 0.0)
    return search


def watched(watch: Stopwatch) -> None:
    """Time what all workers of this process ask."""
    claims.Claims.renew = watch.timing("lease", claims.Claims.renew)  # type: ignore[method-assign]
    optuna.Trial.report = watch.timing("report", optuna.Trial.report)  # type: ignore[method-assign]
    exclusively, take, give = Session.exclusively, postgresql._take_lock, postgresql._give_lock

    def either(session: Session, action: Any, *rest: Any) -> Any:
        with watch.timed("claim" if action.__name__ == "_claim" else "end"):
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
    postgresql._take_lock, postgresql._give_lock = taken, given


def work(search: driver._Search, number: int, pause: float) -> None:
    """The life of a simulated worker."""
    WORKER.host = f"host{number}"
    time.sleep(np.random.default_rng(number).uniform(0, pause * EPOCHS))  # not all at the same moment
    search.run()


def simulate(pipe: Connection, url: str, config: StudyConfig, numbers: range, pause: float) -> None:
    """A process of simulated workers: says when it is connected, then what it has measured between two words."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    watch = Stopwatch()
    watched(watch)
    claims.host = lambda: WORKER.host  # type: ignore[assignment]
    driver.training.fit = replay(pause)  # type: ignore[assignment]
    searches = [prepared(url, config, number) for number in numbers]
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


def load(server: servers.Server, config: StudyConfig, workers: int, speed: float, seconds: float) -> dict[str, Any]:
    """The figures of so many workers for so long."""
    pause = EPOCH_SECONDS / speed
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["study.driver", "study.api"])  # TensorFlow is imported once
    count = math.ceil(workers / THREADS)
    pipes = []
    for index in range(count):
        ours, theirs = context.Pipe()
        numbers = range(index, workers, count)
        context.Process(target=simulate, args=(theirs, server.url, config, numbers, pause), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("begin")
    time.sleep(2 * EPOCHS * pause + 1)  # until each has ended its first trial, after which it reads what is stored
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
        "trials_a_second": sum(each[1] for each in answers) / wall,
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
    """Seconds of the server's processes so far."""
    total = 0.0
    for process in [postmaster, *postmaster.children()]:
        try:
            total += sum(process.cpu_times()[:4])  # with those that have ended
        except psutil.NoSuchProcess:
            continue
    return total


def sampling(url: str, config: StudyConfig, sampler: str) -> tuple[float, float]:
    """Seconds until a fresh worker has drawn its first trial, and its second: the first reads every trial."""
    storage = storage_room.open_storage(url)
    assert storage is not None
    from study.hyperparameters import TrialHyperParameters
    from study.samplers import SAMPLERS, KeyedSampler

    drawn = KeyedSampler(SAMPLERS[sampler], lambda *key: config.seed_for(SPACE, "sampler", *key), {}, 4)
    study = storage_room.load(storage, config.study_name(SPACE), sampler=drawn)
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
    parser.add_argument("--speed", type=float, default=1.0, help="How much faster than in life a trial is.")
    parser.add_argument("--sampler-times", action="store_true", help="What tpe takes to draw, too.")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = servers.Server(Path(folder))
        server.start(max_connections=max(options.workers) + 20)
        try:
            for stored in options.stored:
                config = StudyConfig(
                    name=f"stored{stored}", spaces=(SPACE,), trials=10**9, epochs=EPOCHS, sampler="random",
                    pruner="none", join=10**6,
                )  # fmt: skip
                fill(server.url, config, stored)
                if options.sampler_times:
                    first, second = sampling(server.url, config, "tpe")
                    print(f"{stored} stored: tpe draws a first trial in {first:.2f} s, a second in {second:.2f} s",
                          flush=True)  # fmt: skip
                for workers in options.workers:
                    row = {"stored": stored, "workers": workers, "speed": options.speed,
                           **load(server, config, workers, options.speed, options.seconds)}  # fmt: skip
                    rows.append(row)
                    if len(rows) == 1:
                        print(HEAD)
                    print(
                        f"{stored:6}  {workers:7}  {row['trials_a_second']:8.2f} ({row['wanted']:.1f})  "
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
