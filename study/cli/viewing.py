"""The commands that read what is stored, or delete it: report, status, best, predict, export, delete, dashboard,
spaces, datasets."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli import watching
from study.cli.app import app, echo
from study.cli.options import (
    HOME,
    AsJson,
    Assets,
    DataDir,
    Home,
    ModelFormat,
    Name,
    Storage,
    Target,
    of,
    study_names,
)  # fmt: skip
from study.config import SPACES, check_choice
from study.errors import StudyError, printable
from study.paths import absolute, relative, whole

if TYPE_CHECKING:
    from study.storage.address import Address
    from study.storage.store import StoredStudy

SHAPE, CLASSES = (28, 28, 1), 10
"""Of the images for which the hyperparameters of a space are listed: some spaces depend on them."""


@app.command()
def report(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="The study, or several to compare.", autocompletion=study_names),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML file; the JSON file is written beside it.")
    ] = None,
    assets: Annotated[
        Assets, typer.Option(help="embed: one file; directory: plotly.js beside it, shared between reports.")
    ] = Assets.embed,
    watch: Annotated[
        bool, typer.Option("--watch", help="Rewrite it while the study runs; a browser that shows it follows.")
    ] = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Write the HTML report of a study, or one that compares several, from what is stored."""
    from study import api
    from study.storage.address import Address
    from study.storage.store import open_study

    if len(set(names)) < len(names):
        raise StudyError(f"each study is compared once; it was given {', '.join(names)}")
    first = open_study(Address.of(home, storage), names[0])
    studies = [first, *map(first.store.study, names[1:])]
    file, beside = None, assets is Assets.directory
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            for version, _ in enumerate(watching.changes(studies)):
                written = api.write_report(studies, output, beside, f"{time.time():.0f}-{version}")
                if file is None:
                    echo(f"open {relative(written)}: it is rewritten while the study runs; Ctrl-C ends that")
                file = written
    file = api.write_report(studies, output, beside)
    echo(f"report: {relative(file)}")


@app.command()
def status(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The study; all where none is given.", autocompletion=study_names),
    ] = None,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Say it again whenever it changes, while it runs.")] = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Say what is done, running and waiting, the best so far, and the room that it takes on the disk."""
    from study.storage import results
    from study.storage.address import Address
    from study.storage.store import Store, no_study

    store = Store.open_for_reading(Address.of(home, storage))
    if store is None and name:
        raise no_study(name, Address.of(home, storage))
    studies = [] if store is None else [store.study(name)] if name else list(store.studies().values())
    if watch and studies:
        _watch_status(studies, as_json)
        return
    states = [results.progress(study) for study in studies]
    losses = [] if store is None or name else store.losses()
    for loss in losses:
        typer.echo(printable(f"study: {loss}"), err=True)
    if as_json:
        echo(json.dumps(states if name is None else states[0], indent=2))
        return
    if not states and not losses:
        echo("there is no study yet; 'study run' starts one")
    for state in states:
        echo("\n".join(_status(state)))


@app.command()
def best(
    name: Name,
    space: Annotated[str | None, typer.Option(help="Of this space; of all where none is given.")] = None,
    as_json: AsJson = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Print the recommended configuration, as validation chose it, where its model is, and what the test says of it."""
    from reports.panels import number
    from study.storage import selection
    from study.storage.address import Address
    from study.storage.store import open_study

    study = open_study(Address.of(home, storage), name)
    if space is not None:
        check_choice("--space", space, study.definition.spaces)
    winner = selection.best(study, space)
    if winner["finals"]:
        from reports import collect
        from reports.panels import best as panel
        from reports.panels import verdict

        results = collect.read(study)
        if space is None:
            winner["verdict"] = verdict.info(results).sentence
        winner["python"] = panel.load(results, space)
    if as_json:
        echo(json.dumps(winner, indent=2))
        return
    code = winner.pop("python", None)
    for key, value in winner.items():
        if key == "values":
            for parameter, setting in value.items():
                echo(f"  {parameter}: {number(setting)}")
        elif key != "model_missing" or value is not None:
            echo(f"{key.replace('_', ' ')}: {_rounded(key, value)}")
    if code is not None:
        echo(f"\n{code}")


@app.command()
def predict(
    name: Name,
    images: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Image files, folders of them, .npz files; - is the standard input."),
    ],
    space: Annotated[str | None, typer.Option(help="By the winner of this space; of all where none is given.")] = None,
    as_json: AsJson = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Say which class images of your own belong to, as the recommended model sees them, and how probable that is."""
    from study import api

    sources = [sys.stdin.buffer if image == "-" else Path(image) for image in images]
    found = api.load(name, home=home, storage=storage).predict(*sources, space=space)
    if as_json:
        echo(json.dumps(found.to_dict("records"), indent=2))
        return
    shown = zip(found["image"], found["class"], found["probability"], strict=True)
    rows = [(image, label, f"{probability:.4f}") for image, label, probability in shown]
    _print_table([("image", "class", "probability"), *rows])


@app.command()
def export(
    name: Name,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", help="A .csv, .parquet or .json file; with --to its tracking URI, with --model the model."
        ),
    ] = None,
    to: Annotated[Target | None, typer.Option(help="mlflow: one run per trial and final, beside those it has.")] = None,
    model: Annotated[
        ModelFormat | None, typer.Option(help="The recommended model in another format, which is then tested again.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="With --model: the winner of this space.")] = None,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Write the trials of a study as a table, or to MLflow; or its model for another runtime."""
    from study.storage import results
    from study.storage.address import Address
    from study.storage.store import open_study
    from study.system import extras

    if model is not None:
        if to is not None or output is None:
            raise StudyError(f"--model {model.value} needs -o, the file, and takes no --to")
        _export_model(name, model, whole(output), space, Address.of(home, storage))
        return
    if space is not None:
        raise StudyError(
            "--space chooses a model; the table has the trials of all spaces: give --model, or leave it out"
        )
    if to is not None:
        extras.check(f"--to {to.value}")
    elif output is None:
        raise StudyError("-o is missing: a .csv, .parquet or .json file")
    study = open_study(Address.of(home, storage), name)
    if to is not None:
        from study.integrations import mlflow_runs

        written = mlflow_runs.export(study, output)
        echo(f"{written:,} new runs: {output or 'MLflow'}")
        return
    assert output is not None
    rows = results.export(study, whole(output))
    echo(f"{rows:,} trials: {output}")


def _export_model(name: str, model: ModelFormat, file: Path, space: str | None, address: "Address") -> None:
    from study import api
    from study.storage.store import open_study

    found = api.Study(open_study(address, name))
    before, written = found.best(space)["model_test_accuracy"], found.export_model(file, model.value, space=space)
    line = f"model: {relative(file)} ({written.bytes:,} bytes)"
    if written.test_images and written.errors is not None:
        accuracy = 1 - written.errors / written.test_images
        line += f", test accuracy {100 * accuracy:.2f} % on {written.test_images:,} images"
        line += "" if before is None else f" (as a Keras model {100 * before:.2f} %)"
    echo(line)


@app.command()
def spaces(
    space: Annotated[
        str | None,
        typer.Argument(metavar="[SPACE]", help="List its hyperparameters.", autocompletion=of(SPACES)),
    ] = None,
) -> None:
    """List the search spaces, or the hyperparameters of one: what is searched, and the baseline."""
    from search_spaces import loading

    if space is None:
        _print_names(
            {name: about for name, (_, about) in loading.SPACES.items()}
            | {"package.module:object": "your own: a KerasTuner HyperModel (class or instance) or a function build(hp)"}
        )
        return
    loading.check_name(space)
    from study.system import environment

    environment.import_tensorflow()
    from study.search.declarations import described, explored

    hypermodel = loading.load(space).hypermodel(SHAPE, CLASSES)
    declared = described(explored(space, hypermodel))
    rows = [("Hyperparameter", "Searched", "Baseline")]
    rows += [(name, searched(each), str(each.get("default", each.get("value")))) for name, each in declared.items()]
    _print_table(rows)
    epochs = getattr(hypermodel, "baseline_epochs", None)
    trained = "" if epochs is None else f" The baseline is trained for {epochs} epochs."
    echo(f"As for images of {' x '.join(map(str, SHAPE))} in {CLASSES} classes.{trained}")


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Delete a study with its trials, models and reports. One that is running is refused."""
    from study.execution import deletion
    from study.storage import results
    from study.storage.address import Address
    from study.storage.store import open_study
    from study.system.files import readable

    study = open_study(Address.of(home, storage), name, to_read=False)
    state = results.progress(study)
    trials = sum(space["finished"] for space in state["spaces"])
    if not yes and not _agreed(
        f"Delete {name} ({trials:,} trials, {state['finals']:,} finals, {readable(state['bytes'])})?"
    ):
        raise StudyError(f"{name!r} was not deleted; --yes deletes it without asking")
    echo(f"deleted {name}: {readable(deletion.delete(study))} freed")


@app.command()
def dashboard(
    name: Name,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens, on this machine alone.")] = 8080,
    home: Home = HOME,
    storage: Storage = None,
) -> None:
    """Open a study in Optuna's dashboard, with the artifacts of its finals, until Ctrl-C."""
    from study.storage.address import Address
    from study.storage.store import open_study
    from study.system import extras

    extras.check("study dashboard")
    store = open_study(Address.of(home, storage), name).store
    from study.integrations import dashboard

    echo(f"open http://{dashboard.HOST}:{port}/ and choose {name}/...; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        dashboard.serve(store, port)


@app.command()
def datasets(
    free: Annotated[bool, typer.Option("--free", help="Delete the decoded copies that no running study uses.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the data sets, and the decoded copies that studies left in the folder of the data."""
    from study.data import cache
    from study.data.datasets import NAMES
    from study.system.files import readable

    where = absolute(data_dir)
    found, freed = cache.copies(where), 0
    if not free:
        _print_names(NAMES)
        if found:
            echo("decoded copies, which 'study datasets --free' deletes where they are not in use:")
    for copy in found:
        done = free and cache.free(copy)
        freed += copy.size if done else 0
        state = "freed" if done else "in use" if free or copy.in_use else "not in use"
        echo(f"  {copy.source}: {readable(copy.size)}, {state}, {copy.folder}")
    if free:
        echo(f"{readable(freed)} freed in {cache.place(where)}")


def _watch_status(studies: "list[StoredStudy]", as_json: bool) -> None:
    """Print how far they are whenever it changes: on a terminal in the same place, as JSON on a line."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        live = stack.enter_context(Live(console=console)) if console.is_terminal and not as_json else None
        for states in watching.changes(studies):
            lines = [json.dumps(states)] if as_json else [line for state in states for line in _status(state)]
            if live is None:
                echo("\n".join(lines))
            else:
                live.update(Text(printable("\n".join(lines))), refresh=True)


def _status(state: dict[str, Any]) -> Iterator[str]:
    """How far a study is, in lines."""
    from study.system.files import readable

    yield f"{state['name']}: {state['dataset']}, {state['objective']}, {readable(state['bytes'])}"
    for space in state["spaces"]:
        best_value = "-" if space["best"] is None else f"{space['best']:.4f} (trial {space['best_trial']})"
        states = ("complete", "pruned", "excluded", "failed", "running")
        counts = ", ".join(f"{space[state]:,} {state}" for state in states if state in space)
        if space["interrupted"]:
            counts += f", {space['interrupted']:,} interrupted"
        waiting = max(space["left"] - space["running"] - space["interrupted"], 0)  # what runs has not ended either
        yield f"  {space['name']}: {counts}, {waiting:,} waiting; best {best_value}"
        if space["last_error"]:
            yield f"    last failure: {space['last_error']}"
    yield f"  confirmation: {state['confirmation']:,} runs done"
    yield f"  finals: {state['finals']:,} done"


def _print_table(rows: list[tuple[str, str, str]]) -> None:
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for first, second, third in rows:
        echo(f"{first:{widths[0]}}  {second:{widths[1]}}  {third}")


def _print_names(names: dict[str, str]) -> None:
    width = max(map(len, names))
    for name, about in names.items():
        echo(f"{name:{width}}  {about}")


def searched(declared: dict[str, Any]) -> str:
    """What a hyperparameter is drawn from, in words, as KerasTuner's JSON of it says."""
    if "values" in declared:
        return ", ".join(map(str, declared["values"]))
    if "min_value" not in declared:
        return "False, True" if declared["kind"] == "Boolean" else "fixed"
    scale = "" if declared.get("sampling", "linear") == "linear" else f", {declared['sampling']}"
    step = f" in steps of {declared['step']:g}" if declared.get("step") not in (None, 1) else ""
    return f"{declared['min_value']:g} to {declared['max_value']:g}{step}{scale}"


def _rounded(key: str, value: Any) -> str:
    """A value as the page rounds it; --json has it in full."""
    from reports.panels import percent

    if value is None:
        return "-"
    if key == "test_accuracy":
        return percent(value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _agreed(question: str) -> bool:
    """Whether the user says yes; nobody who could answer means no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
