"""One process at work on a study: what its search and its finals share, and how it comes to be."""

import copy
import gc
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
import psutil
from optuna.storages import BaseStorage

from study import results
from study import storage as storage_room
from study.checkpoints import CheckpointFile, sweep
from study.claims import Claims, Process
from study.config import StudyConfig
from study.errors import StudyError
from study.files import sweep_drafts
from study.postgresql import SAID_EVERY
from study.progress import Display
from study.records import CLASSES, file_name
from study.signals import Interruption

if TYPE_CHECKING:
    from study.datasets import Dataset
    from study.training import Examples, SearchData

Result = TypeVar("Result")

POLL_SECONDS = 0.5
RECYCLE_GROWTH = 512 * 2**20
"""Bytes by which a worker may grow after its first trial before a fresh one, which takes seconds to start, takes its
place: TensorFlow keeps a little of each model."""

LIMIT_PARTS = 8
"""A worker may grow by this part of a memory limit: what a trial may need shall not depend on those before it."""


class Recycled(Exception):
    """This worker has grown too large; another goes on in its place."""


@dataclass(frozen=True)
class Cluster:
    """Where Ray places workers, and what each is given."""

    address: str
    """`auto` or `ray://HOST:PORT`."""
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Task:
    """What a process is started for."""

    config: StudyConfig
    home: Path
    url: str
    create: bool = False
    """Create the study; otherwise it must be there."""
    search: bool = True
    """Search before the finals."""
    allow_drift: bool = False
    """Go on under other versions than the study was started with."""
    processes: int | None = None
    """Worker processes here, where those are others than the definition says."""
    joins: bool = False
    """Join a study that another command leads: change nothing of its definition."""
    cluster: "Cluster | None" = None
    """Where its workers are placed; None for this machine."""
    place: str = ""
    """What a worker is placed as, once at a time: whoever is placed as the same comes after it."""
    first: bool = True
    """Whether it speaks for all workers, and prepares what they share."""
    supervisor: Process | None = None
    began: float | None = None
    """When this session's first process began to search, seconds since 1970; None for itself."""
    finals: bool = True
    """Make the finals after the search."""
    spaces: Mapping[str, Any] = field(default_factory=dict)
    """Search spaces that are given as objects, by name."""
    data: "SearchData | None" = None
    """The data, where they are given as arrays."""
    callbacks: tuple[Any, ...] = ()
    """Keras callbacks for each fit of the search."""
    tensorboard: Path | None = None
    """Where each trial is logged for TensorBoard."""
    keep_weights: bool = False
    """Keep the weights of each complete trial's best epoch."""

    @property
    def workers(self) -> int:
        """Worker processes; 0 is this one."""
        return self.config.workers if self.processes is None else self.processes


class Pause:
    """Between two looks at what others do: a tenth of what one has waited, within bounds. Many who wait for long shall
    not keep the storage busy by looking.

    Args:
        least: Seconds.
        most: Seconds.
    """

    def __init__(self, least: float = 0.2, most: float = 2.0) -> None:
        self._least, self._most = least, most
        self._began = time.monotonic()

    def seconds(self) -> float:
        """The next one."""
        return min(max(self._least, (time.monotonic() - self._began) / 10), self._most)


class Growth:
    """How many bytes this process has grown since its first trial, or since the first after `forget`: a first trial
    brings what stays, the arrays of the data and TensorFlow's own."""

    def __init__(self) -> None:
        self._trials = self._first = 0

    def forget(self) -> None:
        """What comes next needs data of its own."""
        self._trials = 0

    def trained(self) -> bool:
        """Called after each trial. Whether it was the first."""
        self._trials += 1
        return self._trials == 1

    def look(self) -> int:
        """Called before each trial."""
        size = int(psutil.Process().memory_info().rss)
        if self._trials < 2:
            self._first = size
        return size - self._first


@dataclass(frozen=True)
class Session:
    """One process at work on a study."""

    task: Task
    storage: BaseStorage
    dataset: "Dataset | None"
    """None where the data were given as arrays."""
    examples: "Examples"
    """What the search trains and validates on."""
    hypermodels: dict[str, Any]
    """A KerasTuner HyperModel for each space of the study."""
    declared: dict[str, Any]
    """KerasTuner's HyperParameters as the defaults of each space declare them."""
    display: Display
    interruption: Interruption
    began: float
    growth: Growth

    @property
    def config(self) -> StudyConfig:
        """The study's definition."""
        return self.task.config

    @property
    def folder(self) -> Path:
        """Where the study keeps its files."""
        return self.task.home / self.config.name

    @property
    def worker(self) -> str:
        """Host and process."""
        return f"{platform.node()}:{Process.current().pid}"

    def claims(self, study: optuna.Study) -> Claims:
        """The running trials of one of the study's Optuna studies."""
        return Claims(study, self.task.supervisor or Process.current(), self.config.lease, self.task.place)

    def exclusively(self, action: Callable[[], Result], keep: Callable[[], None] = lambda: None) -> Result:
        """Choose and mark a trial as this process's own, or end it; see `storage.exclusively`. While it waits it calls
        `keep`, without the lock."""
        said = 0.0

        def waiting(seconds: float) -> None:
            nonlocal said
            self.interruption.check()
            keep()
            if seconds < said:  # the server was away: it waits anew
                said = 0.0
            if seconds - said >= SAID_EVERY:
                said = seconds
                self.display.warn(f"waiting for the study's lock since {round(seconds)} s; other processes have it")

        task = self.task
        return storage_room.exclusively(self.storage, task.home, task.url, self.config.name, action, waiting)

    def checkpoint(self, what: str, trial: optuna.Trial, seed: int, claims: Claims) -> CheckpointFile:
        """The checkpoint of a trial of `what` (a space, or finals) that this process has claimed."""
        began = trial.datetime_start
        key = f"{trial.study.study_name} {trial.number} {began.isoformat() if began else 0} {seed}"
        file = self.folder / checkpoint_path(what, trial.number)
        return CheckpointFile(file, key, self.display.warn, claims.keep)

    def weights(self, space: str, number: int) -> Path:
        """Where the weights of a trial's best epoch are kept."""
        return self.folder / weights_path(space, number)

    def callbacks(self, space: str, number: int, values: Mapping[str, Any]) -> list[Any]:
        """Keras callbacks for a trial's fit, besides those that the study itself needs; `values` are its
        hyperparameters."""
        callbacks = copy.deepcopy(list(self.task.callbacks))
        if self.task.tensorboard is not None:
            from study.tensorboard import TensorBoardLog

            folder = self.task.tensorboard / self.config.name / file_name(space) / f"trial-{number}"
            callbacks.append(TensorBoardLog(folder, values))
        if self.task.keep_weights:
            from study.model_state import BestWeights, keep_weights

            keep = partial(keep_weights, self.weights(space, number))
            callbacks.append(BestWeights(keep, self.config.objective, self.config.direction))
        return callbacks

    def out_of_time(self, space: str) -> bool:
        """Whether the part of the timeout for this space and those before it is used up."""
        if self.config.timeout is None:
            return False
        share = (self.config.spaces.index(space) + 1) / len(self.config.spaces)
        return time.time() - self.began >= self.config.timeout * share

    def between_trials(self) -> None:
        """Called before each trial and final.

        Raises:
            Interrupted: by a signal.
            Recycled: it is a worker process and has grown too large.
        """
        self.interruption.check()
        limit = self.config.memory_limit
        most = RECYCLE_GROWTH if limit is None else min(RECYCLE_GROWTH, limit // LIMIT_PARTS)
        if self.growth.look() > most and self.task.supervisor is not None:
            raise Recycled

    def trained(self) -> None:
        """Called after each trial and final."""
        if self.growth.trained() and self.task.supervisor is not None:
            gc.collect()
            gc.freeze()  # what a worker has now stays: Keras looks for garbage before each model

    def wait(self, pause: "Pause") -> None:
        """For other processes, a moment.

        Raises:
            Interrupted: by a signal.
        """
        self.interruption.check()
        time.sleep(pause.seconds())


def prepare(task: Task, display: Display, interruption: Interruption) -> Session:
    """Load the data and the spaces; create or check the study. Everything that can be refused is refused here.

    Raises:
        StudyError: what cannot be used.
    """
    import keras

    from search_spaces import SpaceError, given, load
    from study import datasets, environment, fingerprints, training

    config = task.config
    dataset, data, shape = None, task.data, ((0, 0, 0), 0)
    if data is None:
        dataset = datasets.load(config)
        data = training.SearchData(dataset.parts, training.Examples(dataset.train, dataset.validation))
        shape = dataset.input_shape, dataset.num_classes
    scaling = Thread(target=_scale, args=(data.examples,))
    scaling.start()  # it takes half a second: beside what follows
    try:
        hypermodels = {
            name: (given(name, task.spaces[name]) if name in task.spaces else load(name)).hypermodel(*shape)
            for name in config.spaces
        }
    except SpaceError as error:
        raise StudyError(str(error)) from error
    declared = {name: fingerprints.declared(name, hypermodel) for name, hypermodel in hypermodels.items()}
    if config.sampler == "kt-grid":
        from study.oracles import refuse_repeated

        for hp in declared.values():
            refuse_repeated(hp)
    fingerprint = fingerprints.of_study(config, data.parts, declared)
    interruption.check()
    if task.create:
        attributes = {
            "fingerprint": fingerprint, "environment": environment.describe(),
            CLASSES: list(dataset.class_names) if dataset else [],
        }  # fmt: skip
        with storage_room.creation_lock(task.home, task.url):
            storage = storage_room.open_storage(task.url, create=True, waiting=display.warn)
            assert storage is not None
            results.refuse_existing(storage, config.name)
            storage_room.create_study(storage, config, attributes)
    else:
        storage, _ = storage_room.open_study(task.url, config.name, waiting=display.warn, writing=True, known=True)
        stored = storage_room.load(storage, config.finals_name).user_attrs
        fingerprints.check(stored["fingerprint"], fingerprint)
        if task.first:
            environment.check(config.name, stored["environment"], task.allow_drift, display.warn)
    scaling.join()
    keras.config.set_dtype_policy(config.precision)
    session = Session(
        task=replace(task, create=False),
        storage=storage,
        dataset=dataset,
        examples=data.examples,
        hypermodels=hypermodels,
        declared=declared,
        display=display,
        interruption=interruption,
        began=task.began or time.time(),
        growth=Growth(),
    )
    if task.first and task.began is None:
        _begin(session)
    return session


def _scale(examples: "Examples") -> None:
    if examples.train is not None:
        with suppress(MemoryError):  # the first trial will say so
            _ = examples.train.scaled


def _begin(session: Session) -> None:
    """Store what a resume changed, and delete the checkpoints of trials that have ended."""
    config = session.config

    def begin() -> None:
        stored = storage_room.read_config(session.storage, config.name)
        if not session.task.joins:
            # A budget may grow only; another command may have raised it meanwhile.
            grown = {name: max(getattr(stored, name), getattr(config, name)) for name in ("trials", "seeds")}
            storage_room.update_config(session.storage, replace(config, **grown))
        running = {
            Path(checkpoint_path(what, trial.number)).name
            for what, name in zip([*config.spaces, "finals"], config.study_names, strict=True)
            for trial in storage_room.load(session.storage, name).get_trials(
                deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)
            )
        }
        sweep(session.folder / "checkpoints", running)

    session.exclusively(begin)
    for folder in (session.folder, session.folder / "models", session.folder / "predictions"):
        sweep_drafts(folder)


def checkpoint_path(what: str, number: int) -> str:
    """A trial's checkpoint, relative to the study's folder."""
    return f"checkpoints/{file_name(what)}-{number}.npz"


def weights_path(space: str, number: int) -> str:
    """The weights of a trial's best epoch, relative to the study's folder."""
    return f"models/{file_name(space)}-{number}.weights.h5"
