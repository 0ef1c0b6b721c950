"""Options that several commands take, and how they are read."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from study import paths
from study.config import CLASS_WEIGHTS, parse_count, parse_duration
from study.errors import StudyError

HOME = Path(paths.HOME)


class Direction(StrEnum):
    """Which way an objective is better."""

    maximize = "maximize"
    minimize = "minimize"


class Target(StrEnum):
    """Where an export goes that is not a file."""

    mlflow = "mlflow"


class ModelFormat(StrEnum):
    """What a model is exported as."""

    saved_model = "saved_model"
    tflite = "tflite"
    tflite_int8 = "tflite-int8"
    onnx = "onnx"


class Assets(StrEnum):
    """Where a report has plotly.js."""

    embed = "embed"
    directory = "directory"


def _home(text: str) -> Path:
    from study.system.files import folder

    return folder(text)


def _storage(url: str) -> str:
    """A database's URL. Arguments can be read by everybody on the machine: a password is not taken."""
    from study.storage.address import has_password

    if has_password(url):
        raise StudyError(
            "--storage has a password, which everybody on this machine can read while the command runs; leave it out "
            "of the URL and put it in the environment variable PGPASSWORD or in the file ~/.pgpass"
        )
    return url


def study_names(incomplete: str) -> list[str]:
    """For the shell's completion: the studies in the default place."""
    from study.storage.address import Address
    from study.storage.store import Store

    try:
        store = Store.open_for_reading(Address.of(HOME))
    except StudyError:  # a shell wants no message
        return []
    return [] if store is None else [name for name in store.studies() if name.startswith(incomplete)]


def of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """A completion of one of some words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="The study.", autocompletion=study_names)]
Home = Annotated[
    Path, typer.Option(metavar="DIR", parser=_home, help="Folder of the studies; an object store's URL with --storage.")
]
Storage = Annotated[
    str | None,
    typer.Option(metavar="URL", parser=_storage, help="Database URL. [default: sqlite:///HOME/study.db]"),
]
Timeout = Annotated[
    str | None, typer.Option(help="Search this long: 90s, 30m, 1h30m; unfinished trials continue on resume.")
]
TrialTimeout = Annotated[
    str | None,
    typer.Option(
        help="A trial or final that takes longer fails: 90s, 10m. [default: none; after --timeout, as long again, "
        "but at least 10m]"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
ManualDir = Annotated[Path | None, typer.Option(help="Folder with the data set's original files.")]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets are prepared. [default: ~/tensorflow_datasets]")]
ImageSize = Annotated[
    str | None,
    typer.Option(metavar="HEIGHTxWIDTH", help="Scale image files to this size. [default: the size that they share]"),
]
TestShare = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Of the images, for the test, where they have no test part. [default: 0.2]"),
]
TestSplit = Annotated[
    str | None, typer.Option(metavar="SPLIT", help="Of TensorFlow Datasets, for the test. [default: test]")
]
SkipUnreadable = Annotated[bool, typer.Option("--skip-unreadable", help="Leave out files that are no images.")]
MaxParameters = Annotated[
    str | None,
    typer.Option("--max-parameters", metavar="N", help="Skip models with more parameters, such as 100k."),
]
MaxMultiplyAdds = Annotated[
    str | None,
    typer.Option(
        "--max-multiply-adds", metavar="N", help="Skip models that need more multiply-adds per image, such as 5M."
    ),
]
ClassWeights = Annotated[
    str,
    typer.Option(
        help="balanced: in training every class counts alike, however many images it has.",
        autocompletion=of(CLASS_WEIGHTS),
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(metavar="W", help="Worker processes; auto is one per core; 0 trains in this process."),
]
Join = Annotated[int | None, typer.Option(metavar="W", help="Workers expected from other machines. [default: 0]")]
Lease = Annotated[
    str | None,
    typer.Option(help="Give up on a silent worker of another machine after this long. [default: 10m]"),
]
ClusterAddress = Annotated[
    str | None, typer.Option("--cluster", help="Place the workers on a Ray cluster: auto or ray://HOST:10001.")
]
Cpus = Annotated[float, typer.Option("--cpus-per-worker", help="On a cluster.")]
Gpus = Annotated[float, typer.Option("--gpus-per-worker", help="On a cluster; 0.25 lets four workers share one.")]
MemoryLimit = Annotated[str | None, typer.Option(help="Per worker, such as 4GB; a trial that needs more fails.")]
AllowDrift = Annotated[
    bool,
    typer.Option("--allow-drift", help="Continue with different library versions."),
]
TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Take every trial under way at once: nobody else trains this study any more."),
]
TensorBoard = Annotated[Path | None, typer.Option(help="Folder for TensorBoard's logs of each trial.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others keep their defaults."""
    return {name: value for name, value in options.items() if value is not None}


def parsed(text: str | None, parse: Callable[[str], Any]) -> Any:
    """The value of an option; None where it was not given."""
    return None if text is None else parse(text)


def count(text: str | None, option: str) -> Any:
    """The number of an option that is a large one."""
    return parsed(text, partial(parse_count, option=option))


def seconds(text: str | None, option: str) -> Any:
    """Seconds of an option that is a duration."""
    return parsed(text, partial(parse_duration, option=option))
