"""What a study is: one frozen, validated dataclass, stored as JSON beside the trials."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from study.errors import StudyError

FINALS = "finals"
RESERVED = ("artifacts",)
"""Folders of a home that belong to no study."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
Direction = Literal["maximize", "minimize"]
OBJECTIVES: dict[str, Direction] = {"val_accuracy": "maximize", "val_loss": "minimize"}
DIRECTIONS = dict.fromkeys(("maximize", "minimize"))
PRECISIONS = dict.fromkeys(("float32", "mixed_float16", "mixed_bfloat16"))
CHANGEABLE = ("trials", "timeout", "seeds", "workers", "join", "memory_limit", "lease", "manual_dir", "data_dir")
"""Fields that a resume may change."""
MOST_WORKERS = 256
LEAST_MEMORY = 10**9
SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)
DURATION = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s?)?")


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """The definition of a study. Validated once, here; every other room relies on it.

    Raises:
        StudyError: a value that no study can have, in one line.
    """

    # What is compared
    name: str = "quickstart"
    """Names the study in the storage and its folder under the home."""
    spaces: tuple[str, ...] = ("dense", "cnn")
    """Search spaces: names of `search_spaces.SPACES` or `package.module:object`."""
    dataset: str = "digits"
    """`digits`, `npz:FILE` or an image classification set of TensorFlow Datasets."""
    objective: str = "val_accuracy"
    """What trials are ranked by, on the validation set: `val_accuracy`, `val_loss` or a metric that models report."""
    objective_direction: Direction | None = None
    """Which way a metric of one's own is better."""

    # How much
    trials: int = 10
    """Finished trials (complete, pruned or failed) that each space ends with."""
    epochs: int = 8
    """The most epochs a trial may train."""
    timeout: float | None = None
    """Seconds that a session searches; a trial under way then is saved and goes on at a resume. None is no limit."""
    seeds: int = 7
    """Finals per finalist. Below 7 no difference can be significant: with 3 comparisons, 2/2^6 x 3 > 0.05."""

    # How
    sampler: str = "tpe"
    pruner: str = "sha"
    seed: int = 0
    """Every random number of the study follows from it."""
    split_seed: int = 0
    """The cut of the validation set follows from it."""
    workers: int = 1
    """Worker processes; 0 trains in the process of the command."""
    join: int = 0
    """Workers that `study worker` adds to those; more may come, and none need to."""
    memory_limit: int | None = None
    """Bytes a worker may hold; a trial that needs more fails. None is no limit."""
    lease: float = 600.0
    """Seconds without a word from a worker on another host after which its trial is taken up; never less than three
    of its longest epoch."""
    precision: str = "float32"
    """Keras's dtype policy; a mixed one pays on GPUs that have tensor cores."""
    callbacks: tuple[str, ...] = ()
    """Classes of the Keras callbacks that a study started from Python gives each trial; a resume must bring them."""

    # Where the data lies
    manual_dir: str | None = None
    """A folder with a data set's original files, for TensorFlow Datasets."""
    data_dir: str | None = None
    """Where TensorFlow Datasets prepares data sets and decoded arrays are cached."""

    def __post_init__(self) -> None:
        from study.pruners import PRUNERS
        from study.samplers import REFUSED, SAMPLERS

        check_name(self.name)
        if not self.spaces:
            raise StudyError("a study needs at least one search space; give --space")
        if len(set(self.spaces)) < len(self.spaces):
            raise StudyError(f"each search space is tuned once; --space was given {', '.join(self.spaces)}")
        if FINALS in self.spaces:
            raise StudyError(f"{FINALS} is no search space's name; give it another")
        for option in ("trials", "epochs", "seeds", "workers", "join", "seed", "split_seed"):
            if not isinstance(getattr(self, option), int):
                flag = option.replace("_", "-")
                raise StudyError(f"--{flag} is a whole number; it was given {getattr(self, option)!r}")
        for option, least in (("trials", 1), ("epochs", 1), ("seeds", 1), ("workers", 0), ("join", 0)):
            if getattr(self, option) < least:
                raise StudyError(f"--{option} must be at least {least}; it was given {getattr(self, option)}")
        if self.workers > MOST_WORKERS:
            raise StudyError(f"--workers must be at most {MOST_WORKERS}; it was given {self.workers}")
        if self.memory_limit is not None and not self.workers:
            raise StudyError("--memory-limit is a worker process's; --workers 0 trains without one")
        if self.memory_limit is not None and self.memory_limit < LEAST_MEMORY:
            raise StudyError(
                f"--memory-limit must be at least {LEAST_MEMORY // 10**9}GB, which TensorFlow takes by itself; it was "
                f"given {self.memory_limit} bytes"
            )
        if self.timeout is not None and self.timeout <= 0:
            raise StudyError(f"--timeout must be more than 0 seconds; it was given {self.timeout:g}")
        if self.lease < 1:
            raise StudyError(f"--lease must be at least 1 second; it was given {self.lease:g}")
        for option in ("seed", "split_seed"):
            if not 0 <= getattr(self, option) < 2**32:
                flag = option.replace("_", "-")
                raise StudyError(f"--{flag} must lie in 0 to 2^32-1; it was given {getattr(self, option)}")
        if self.sampler in REFUSED:
            raise StudyError(f"--sampler {self.sampler} cannot be had: {REFUSED[self.sampler]}")
        choices: dict[str, Mapping[str, Any]] = {
            "sampler": SAMPLERS, "pruner": PRUNERS, "precision": PRECISIONS,
        }  # fmt: skip
        for option, known in choices.items():
            check_choice(f"--{option}", getattr(self, option), known)
        self._check_objective()

    def changed(self, **changes: Any) -> Self:
        """The definition with what a resume may change.

        Raises:
            StudyError: something else, or a budget that would shrink.
        """
        if fixed := changes.keys() - CHANGEABLE:
            raise StudyError(
                f"{', '.join(sorted(fixed))} is fixed when a study starts; a resume takes {', '.join(CHANGEABLE)}"
            )
        config = dataclasses.replace(self, **changes)
        for option in ("trials", "seeds"):
            had, wanted = getattr(self, option), getattr(config, option)
            if wanted < had:
                raise StudyError(
                    f"--{option} counts from the start and may grow only; {self.name} has {had}, it was given {wanted}"
                )
        return config

    def _check_objective(self) -> None:
        own, known = self.objective_direction, OBJECTIVES.get(self.objective)
        if own is not None:
            check_choice("--direction", own, DIRECTIONS)
        if known is not None and own not in (None, known):
            raise StudyError(f"--direction of {self.objective} is {known}; it was given {own}")
        if known is None and own is None:
            raise StudyError(
                f"--objective is {' or '.join(OBJECTIVES)}, or a metric that the models report together with "
                f"--direction maximize or minimize; it was given {self.objective!r} alone"
            )

    @property
    def direction(self) -> Direction:
        """Which way the objective is better."""
        return self.objective_direction or OBJECTIVES[self.objective]

    @property
    def dataset_name(self) -> str:
        """The data set as a reader calls it: an archive by its file's name."""
        kind, _, file = self.dataset.partition(":")
        return re.split(r"[/\\]", file)[-1] if kind == "npz" else self.dataset

    def study_name(self, space: str) -> str:
        """The Optuna study of a space's search."""
        return f"{self.name}/{space}"

    @property
    def finals_name(self) -> str:
        """The Optuna study of the finals."""
        return f"{self.name}/{FINALS}"

    @property
    def study_names(self) -> list[str]:
        """The Optuna studies of the study; the finals' comes last."""
        return [*map(self.study_name, self.spaces), self.finals_name]

    def seed_for(self, *key: str | int) -> int:
        """A 32-bit seed that depends on `seed` and the key alone, so that no order of events can change it."""
        import hashlib

        text = json.dumps([self.seed, *key])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def to_json(self) -> dict[str, Any]:
        """The definition as JSON values."""
        return dataclasses.asdict(self) | {name: list(getattr(self, name)) for name in ("spaces", "callbacks")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The definition that `to_json` wrote."""
        lists: Any = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


def check_name(name: str) -> None:
    """Refuse a name that could not be a folder and the first part of an Optuna study's name."""
    if name in RESERVED:
        raise StudyError(f"{name} is a folder of every home; give another NAME")
    if not NAME.fullmatch(name) or ".." in name or name.startswith("study."):
        raise StudyError(
            "a study's name is letters, digits, '.', '_' and '-', begins with a letter or digit and has no '..'; "
            f"it was given {name!r}"
        )


def check_choice(what: str, given: str, known: Mapping[str, Any]) -> None:
    """Refuse a word that is not one of the known ones, naming them."""
    if given not in known:
        raise StudyError(f"{what} must be one of {', '.join(known)}; it was given {given!r}")


def parse_duration(text: str, option: str = "--timeout") -> float:
    """Seconds of `90`, `90s`, `30m`, `2h` or `1h30m`.

    Raises:
        StudyError: anything else, and a duration of zero.
    """
    match = DURATION.fullmatch(text.strip())
    parts = {unit: int(number or 0) for unit, number in match.groupdict().items()} if match else {}
    seconds = parts.get("hours", 0) * 3600 + parts.get("minutes", 0) * 60 + parts.get("seconds", 0)
    if seconds <= 0:
        raise StudyError(f"{option} is a duration such as 90s, 30m or 1h30m; it was given {text!r}")
    return float(seconds)


def parse_size(text: str) -> int:
    """Bytes of `4GB`, `800MB` or `2GiB`.

    Raises:
        StudyError: anything else.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise StudyError(f"--memory-limit is a size such as 4GB or 2GiB; it was given {text!r}")
    power = " KMGT".index(match["unit"].upper() or " ")
    unit: int = (1024 if match["binary"] else 1000) ** power
    return round(float(match["number"]) * unit)


def absolute(path: Path | None) -> str | None:
    """Paths are stored as absolute ones: a study may be resumed from another folder."""
    return None if path is None else str(path.expanduser().absolute())


def absolute_npz(dataset: str) -> str:
    """A data set's name with the file of an archive as an absolute path."""
    kind, colon, file = dataset.partition(":")
    return f"npz:{absolute(Path(file))}" if kind == "npz" and colon else dataset
