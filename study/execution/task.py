"""What a process is started for. It can be sent to other processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config import Definition, Resources
from study.storage.address import Address
from study.system.processes import Process

if TYPE_CHECKING:
    from study.execution.trials import Trainer
    from study.search.own_oracle import OwnOracle
    from study.training.examples import SearchData


@dataclass(frozen=True)
class Cluster:
    """Where Ray places workers, and what each is given."""

    address: str
    """`auto` or `ray://HOST:PORT`."""
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Objects:
    """What a study was given from Python, as objects."""

    spaces: Mapping[str, Any] = field(default_factory=dict)
    """Search spaces by name."""
    data: "SearchData | None" = None
    """The data, where they were given to a tuner."""
    callbacks: tuple[Any, ...] = ()
    """Keras callbacks for each fit of the search."""
    trainer: "Trainer | None" = None
    """Trains each trial, where it is not `training.fit` alone that does."""
    oracle: "OwnOracle | None" = None
    """Draws the trials in the place of the study's sampler, where a tuner was given an oracle of the user's own."""
    key: str | None = None
    """The name by which arrays that were given as `study.Data` were kept (`study.data.given`)."""


@dataclass(frozen=True)
class Steps:
    """Which steps of a study are done."""

    create: bool = False
    """Create the study; otherwise it must be there."""
    search: bool = True
    finals: bool = True


@dataclass(frozen=True)
class Options:
    """What one command asks for; nothing of it is stored."""

    allow_drift: bool = False
    """Continue under other versions than the study was started with."""
    take_over: bool = False
    """Take every trial under way: nobody else trains."""
    joins: bool = False
    """Join a study that another command leads, and change nothing that is stored of it."""
    workers: int | None = None
    """Worker processes here, where they are others than the study's resources say."""
    cluster: Cluster | None = None
    """Where the workers are placed; None for this machine."""
    tensorboard: Path | None = None
    """Where each trial is logged for TensorBoard."""
    keep_weights: bool = False
    """Keep the weights of each complete trial's best epoch."""
    failures_in_a_row: int = 10
    """So many failed trials of a space, one after the other, stop the study."""


@dataclass(frozen=True)
class Task:
    """What a command does with a study."""

    address: Address
    definition: Definition
    resources: Resources
    steps: Steps = Steps()
    objects: Objects = Objects()
    options: Options = Options()

    @property
    def workers(self) -> int:
        """Worker processes; 0 is this process."""
        return self.resources.workers if self.options.workers is None else self.options.workers


@dataclass(frozen=True)
class Role:
    """What a process is among those that work on a task."""

    first: bool = True
    """Whether it speaks for all workers, and prepares what they share."""
    supervisor: Process | None = None
    """Who watches over it; None where nobody does."""
    began: float | None = None
    """When this session's first process began to search, seconds since 1970; None in that process itself."""
    place: str = ""
    """The name of its place on a cluster: a process with the same name replaces it."""
