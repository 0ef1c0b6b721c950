"""The commands that train: run, resume, evaluate, worker, train."""

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli import options as option
from study.cli.app import app, echo
from study.cli.options import HOME, count, given, parsed, seconds
from study.config import PRUNERS, SAMPLERS, SPACES, Definition, Resources, changed, parse_size
from study.errors import Interrupted, StudyError
from study.objective import KNOWN, Objective
from study.paths import KINDS, absolute, absolute_dataset, relative, whole

if TYPE_CHECKING:
    from study.api import Conclusion
    from study.execution.task import Cluster, Task
    from study.storage.address import Address
    from study.storage.store import StoredStudy
    from study.system.progress import LineDisplay

WAIT_SECONDS = 2.0
"""Between two looks whether a study is there."""
DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", *(f"{kind}:" for kind in KINDS))
"""What the shell completes."""
SPACE = "dense, paper, cnn or package.module:object"


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Names the study.")] = Definition.name,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Search space: {SPACE}; repeat for several. [default: {' and '.join(Definition.spaces)}]",
            autocompletion=option.of(SPACES),
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            help="digits, mnist, folder:DIR, npz:FILE, csv:FILE or a TensorFlow data set.",
            autocompletion=option.of(DATASETS),
        ),
    ] = Definition.dataset,
    image_size: option.ImageSize = None,
    test_share: option.TestShare = None,
    test_split: option.TestSplit = None,
    skip_unreadable: option.SkipUnreadable = False,
    manual_dir: option.ManualDir = None,
    data_dir: option.DataDir = None,
    trials: Annotated[int, typer.Option(help="Finished trials per space.")] = Definition.trials,
    epochs: Annotated[int, typer.Option(help="Maximum epochs per trial.")] = Definition.epochs,
    timeout: option.Timeout = None,
    trial_timeout: option.TrialTimeout = None,
    confirm: Annotated[
        int, typer.Option(help="The best trials that are trained again before the winner is chosen; 0: none.")
    ] = Definition.confirm,
    seeds: Annotated[int, typer.Option(help="Retrainings per finalist, each tested once.")] = Definition.seeds,
    seed: Annotated[int, typer.Option(help="Every random number follows from it.")] = Definition.seed,
    split_seed: Annotated[int, typer.Option(help="The validation cut follows from it.")] = Definition.split_seed,
    sampler: Annotated[
        str,
        typer.Option(
            help="tpe, random, qmc, nsga2, gp; kt-random, kt-bayesian, kt-grid are KerasTuner's.",
            autocompletion=option.of(SAMPLERS),
        ),
    ] = Definition.sampler,
    pruner: Annotated[
        str, typer.Option(help="sha (successive halving), median or none.", autocompletion=option.of(PRUNERS))
    ] = Definition.pruner,
    objective: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(KNOWN)}, or a metric of yours with --direction.", autocompletion=option.of(KNOWN)
        ),
    ] = Objective.name,
    direction: Annotated[option.Direction | None, typer.Option(help="Which way a metric of yours is better.")] = None,
    max_parameters: option.MaxParameters = None,
    max_multiply_adds: option.MaxMultiplyAdds = None,
    margin: Annotated[
        float, typer.Option(help="Percentage points of test accuracy within which finalists are tied.")
    ] = Definition.margin,
    workers: option.Workers = "auto",
    join: option.Join = None,
    lease: option.Lease = None,
    cluster: option.ClusterAddress = None,
    cpus_per_worker: option.Cpus = 1.0,
    gpus_per_worker: option.Gpus = 0.0,
    memory_limit: option.MemoryLimit = None,
    precision: Annotated[str, typer.Option(help="float32, mixed_float16 or mixed_bfloat16.")] = Definition.precision,
    pixels: Annotated[str, typer.Option(help="The range in which models get them: 0..1 or 0..255.")] = (
        Definition.pixels
    ),
    class_weights: option.ClassWeights = Definition.class_weights,
    tensorboard: option.TensorBoard = None,
    home: option.Home = HOME,
    storage: option.Storage = None,
    quiet: option.Quiet = False,
) -> None:
    """Start a study: search, finals, report."""
    from study import api
    from study.execution.task import Options, Steps, Task
    from study.storage.address import Address

    address = Address.of(home, storage)
    placed = _cluster(cluster, cpus_per_worker, gpus_per_worker, address)
    definition = Definition(
        name=name,
        spaces=tuple(space) if space else Definition.spaces,
        dataset=absolute_dataset(dataset),
        image_size=image_size,
        test_share=test_share,
        test_split=test_split,
        skip_unreadable=skip_unreadable,
        objective=Objective.of(objective, direction.value if direction else None),
        trials=trials,
        epochs=epochs,
        confirm=confirm,
        seeds=seeds,
        max_parameters=count(max_parameters, "--max-parameters"),
        max_multiply_adds=count(max_multiply_adds, "--max-multiply-adds"),
        margin=margin,
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        split_seed=split_seed,
        precision=precision,
        pixels=pixels,
        class_weights=class_weights,
    )
    resources = Resources(
        workers=_workers(workers, placed),
        timeout=seconds(timeout, "--timeout"),
        trial_timeout=seconds(trial_timeout, "--trial-timeout"),
        memory_limit=parsed(memory_limit, parse_size),
        manual_dir=absolute(manual_dir),
        data_dir=absolute(data_dir),
        **given(join=join, lease=seconds(lease, "--lease")),
    )
    api.refuse_existing(address, name)
    options = Options(tensorboard=_whole(tensorboard), cluster=placed)
    _carry_out(Task(address, definition, resources, Steps(create=True), options=options), quiet)


@app.command()
def resume(
    name: option.Name,
    trials: Annotated[int | None, typer.Option(help="A new budget: finished trials per space.")] = None,
    timeout: option.Timeout = None,
    trial_timeout: option.TrialTimeout = None,
    seeds: Annotated[int | None, typer.Option(help="Retrainings per finalist, each tested once.")] = None,
    workers: option.Workers = None,
    join: option.Join = None,
    lease: option.Lease = None,
    cluster: option.ClusterAddress = None,
    cpus_per_worker: option.Cpus = 1.0,
    gpus_per_worker: option.Gpus = 0.0,
    memory_limit: option.MemoryLimit = None,
    dataset: Annotated[
        str | None, typer.Option(help="The same data set, where it lies now: folder:DIR, npz:FILE, csv:FILE.")
    ] = None,
    manual_dir: option.ManualDir = None,
    data_dir: option.DataDir = None,
    tensorboard: option.TensorBoard = None,
    allow_drift: option.AllowDrift = False,
    take_over: option.TakeOver = False,
    home: option.Home = HOME,
    storage: option.Storage = None,
    quiet: option.Quiet = False,
) -> None:
    """Continue a study where it stopped: search, then finals, then report."""
    from study.execution.task import Options, Task

    study = _stored(name, home, storage)
    placed = _cluster(cluster, cpus_per_worker, gpus_per_worker, study.store.address)
    changes = given(
        trials=trials,
        seeds=seeds,
        timeout=seconds(timeout, "--timeout"),
        trial_timeout=seconds(trial_timeout, "--trial-timeout"),
        workers=None if workers is None else _workers(workers, placed),
        join=join,
        lease=seconds(lease, "--lease"),
        memory_limit=parsed(memory_limit, parse_size),
        dataset=parsed(dataset, absolute_dataset),
        manual_dir=absolute(manual_dir),
        data_dir=absolute(data_dir),
    )
    definition, resources = changed(study.definition, study.resources, changes)
    options = Options(allow_drift=allow_drift, take_over=take_over, tensorboard=_whole(tensorboard), cluster=placed)
    _carry_out(Task(study.store.address, definition, resources, options=options), quiet)


@app.command()
def evaluate(
    name: option.Name,
    manual_dir: option.ManualDir = None,
    data_dir: option.DataDir = None,
    allow_drift: option.AllowDrift = False,
    home: option.Home = HOME,
    storage: option.Storage = None,
    quiet: option.Quiet = False,
) -> None:
    """Test the finalists now (run and resume do this at their end)."""
    from study.execution.task import Options, Steps, Task

    study = _stored(name, home, storage)
    resources = replace(study.resources, **_places(manual_dir, data_dir))
    steps, options = Steps(search=False), Options(allow_drift=allow_drift)
    _carry_out(Task(study.store.address, study.definition, resources, steps, options=options), quiet)


@app.command()
def worker(
    name: option.Name,
    workers: Annotated[str, typer.Option(metavar="W", help="Worker processes here; auto is one per core.")] = "1",
    finals: Annotated[bool, typer.Option(help="Make finals too; their files are kept under this --home.")] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the study where there is none yet.")] = False,
    manual_dir: option.ManualDir = None,
    data_dir: option.DataDir = None,
    allow_drift: option.AllowDrift = False,
    home: option.Home = HOME,
    storage: option.Storage = None,
    quiet: option.Quiet = False,
) -> None:
    """Join a study from this machine: train what is left, and leave when nothing is."""
    from study.execution.run import run
    from study.execution.task import Options, Steps, Task
    from study.system.machine import parse_workers
    from study.system.progress import display

    processes = parse_workers(workers)
    with display(quiet=quiet) as shown:
        while wait and not _is_there(name, home, storage, shown):
            time.sleep(WAIT_SECONDS)
        study = _stored(name, home, storage)
        resources = replace(study.resources, **_places(manual_dir, data_dir))
        options = Options(allow_drift=allow_drift, joins=True, workers=processes)
        task = Task(study.store.address, study.definition, resources, Steps(finals=finals), options=options)
        try:
            run(task, shown)
        except Interrupted:
            shown.warn("stopped; what was under way was handed back")
            raise
        shown.warn(f"nothing is left to train in {name}")


@app.command()
def train(
    space: Annotated[str, typer.Option(help=f"Search space: {SPACE}.")],
    values: Annotated[str, typer.Option(help="The hyperparameters, a JSON object; those left out are the defaults.")],
    epochs: Annotated[int, typer.Option(help="How many it is planned for.")],
    dataset: Annotated[str, typer.Option(help="As for 'study run'.")] = Definition.dataset,
    image_size: option.ImageSize = None,
    test_share: option.TestShare = None,
    test_split: option.TestSplit = None,
    skip_unreadable: option.SkipUnreadable = False,
    seed: Annotated[int, typer.Option(help="Weights, order of images, dropout and augmentation follow from it.")] = 0,
    split_seed: Annotated[int, typer.Option(help="As for 'study run'.")] = Definition.split_seed,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="Epochs after which the training ends, of those it is planned for.")
    ] = None,
    pruner: Annotated[
        str, typer.Option(help="That of the trial, if it was one; with sha, schedules begin again where it compares.")
    ] = "none",
    precision: Annotated[str, typer.Option(help="As for 'study run'.")] = Definition.precision,
    pixels: Annotated[str, typer.Option(help="As for 'study run'.")] = Definition.pixels,
    class_weights: option.ClassWeights = Definition.class_weights,
    manual_dir: option.ManualDir = None,
    data_dir: option.DataDir = None,
    test: Annotated[bool, typer.Option("--test", help="Print the accuracy on the test images, too.")] = False,
    output: Annotated[Path, typer.Option("-o", "--output", help="The .keras file.")] = Path("model.keras"),
) -> None:
    """Train one configuration on training + validation images and save the model; a report says the words."""
    from search_spaces.loading import check_name
    from study.execution import retraining

    definition = Definition(
        spaces=(space,),
        dataset=absolute_dataset(dataset),
        image_size=image_size,
        test_share=test_share,
        test_split=test_split,
        skip_unreadable=skip_unreadable,
        epochs=epochs,
        seed=seed,
        split_seed=split_seed,
        pruner=pruner,
        precision=precision,
        pixels=pixels,
        class_weights=class_weights,
    )
    check_name(space)
    resources = Resources(**_places(manual_dir, data_dir))
    made = retraining.retrain(definition, resources, retraining.parse(values), stop_after, whole(output), tested=test)
    echo(f"model: {output} ({made.parameters:,} parameters)")
    if made.test_images and made.errors is not None:
        accuracy = 100 * (1 - made.errors / made.test_images)
        echo(f"test accuracy: {accuracy:.2f} % ({made.errors:,} errors in {made.test_images:,})")


def _whole(path: Path | None) -> Path | None:
    return None if path is None else whole(path)


def _places(manual_dir: Path | None, data_dir: Path | None) -> dict[str, Any]:
    """Where the data lie, as far as it was given."""
    return given(manual_dir=absolute(manual_dir), data_dir=absolute(data_dir))


def _stored(name: str, home: Path, storage: str | None) -> "StoredStudy":
    """A study that is to be continued."""
    from study.storage.address import Address
    from study.storage.store import open_study
    from study.system.files import exists

    address = Address.of(home, storage)
    if exists(home):
        address.check_writable(name)
    return open_study(address, name, check_integrity=True)


def _cluster(address: str | None, cpus: float, gpus: float, stored_at: "Address") -> "Cluster | None":
    """Where workers are placed.

    Raises:
        StudyError: they cannot be placed there.
    """
    from study.execution.task import Cluster
    from study.system import extras

    if address is None:
        return None
    if address != "auto" and not address.startswith("ray://"):
        raise StudyError(f"--cluster is auto or ray://HOST:10001; it was given {address!r}")
    if cpus < 0 or gpus < 0:
        raise StudyError("--cpus-per-worker and --gpus-per-worker must be at least 0")
    extras.check("--cluster")
    if not stored_at.serves_many_hosts:
        raise StudyError(
            "an SQLite database serves one host; with --cluster give --storage postgresql+psycopg://USER@HOST/DATABASE"
        )
    return Cluster(address, cpus, gpus)


def _workers(text: str | None, placed: "Cluster | None") -> Any:
    """A number of workers, or as many as suit this machine or the cluster."""
    from study.system.machine import parse_workers

    if placed is not None and text == "auto":
        from study.execution import cluster

        return cluster.fitting(placed)
    if placed is not None and text == "0":
        raise StudyError("--workers 0 trains in this process; with --cluster give at least 1, or auto")
    return parsed(text, parse_workers)


def _is_there(name: str, home: Path, storage: str | None, display: "LineDisplay") -> bool:
    """Whether a study is stored; a server that does not answer is waited for."""
    from study.storage.address import Address
    from study.storage.store import Store

    store = Store.open(Address.of(home, storage), wait_for_server=True, say=display.warn)
    return store is not None and name in store.studies()


def _carry_out(task: "Task", quiet: bool) -> None:
    """Search, finals and report of a study."""
    from study import api
    from study.storage.store import Store
    from study.system.progress import display

    with display(quiet=quiet) as shown:
        try:
            api.carry_out(task, shown, lambda conclusion: _show(conclusion, shown))
        except Interrupted:  # Typer turns it into exit code 130
            store = Store.open(task.address, wait_for_server=True)
            if store is not None and task.definition.name in store.studies():
                shown.warn(f"stopped; continue with: {_resume_command(task)}")
            else:
                shown.warn("stopped before the study was created; start it again")
            raise


def _show(conclusion: "Conclusion", display: "LineDisplay") -> None:
    from rich.table import Table

    from reports.panels import verdict

    table = Table()
    shown = [verdict.COLUMNS.index(column) for column in verdict.SHORT_COLUMNS]
    for index in shown:
        table.add_column(verdict.COLUMNS[index], justify="right" if index else "left", no_wrap=True)
    for row in conclusion.verdict.rows:
        if row.models:
            continue  # ensembles are on the page: here they would take the width of the others
        cells = verdict.cells(row)
        table.add_row(*(cells[index] for index in shown))
    display.stop()
    display.table(table)
    said, step = conclusion.verdict.sentence, conclusion.next
    steps = [] if step is None or step.command in said else [f"{step.why}: {step.command}"]
    for line in (said, *steps, f"report: {relative(conclusion.report)}"):
        display.warn(line)


def _resume_command(task: "Task") -> str:
    from reports import commands

    address, options = task.address, task.options
    words = ["study", "resume", task.definition.name]
    words += commands.place(address)
    if options.cluster is not None:
        words += ["--cluster", options.cluster.address, "--cpus-per-worker", f"{options.cluster.cpus:g}"]
        words += ["--gpus-per-worker", f"{options.cluster.gpus:g}"]
    if options.tensorboard is not None:
        words += ["--tensorboard", str(options.tensorboard)]
    if options.allow_drift:
        words.append("--allow-drift")
    return shlex.join(words)
