"""What a study is and what it runs on: two frozen, validated dataclasses, stored as JSON beside the trials."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from study.errors import StudyError, did_you_mean
from study.objective import Objective
from study.paths import ARTIFACTS, KINDS

CONFIRMATION, FINALS = "confirmation", "finals"
"""The names of the Optuna studies that hold the confirmation runs and the finals."""
CONFIRMATION_SEEDS = 2
"""Seeds with which each candidate is trained again before the winner of its space is chosen."""
SAMPLERS = ("tpe", "random", "qmc", "nsga2", "gp", "kt-random", "kt-bayesian", "kt-grid")
REFUSED_SAMPLERS = {
    "cmaes": "Optuna's CMA-ES stores its state as a pickle, which runs arbitrary code when it is read; tpe, gp and "
    "nsga2 learn from trials too",
    "grid": "Optuna's grid must be known before the first trial, and a space declares its hyperparameters while it is "
    "built; kt-grid is KerasTuner's grid search",
}
"""Samplers of Optuna's that a study cannot use, and why."""
SPACES = ("dense", "paper", "cnn")
"""The search spaces of this package: the names of `search_spaces.SPACES`."""
ARRAYS = "arrays"
"""The data set's name in a study whose data were given to a tuner of `study.keras_tuner`."""
DATA = "study.Data"
"""Its name where they were given to `study.run` as arrays."""
PRUNERS = ("sha", "median", "none")
GRID = "kt-grid"
"""The sampler that ends by itself."""
OWN_ORACLE = "kt-own"
"""The sampler's name in a study whose tuner was given an oracle of the user's own class."""
UNLIMITED = 10**6
"""The number of trials of a search that ends when its space is exhausted."""
DRAWN_AT_RANDOM = {"random": UNLIMITED, "kt-random": UNLIMITED, "tpe": 10}
"""How many trials a sampler draws before it looks at results, the baseline included; of the others it is not said."""
SETTINGS = {"factor": "sha", "num_initial_points": "kt-bayesian", "alpha": "kt-bayesian", "beta": "kt-bayesian"}
"""The numbers that KerasTuner's tuners take, and the sampler or pruner that each belongs to."""
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
CLASS_WEIGHTS = ("none", "balanced")
"""How much the images of a class count in training: alike, or so that every class counts alike."""
PIXELS = ("0..1", "0..255")
"""The range in which models are given the pixels."""
CATALOG = "a set of TensorFlow Datasets"
OWN = {kind: f"{kind}:DIR" if kind == "folder" else f"{kind}:FILE" for kind in KINDS}
"""How data sets that are a path are written, by their kind."""
DATA_OPTIONS = {
    "image_size": (OWN["folder"], CATALOG),
    "test_share": (*OWN.values(), DATA, CATALOG),
    "test_split": (CATALOG,),
    "skip_unreadable": (OWN["folder"],),
}
"""Options on how data are read, and the kinds of data sets that each is for."""
IMAGE_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
MOST_WORKERS = 256
LEAST_MEMORY = 10**9
LEAST_OVERTIME = 600.0
"""Seconds for which what is under way at the end of a timeout may go on at least."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)
COUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMG]?)", re.IGNORECASE)
DURATION = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s?)?")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a study is. It never changes, but for the budget (`trials`, `seeds`), which may grow.

    Raises:
        StudyError: a value that no study can have, in one line.
    """

    # What is compared
    name: str = "quickstart"
    """Names the study in the storage and its folder under the home."""
    spaces: tuple[str, ...] = ("dense", "cnn")
    """Search spaces: names of `search_spaces.SPACES` or `package.module:object`."""
    dataset: str = "digits"
    """`digits`, `folder:DIR`, `npz:FILE`, `csv:FILE` or an image classification set of TensorFlow Datasets."""
    image_size: str | None = None
    """`HEIGHTxWIDTH` that image files are scaled to; None where they share a size."""
    test_share: float | None = None
    """The share of the images that becomes the test set, where there is none; None is a fifth."""
    test_split: str | None = None
    """The split of TensorFlow Datasets that is the test set; None is `test`."""
    skip_unreadable: bool = False
    """Whether files of a folder that are no images are left out."""
    objective: Objective = Objective()
    """What trials are ranked by, on the validation set."""

    # How much
    trials: int = 10
    """Finished trials (complete, pruned, excluded or failed) that each space ends with."""
    epochs: int = 8
    """The most epochs a trial may train."""
    confirm: int = 3
    """The best trials of each space that are trained again, with the baseline, before its winner is chosen; 0 takes the
    best trial as it is. Where fewer are complete, those are."""
    seeds: int = 5
    """Finals per finalist. From 3 on there are intervals; docs/selection.md has what so many seeds can tell apart."""

    # How
    sampler: str = "tpe"
    """One of `SAMPLERS`."""
    pruner: str = "sha"
    """One of `PRUNERS`."""
    seed: int = 0
    """Every random number of the study follows from it."""
    split_seed: int = 0
    """The cut of the validation set follows from it."""
    precision: str = "float32"
    """Keras's dtype policy; a mixed one pays on GPUs that have tensor cores, and for networks of convolutions
    mixed_bfloat16 on processors that have instructions for it."""
    pixels: str = PIXELS[0]
    """One of `PIXELS`."""
    class_weights: str = CLASS_WEIGHTS[0]
    """One of `CLASS_WEIGHTS`."""
    max_parameters: int | None = None
    """The most parameters of a model that is trained; others are excluded."""
    max_multiply_adds: int | None = None
    """The most multiply-adds for one image of a model that is trained."""
    margin: float = 0.2
    """Percentage points of test accuracy that do not matter: finalists whose interval lies within it are tied."""
    callbacks: tuple[str, ...] = ()
    """Classes of the Keras callbacks that a study started from Python gives each trial; a resume must bring them."""
    settings: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Numbers of the sampler and the pruner that are not their defaults: see `SETTINGS`."""

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_texts(self, "dataset", "sampler", "pruner", "precision", "pixels", "class_weights")
        if not self.spaces:
            raise StudyError("a study needs at least one search space; give --space")
        if len(set(self.spaces)) < len(self.spaces):
            raise StudyError(f"each search space is tuned once; --space was given {', '.join(self.spaces)}")
        for name in (CONFIRMATION, FINALS):
            if name in self.spaces:
                raise StudyError(f"{name} cannot be a search space's name; give it another")
        _check_counts(self, trials=1, epochs=1, confirm=0, seeds=1, seed=-math.inf, split_seed=-math.inf)
        if self.confirm > max(self.trials, Definition.confirm):
            raise StudyError(f"--confirm is at most the number of trials, {self.trials}; it was given {self.confirm}")
        _check_numbers(self, "margin")
        if not 0 <= self.margin <= 100:
            raise StudyError(f"--margin must lie in 0 to 100 percentage points; it was given {self.margin:g}")
        for option in ("seed", "split_seed"):
            if not 0 <= getattr(self, option) < 2**32:
                raise StudyError(f"{flag(option)} must lie in 0 to 2^32-1; it was given {getattr(self, option)}")
        if self.sampler in REFUSED_SAMPLERS:
            raise StudyError(f"--sampler {self.sampler} is not available: {REFUSED_SAMPLERS[self.sampler]}")
        check_choice("--sampler", self.sampler, (*SAMPLERS, OWN_ORACLE) if self.dataset == ARRAYS else SAMPLERS)
        check_choice("--pruner", self.pruner, PRUNERS)
        check_choice("--precision", self.precision, PRECISIONS)
        check_choice("--pixels", self.pixels, PIXELS)
        check_choice("--class-weights", self.class_weights, CLASS_WEIGHTS)
        _check_counts(self, **{f"max_{name}": 1 for name in self.bounds})
        _check_data_options(self)

    def grown(self, **budget: Any) -> Self:
        """The definition with a larger budget.

        Raises:
            StudyError: a budget that would shrink.
        """
        for option, wanted in budget.items():
            had = getattr(self, option)
            if isinstance(wanted, int) and wanted < had:
                raise StudyError(
                    f"{flag(option)} counts from the start and may only grow; {self.name} has {had}, it was given "
                    f"{wanted}"
                )
        return dataclasses.replace(self, **budget)

    @property
    def bounds(self) -> dict[str, int]:
        """How large a model may be, by the field of `TrialRecord` that says how large one is."""
        found = {"parameters": self.max_parameters, "multiply_adds": self.max_multiply_adds}
        return {name: most for name, most in found.items() if most is not None}

    @property
    def dataset_name(self) -> str:
        """The data set as a reader calls it: a file or a folder by its name."""
        kind, _, file = self.dataset.partition(":")
        return re.split(r"[/\\]", file.rstrip("/\\"))[-1] if kind in OWN else self.dataset

    def study_name(self, space: str) -> str:
        """The Optuna study of a space's search, or of the finals."""
        return f"{self.name}/{space}"

    @property
    def parts(self) -> tuple[str, ...]:
        """What the study has an Optuna study for: each space, then the confirmation runs, and last the finals."""
        return (*self.spaces, CONFIRMATION, FINALS)

    def seed_for(self, *key: str | int) -> int:
        """A 32-bit seed that depends on `seed` and the key alone, so that no order of events can change it."""
        text = json.dumps([self.seed, *key])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def to_json(self) -> dict[str, Any]:
        """The definition as JSON values."""
        return dataclasses.asdict(self) | {name: list(getattr(self, name)) for name in ("spaces", "callbacks")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The definition that `to_json` wrote."""
        lists: Any = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists, "objective": Objective(**values["objective"])})


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a study runs on. A resume may change all of it.

    Raises:
        StudyError: a value that cannot be used, in one line.
    """

    workers: int = 1
    """Worker processes; 0 trains in the process of the command."""
    join: int = 0
    """Workers that `study worker` adds to those; more may come, and none need to."""
    timeout: float | None = None
    """Seconds that a session searches; a trial under way then is saved and continues at a resume. None is no limit."""
    trial_timeout: float | None = None
    """Seconds that a trial or a final may take; one that takes longer fails. None is no limit, except that a
    trial still running after `timeout` fails once it has gone on for that long again, at least `LEAST_OVERTIME`."""
    memory_limit: int | None = None
    """Bytes a worker may hold; a trial that needs more fails. None is no limit."""
    lease: float = 600.0
    """Seconds without news from a worker on another host after which its trial is taken up; never less than three of
    its longest epoch."""
    manual_dir: str | None = None
    """A folder with a data set's original files, for TensorFlow Datasets."""
    data_dir: str | None = None
    """Where TensorFlow Datasets prepares data sets and decoded arrays are cached."""

    def __post_init__(self) -> None:
        _check_counts(self, workers=0, join=0)
        limits = [name for name in ("timeout", "trial_timeout", "memory_limit") if getattr(self, name) is not None]
        _check_numbers(self, "lease", *limits)
        if self.workers > MOST_WORKERS:
            raise StudyError(f"--workers must be at most {MOST_WORKERS}; it was given {self.workers}")
        if self.memory_limit is not None and not self.workers:
            raise StudyError("--memory-limit applies to worker processes; --workers 0 trains without any")
        if self.memory_limit is not None and self.memory_limit < LEAST_MEMORY:
            raise StudyError(
                f"--memory-limit must be at least {LEAST_MEMORY // 10**9}GB, which TensorFlow alone takes; it was "
                f"given {self.memory_limit} bytes"
            )
        for option in ("timeout", "trial_timeout"):
            if (seconds := getattr(self, option)) is not None and seconds <= 0:
                raise StudyError(f"{flag(option)} must be more than 0 seconds; it was given {seconds:g}")
        if self.lease < 1:
            raise StudyError(f"--lease must be at least 1 second; it was given {self.lease:g}")

    @property
    def trainers(self) -> int:
        """How many processes are expected to train at the same time."""
        return self.workers + self.join

    def to_json(self) -> dict[str, Any]:
        """The resources as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The resources that `to_json` wrote."""
        return cls(**values)


DURATIONS = ("timeout", "trial_timeout", "lease")
"""Fields in seconds."""
BUDGET = ("trials", "seeds")
"""Fields of a definition that may grow."""
CHANGEABLE = (*BUDGET, *(field.name for field in dataclasses.fields(Resources)), "dataset")
"""What a resume takes; another data set is the same in another place, which its fingerprint shows."""


def changed(definition: Definition, resources: Resources, changes: Mapping[str, Any]) -> tuple[Definition, Resources]:
    """A stored study with what a resume changes.

    Raises:
        StudyError: something that is fixed, or a budget that would shrink.
    """
    if fixed := changes.keys() - set(CHANGEABLE):
        raise StudyError(
            f"{', '.join(sorted(fixed))} is fixed when a study starts; a resume takes {', '.join(CHANGEABLE)}"
        )
    budget = {name: value for name, value in changes.items() if name in BUDGET}
    places = {name: value for name, value in changes.items() if name == "dataset"}
    rest = {name: value for name, value in changes.items() if name not in budget | places}
    return dataclasses.replace(definition.grown(**budget), **places), dataclasses.replace(resources, **rest)


def flag(option: str) -> str:
    """A field as it is called on the command line."""
    return f"--{option.replace('_', '-')}"


def check_name(name: str) -> None:
    """Refuse a name that could not be a folder and the first part of an Optuna study's name."""
    if name == ARTIFACTS:
        raise StudyError(f"{name} is a folder of every home; give another NAME")
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name or name.startswith("study."):
        raise StudyError(
            "a study's name consists of letters, digits, '.', '_' and '-', begins with a letter or digit and has no "
            f"'..'; it was given {name!r}"
        )


def check_choice(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse a word that is not one of the known ones, naming them."""
    if given not in known:
        hint = did_you_mean(given, known)
        raise StudyError(f"{what} must be one of {', '.join(known)}; it was given {given!r}{hint}")


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


def duration(seconds: float) -> str:
    """Seconds as `parse_duration` reads them: `1h30m`."""
    if seconds % 1:
        return f"{seconds:g}s"
    minutes, rest = divmod(int(seconds), 60)
    parts = {"h": minutes // 60, "m": minutes % 60, "s": rest}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number)


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


def parse_count(text: str, option: str) -> int:
    """The number of `100000`, `100k` or `2.5M`.

    Raises:
        StudyError: anything else.
    """
    match = COUNT.fullmatch(text.strip())
    if match is None:
        raise StudyError(f"{option} is a number such as 100000, 100k or 2.5M; it was given {text!r}")
    power = " KMG".index(match["unit"].upper() or " ")
    return round(float(match["number"]) * float(1000**power))


def parse_image_size(text: str) -> tuple[int, int]:
    """Height and width of `96x128`.

    Raises:
        StudyError: anything else.
    """
    match = IMAGE_SIZE.fullmatch(text)
    if match is None:
        raise StudyError(f"--image-size is HEIGHTxWIDTH in pixels, such as 96x96; it was given {text!r}")
    return int(match[1]), int(match[2])


def _check_data_options(definition: Definition) -> None:
    """Refuse options that the data set does not take, or that have no such value."""
    _check_texts(definition, *(name for name in ("image_size", "test_split") if getattr(definition, name) is not None))
    if definition.image_size is not None:
        parse_image_size(definition.image_size)
    if definition.test_share is not None:
        _check_numbers(definition, "test_share")
        if not 0 < definition.test_share < 1:
            raise StudyError(f"--test-share is a share between 0 and 1; it was given {definition.test_share:g}")
    dataset = definition.dataset
    kind = OWN.get(dataset.partition(":")[0], dataset if dataset in ("digits", ARRAYS, DATA) else CATALOG)
    for option, kinds in DATA_OPTIONS.items():
        if getattr(definition, option) != getattr(Definition, option) and kind not in kinds:
            raise StudyError(f"{flag(option)} is for {' or '.join(kinds)}; --dataset is {dataset}; leave it out")


def _check_texts(config: Any, *options: str) -> None:
    """Refuse fields that are no texts."""
    for option in options:
        if not isinstance(given := getattr(config, option), str):
            raise StudyError(f"{flag(option)} is a text; it was given {_shown(given)}")


def _check_numbers(config: Any, *options: str) -> None:
    """Refuse fields that are no finite numbers."""
    for option in options:
        given = getattr(config, option)
        if not isinstance(given, (int, float)) or not math.isfinite(given):
            raise StudyError(f"{flag(option)} is a number; it was given {_shown(given)}")


def _shown(given: Any) -> str:
    """Whatever was given, in a line."""
    return " ".join(repr(given).split())[:100]


def _check_counts(config: Any, **least: float) -> None:
    """Refuse fields that are no whole numbers, or too small ones."""
    for option, minimum in least.items():
        given = getattr(config, option)
        if not isinstance(given, int):
            raise StudyError(f"{flag(option)} is a whole number; it was given {_shown(given)}")
        if given < minimum:
            raise StudyError(f"{flag(option)} must be at least {minimum}; it was given {given}")
