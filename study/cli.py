"""The commands. Nothing heavy is imported at module level: `study --help` answers at once."""

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

import typer

from search_spaces import SpaceError
from study.config import StudyConfig, absolute, absolute_npz, check_choice, parse_duration, parse_size
from study.errors import Interrupted, StudyError

if TYPE_CHECKING:
    from study.progress import Display
    from study.session import Cluster, Task

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Tune Keras image classifiers with Optuna, keep every trial in SQLite, compare the best on the test set.",
)


def _home(text: str) -> Path:
    from study.files import folder

    return folder(text)


Name = Annotated[str, typer.Argument(metavar="NAME", help="The study.")]
Home = Annotated[
    Path, typer.Option(metavar="DIR", parser=_home, help="Folder of the studies; an object store's URL with --storage.")
]
Storage = Annotated[str | None, typer.Option(help="Database URL. [default: sqlite:///HOME/study.db]")]
Timeout = Annotated[
    str | None, typer.Option(help="Search this long: 90s, 30m, 1h30m; what is under way then goes on at a resume.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only.")]
ManualDir = Annotated[Path | None, typer.Option(help="Folder with the data set's original files.")]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets are prepared. [default: ~/tensorflow_datasets]")]
Workers = Annotated[
    str | None,
    typer.Option(metavar="W", help="Worker processes; auto is one a core; 0 trains in this one."),
]
Join = Annotated[int | None, typer.Option(metavar="W", help="Workers that 'study worker' adds. [default: 0]")]
Lease = Annotated[
    str | None,
    typer.Option(help="After which a worker elsewhere without a word has lost its trial. [default: 10m]"),
]
ClusterAddress = Annotated[
    str | None, typer.Option("--cluster", help="Place the workers on a Ray cluster: auto or ray://HOST:10001.")
]
Cpus = Annotated[float, typer.Option("--cpus-per-worker", help="On a cluster.")]
Gpus = Annotated[float, typer.Option("--gpus-per-worker", help="On a cluster; 0.25 lets four share one.")]
MemoryLimit = Annotated[str | None, typer.Option(help="Of a worker, as 4GB; a trial that needs more fails.")]
AllowDrift = Annotated[
    bool,
    typer.Option("--allow-drift", help="Go on under other versions of Keras and the like."),
]
TensorBoard = Annotated[Path | None, typer.Option(help="Folder for TensorBoard's logs of each trial.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HOME = Path("runs")
PASSWORD = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://(?:[^:/@?]*(?P<cut>:.+?)@(?=[^@/?]*(?:[/?]|$))"
    r"|[^?]*\?(?:.*&)?password=(?P<asked>[^&]+))"
)
"""In an argument."""
WAIT_SECONDS = 2.0
"""Between two looks whether a study is there."""


class Direction(StrEnum):
    """Which way an objective is better."""

    maximize = "maximize"
    minimize = "minimize"


class Target(StrEnum):
    """Where an export goes that is no file."""

    mlflow = "mlflow"


class Assets(StrEnum):
    """Where a report has plotly.js."""

    embed = "embed"
    directory = "directory"


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Names the study.")] = StudyConfig.name,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="Search space: dense, paper, cnn or package.module:object; repeat for several. "
            f"[default: {' and '.join(StudyConfig.spaces)}]"
        ),
    ] = None,
    dataset: Annotated[str, typer.Option(help="digits, mnist, npz:FILE or a TensorFlow data set.")] = (
        StudyConfig.dataset
    ),
    manual_dir: ManualDir = None,
    data_dir: DataDir = None,
    trials: Annotated[int, typer.Option(help="Finished trials per space.")] = StudyConfig.trials,
    epochs: Annotated[int, typer.Option(help="The most a trial may train.")] = StudyConfig.epochs,
    timeout: Timeout = None,
    seeds: Annotated[int, typer.Option(help="Finals per finalist.")] = StudyConfig.seeds,
    seed: Annotated[int, typer.Option(help="Every random number follows from it.")] = StudyConfig.seed,
    split_seed: Annotated[int, typer.Option(help="The validation cut follows from it.")] = StudyConfig.split_seed,
    sampler: Annotated[
        str, typer.Option(help="tpe, random, qmc, nsga2, gp; kt-random, kt-bayesian, kt-grid are KerasTuner's.")
    ] = StudyConfig.sampler,
    pruner: Annotated[str, typer.Option(help="sha (successive halving), median or none.")] = StudyConfig.pruner,
    objective: Annotated[
        str, typer.Option(help="val_accuracy, val_loss, or a metric of yours with --direction.")
    ] = StudyConfig.objective,
    direction: Annotated[Direction | None, typer.Option(help="Which way a metric of yours is better.")] = None,
    workers: Workers = "auto",
    join: Join = None,
    lease: Lease = None,
    cluster: ClusterAddress = None,
    cpus_per_worker: Cpus = 1.0,
    gpus_per_worker: Gpus = 0.0,
    memory_limit: MemoryLimit = None,
    precision: Annotated[str, typer.Option(help="float32, mixed_float16 or mixed_bfloat16.")] = StudyConfig.precision,
    tensorboard: TensorBoard = None,
    home: Home = HOME,
    storage: Storage = None,
    quiet: Quiet = False,
) -> None:
    """Start a study: search, finals, report."""
    from study import results
    from study import storage as storage_room
    from study.session import Task

    url = storage_room.storage_url(home, storage)
    placed = _cluster(cluster, cpus_per_worker, gpus_per_worker, url)
    config = StudyConfig(
        name=name,
        spaces=tuple(space) if space else StudyConfig.spaces,
        dataset=absolute_npz(dataset),
        manual_dir=absolute(manual_dir),
        data_dir=absolute(data_dir),
        trials=trials,
        epochs=epochs,
        timeout=_parsed(timeout, parse_duration),
        seeds=seeds,
        seed=seed,
        split_seed=split_seed,
        sampler=sampler,
        pruner=pruner,
        objective=objective,
        objective_direction=direction.value if direction else None,
        workers=_workers(workers, placed),
        memory_limit=_parsed(memory_limit, parse_size),
        precision=precision,
        **_given(join=join, lease=_lease(lease)),
    )
    storage_room.check_places(home, name, storage)
    results.refuse_existing(storage_room.open_storage(url), config.name)
    _work(Task(config, home, url, create=True, tensorboard=tensorboard, cluster=placed), quiet)


@app.command()
def resume(
    name: Name,
    trials: Annotated[int | None, typer.Option(help="A new budget: finished trials per space.")] = None,
    timeout: Timeout = None,
    seeds: Annotated[int | None, typer.Option(help="Finals per finalist.")] = None,
    workers: Workers = None,
    join: Join = None,
    lease: Lease = None,
    cluster: ClusterAddress = None,
    cpus_per_worker: Cpus = 1.0,
    gpus_per_worker: Gpus = 0.0,
    memory_limit: MemoryLimit = None,
    manual_dir: ManualDir = None,
    data_dir: DataDir = None,
    tensorboard: TensorBoard = None,
    allow_drift: AllowDrift = False,
    home: Home = HOME,
    storage: Storage = None,
    quiet: Quiet = False,
) -> None:
    """Go on where a study stopped: search, then finals, then report."""
    from study.session import Task

    stored, url = _stored(name, home, storage)
    placed = _cluster(cluster, cpus_per_worker, gpus_per_worker, url)
    changes = _given(
        trials=trials,
        timeout=_parsed(timeout, parse_duration),
        seeds=seeds,
        workers=None if workers is None else _workers(workers, placed),
        join=join,
        lease=_lease(lease),
        memory_limit=_parsed(memory_limit, parse_size),
        manual_dir=absolute(manual_dir),
        data_dir=absolute(data_dir),
    )
    config = stored.changed(**changes)
    task = Task(config, home, url, allow_drift=allow_drift, tensorboard=tensorboard, cluster=placed)
    _work(task, quiet)


@app.command()
def evaluate(
    name: Name,
    manual_dir: ManualDir = None,
    data_dir: DataDir = None,
    allow_drift: AllowDrift = False,
    home: Home = HOME,
    storage: Storage = None,
    quiet: Quiet = False,
) -> None:
    """Make the finals of a study as it stands (run and resume do this at their end)."""
    from study.session import Task

    stored, url = _stored(name, home, storage)
    config = replace(stored, **_given(manual_dir=absolute(manual_dir), data_dir=absolute(data_dir)))
    _work(Task(config, home, url, search=False, allow_drift=allow_drift), quiet)


@app.command()
def worker(
    name: Name,
    workers: Annotated[str, typer.Option(metavar="W", help="Worker processes here; auto is one a core.")] = "1",
    finals: Annotated[bool, typer.Option(help="Make finals too; their files are kept under this --home.")] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the study where there is none yet.")] = False,
    manual_dir: ManualDir = None,
    data_dir: DataDir = None,
    allow_drift: AllowDrift = False,
    home: Home = HOME,
    storage: Storage = None,
    quiet: Quiet = False,
) -> None:
    """Join a study from this machine: train what is left, and leave when nothing is."""
    from study import api
    from study.session import Task
    from study.workers import parse as parse_workers

    processes = _parsed(workers, parse_workers)
    with _display(quiet) as display:
        while wait and not _is_there(name, home, storage, display):
            time.sleep(WAIT_SECONDS)
        stored, url = _stored(name, home, storage)
        config = replace(stored, **_given(manual_dir=absolute(manual_dir), data_dir=absolute(data_dir)))
        task = Task(config, home, url, allow_drift=allow_drift, processes=processes, joins=True, finals=finals)
        try:
            api.work(task, display)
        except Interrupted:
            display.warn("stopped; what was under way was handed back")
            raise
        display.warn(f"nothing is left to train in {name}")


@app.command()
def train(
    space: Annotated[str, typer.Option(help="Search space: dense, paper, cnn or package.module:object.")],
    values: Annotated[str, typer.Option(help="The hyperparameters, a JSON object; those left out are the defaults.")],
    epochs: Annotated[int, typer.Option(help="How many to train.")],
    dataset: Annotated[str, typer.Option(help="As of 'study run'.")] = StudyConfig.dataset,
    seed: Annotated[int, typer.Option(help="Of the weights, the order of images, dropout and augmentation.")] = 0,
    split_seed: Annotated[int, typer.Option(help="As of 'study run'.")] = StudyConfig.split_seed,
    precision: Annotated[str, typer.Option(help="As of 'study run'.")] = StudyConfig.precision,
    manual_dir: ManualDir = None,
    data_dir: DataDir = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .keras file.")] = Path("model.keras"),
) -> None:
    """Train one configuration on training + validation images and save the model; a report says the words."""
    from search_spaces.loading import check_name
    from study import retraining

    config = StudyConfig(
        spaces=(space,), dataset=absolute_npz(dataset), epochs=epochs, seed=seed, split_seed=split_seed,
        precision=precision, manual_dir=absolute(manual_dir), data_dir=absolute(data_dir),
    )  # fmt: skip
    check_name(space)
    parameters = retraining.retrain(config, retraining.parse(values), output)
    typer.echo(f"model: {output} ({parameters:,} parameters)")


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The study, or several to compare.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML file; the JSON file is written beside it.")
    ] = None,
    assets: Annotated[
        Assets, typer.Option(help="embed: one file; directory: plotly.js beside it, shared between reports.")
    ] = Assets.embed,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Write the HTML report of a study, or one that compares several, from what is stored."""
    from study import api
    from study import storage as storage_room

    if len(set(names)) < len(names):
        raise StudyError(f"each study is compared once; it was given {', '.join(names)}")
    url = storage_room.storage_url(home, storage)
    opened, first = storage_room.open_study(url, names[0])
    configs = [first, *(storage_room.read_config(opened, name) for name in names[1:])]
    file = api.write_report(configs, opened, home, output, assets is Assets.directory)
    typer.echo(f"report: {file}")


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The study; all where none is given.")] = None,
    as_json: AsJson = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Say what is done, running and left, and the best so far."""
    from study import results
    from study import storage as storage_room

    opened = storage_room.open_database(storage_room.storage_url(home, storage))
    chosen = [storage_room.read_config(opened, name)] if name else [*storage_room.read_configs(opened).values()]
    states = [results.progress(opened, config) for config in chosen if opened is not None]
    if as_json:
        typer.echo(json.dumps(states if name is None else states[0], indent=2))
        return
    if not states:
        typer.echo("there is no study yet; 'study run' begins one")
    for state in states:
        _print_status(state)


@app.command()
def best(
    name: Name,
    space: Annotated[str | None, typer.Option(help="Of this space; of all where none is given.")] = None,
    as_json: AsJson = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Print the winning configuration and where its model is."""
    from study import results
    from study import storage as storage_room

    opened, config = storage_room.open_study(storage_room.storage_url(home, storage), name)
    if space is not None:
        check_choice("--space", space, dict.fromkeys(config.spaces))
    winner = results.best(opened, config, home, space)
    if as_json:
        typer.echo(json.dumps(winner, indent=2))
        return
    for key, value in winner.items():
        if key == "values":
            for parameter, setting in value.items():
                typer.echo(f"  {parameter}: {setting}")
        else:
            typer.echo(f"{key.replace('_', ' ')}: {'-' if value is None else value}")


@app.command()
def export(
    name: Name,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A .csv, .parquet or .json file; with --to mlflow its tracking URI."),
    ] = None,
    to: Annotated[Target | None, typer.Option(help="mlflow: a run a trial and final, beside those it has.")] = None,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Write the trials of a study as a table, or to MLflow."""
    from study import extras, results
    from study import storage as storage_room

    if to is not None:
        extras.check(f"--to {to.value}")
    elif output is None:
        raise StudyError("-o is missing: a .csv, .parquet or .json file")
    opened, config = storage_room.open_study(storage_room.storage_url(home, storage), name)
    if to is not None:
        from study import mlflow_runs

        written = mlflow_runs.export(opened, config, output)
        typer.echo(f"{written} new runs: {output or 'MLflow'}")
        return
    assert output is not None
    rows = results.export(opened, config, Path(output))
    typer.echo(f"{rows} trials: {output}")


@app.command()
def spaces() -> None:
    """List the search spaces."""
    from search_spaces.loading import SPACES

    _print_names(
        {name: about for name, (_, about) in SPACES.items()}
        | {"package.module:object": "your own: a KerasTuner HyperModel (class or instance) or a function build(hp)"}
    )


@app.command()
def datasets() -> None:
    """List the data sets."""
    from study.datasets import NAMES

    _print_names(NAMES)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 unusable input, 1 a failure, 130 interrupted."""
    try:
        result = app(args=arguments, prog_name="study", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except StudyError as error:
        return _complain(str(error), error.exit_code)
    except SpaceError as error:
        return _complain(str(error), StudyError.exit_code)
    except Exception as error:
        storage = sys.modules.get("study.storage")  # not imported here: it is heavy
        if storage is not None and isinstance(error, storage.FAILURES):
            failure = storage.failure(error)
            return _complain(str(failure), failure.exit_code)
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(str(error), err=True)
            return 2
        if hasattr(error, "format_message"):
            return _complain(_usage(error), 2)
        raise


def entry_point() -> None:
    """The console script."""
    _hide_passwords()
    sys.exit(main())


def _hide_passwords() -> None:
    """Begin anew without the password of a database URL among the arguments: they can be read by everybody on the
    machine. It goes to where the server's own programs look for it."""
    words = list(sys.orig_argv)
    for index, word in enumerate(words):
        option = "--storage=" if word.startswith("--storage=") else ""
        if (option or words[index - 1] == "--storage") and (found := PASSWORD.search(word)):
            cut = "cut" if found["cut"] is not None else "asked"
            os.environ["PGPASSWORD"] = unquote(found[cut].removeprefix(":") if cut == "cut" else found[cut])
            words[index] = word[: found.start(cut)] + word[found.end(cut) :]
            os.execv(sys.executable, words)


def _stored(name: str, home: Path, storage: str | None) -> tuple[StudyConfig, str]:
    """The definition of a study that is gone on with, and its storage's URL."""
    from study import storage as storage_room
    from study.files import exists

    url = storage_room.storage_url(home, storage)
    if exists(home):
        storage_room.check_places(home, name, storage)
    _, stored = storage_room.open_study(url, name, writing=True)
    return stored, url


def _cluster(address: str | None, cpus: float, gpus: float, url: str) -> "Cluster | None":
    """Where workers are placed.

    Raises:
        StudyError: it cannot be such a place.
    """
    from study import extras
    from study import storage as storage_room
    from study.session import Cluster

    if address is None:
        return None
    if address != "auto" and not address.startswith("ray://"):
        raise StudyError(f"--cluster is auto or ray://HOST:10001; it was given {address!r}")
    if cpus < 0 or gpus < 0:
        raise StudyError("--cpus-per-worker and --gpus-per-worker must be at least 0")
    extras.check("--cluster")
    if not storage_room.serves_many_hosts(url):
        raise StudyError(
            "an SQLite database has one host; with --cluster give --storage postgresql+psycopg://USER@HOST/DATABASE"
        )
    return Cluster(address, cpus, gpus)


def _workers(text: str | None, placed: "Cluster | None") -> Any:
    """A number of workers, or as many as suit this machine or the cluster."""
    from study.workers import parse

    if placed is not None and text == "auto":
        from study import cluster

        return cluster.fitting(placed)
    if placed is not None and text == "0":
        raise StudyError("--workers 0 trains in this process; with --cluster give at least 1, or auto")
    return _parsed(text, parse)


def _is_there(name: str, home: Path, storage: str | None, display: "Display") -> bool:
    """Whether a study is stored; a server that is away is waited for."""
    from study import storage as storage_room

    url = storage_room.storage_url(home, storage)
    opened = storage_room.open_storage(url, known=True, waiting=display.warn)
    return name in storage_room.read_configs(opened)


def _display(quiet: bool) -> "Display":
    from study.progress import Display, LastingConsole

    return Display(LastingConsole(), quiet=quiet)


def _work(task: "Task", quiet: bool) -> None:
    """Search, finals and report of a study."""
    from study import api
    from study import storage as storage_room

    began = time.time()
    config, home, url = task.config, task.home, task.url
    with _display(quiet) as display:
        try:
            api.work(task, display)
        except Interrupted:  # Typer turns it into exit code 130
            if config.name in storage_room.read_configs(storage_room.open_storage(url, known=True)):
                display.warn(f"stopped; go on with: {_resume_command(task)}")
            else:
                display.warn("stopped before the study was created; start it again")
            raise
    storage, config = storage_room.open_study(url, config.name, known=True)
    file, verdict = api.conclude(config, storage, home)
    _show_verdict(verdict, file, display)
    api.refuse_failed_finals(storage, config, began)


def _show_verdict(info: Any, file: Path, display: "Display") -> None:
    from rich.table import Table

    from reports.panels import verdict

    table = Table()
    shown = [verdict.COLUMNS.index(column) for column in verdict.SHORT_COLUMNS]
    for index in shown:
        table.add_column(verdict.COLUMNS[index], justify="right" if index else "left", no_wrap=True)
    for row in info.rows:
        cells = verdict.cells(row)
        table.add_row(*(cells[index] for index in shown))
    display.show(table)
    for line in (info.sentence, f"report: {file}"):
        display.warn(line)


def _print_status(state: dict[str, Any]) -> None:
    typer.echo(f"{state['name']}: {state['dataset']}, {state['objective']}")
    for space in state["spaces"]:
        best_value = "-" if space["best"] is None else f"{space['best']:.4f} (trial {space['best_trial']})"
        counts = ", ".join(f"{space[state]} {state}" for state in ("complete", "pruned", "failed", "running"))
        if space["interrupted"]:
            counts += f", {space['interrupted']} interrupted"
        typer.echo(f"  {space['name']}: {counts}, {space['left']} left; best {best_value}")
        if space["last_error"]:
            typer.echo(f"    last failure: {space['last_error']}")
    typer.echo(f"  finals: {state['finals']} done")


def _print_names(names: dict[str, str]) -> None:
    width = max(map(len, names))
    for name, about in names.items():
        typer.echo(f"{name:{width}}  {about}")


def _resume_command(task: "Task") -> str:
    from study import storage as storage_room

    config, home, url = task.config, task.home, task.url
    words = ["study", "resume", config.name]
    if home != HOME:
        words += ["--home", str(home)]
    if url != storage_room.storage_url(home, None):
        words += ["--storage", storage_room.shown_url(url)]
    if task.cluster is not None:
        words += ["--cluster", task.cluster.address, "--cpus-per-worker", f"{task.cluster.cpus:g}"]
        words += ["--gpus-per-worker", f"{task.cluster.gpus:g}"]
    if task.tensorboard is not None:
        words += ["--tensorboard", str(task.tensorboard)]
    if task.allow_drift:
        words.append("--allow-drift")
    return shlex.join(words)


def _usage(error: Any) -> str:
    """A usage error in one line; for an option of `run` that `resume` does not take, why."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "study"
    option = getattr(error, "option_name", None)
    if command == "study resume" and option in _options_of_run():
        return (
            f"{option} is fixed when a study starts; 'study resume' takes --trials, --timeout, --seeds, --workers, "
            "--join, --lease, --cluster, --memory-limit, --manual-dir, --data-dir, --tensorboard, --allow-drift, "
            "--home, --storage and --quiet"
        )
    return f"{message}; '{command} --help' lists what it takes"


def _options_of_run() -> set[str]:
    command: Any = typer.main.get_command(app)
    return {flag for parameter in command.commands["run"].params for flag in parameter.opts}


def _complain(message: str, exit_code: int) -> int:
    from rich.console import Console

    Console(stderr=True).print(f"study: {message}", markup=False, highlight=False, soft_wrap=True)
    return exit_code


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others keep their defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _lease(text: str | None) -> Any:
    return _parsed(text, lambda given: parse_duration(given, "--lease"))


def _parsed(text: str | None, parse: Callable[[str], Any]) -> Any:
    return None if text is None else parse(text)
