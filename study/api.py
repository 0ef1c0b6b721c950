"""Studies from Python: what the commands do, for scripts and notebooks."""

import copy
import importlib
import pickle
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from search_spaces.loading import SpaceError, check_name
from study import extras, results, workers
from study import storage as storage_room
from study.config import StudyConfig, absolute, absolute_npz, check_choice, parse_duration, parse_size
from study.errors import StudyError, StudyFailure, one_line
from study.files import folder, is_local
from study.progress import Display, LastingConsole
from study.records import ERROR, file_name
from study.session import Task

if TYPE_CHECKING:
    import keras
    import pandas

HOME = "runs"
SPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:<>-]{0,199}")
"""What a space may be called; a class within a function has `<locals>` in its name."""
PARSERS: dict[str, Callable[[str], Any]] = {
    "timeout": parse_duration, "memory_limit": parse_size, "workers": workers.parse,
    "lease": partial(parse_duration, option="--lease"),
}  # fmt: skip


def run(
    name: str = StudyConfig.name,
    *,
    spaces: Iterable[Any] | Mapping[str, Any] = StudyConfig.spaces,
    callbacks: Sequence["keras.callbacks.Callback"] = (),
    home: str | Path = HOME,
    storage: str | None = None,
    quiet: bool = False,
    **definition: Any,
) -> "Study":
    """Start a study: search, finals, report. It is the command `study run`, and the command can go on with it.

    >>> import study
    >>> found = study.run("mine", spaces=["dense"], dataset="digits", trials=20, epochs=8)  # doctest: +SKIP
    >>> found.trials, found.best(), found.finals  # doctest: +SKIP

    Args:
        name: Names the study.
        spaces: What is tuned: names as for `--space`, HyperModels (classes or instances), functions `build(hp)`; or a
            mapping that names them.
        callbacks: Keras callbacks that each trial trains with; each has copies. The finals train without.
        home: The folder of the studies and their database.
        storage: Another database's URL.
        quiet: Print warnings only.
        **definition: The fields of `StudyConfig`: `dataset`, `trials`, `epochs`, `seeds`, `objective` and so on.
            `workers` is 0, which trains in this process; a script that gives more needs the guard
            `if __name__ == "__main__":`, as ever with processes.

    Returns:
        The study as it is stored.

    Raises:
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept, and `resume` goes on.
    """
    known = {field.name for field in fields(StudyConfig)} - {"name", "spaces", "callbacks"}
    if unknown := definition.keys() - known:
        raise StudyError(f"a study has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    objects = _named(spaces)
    _check_names(list(objects))
    definition = {name: _parsed(name, value) for name, value in definition.items()}
    classes = tuple(type(callback).__name__ for callback in callbacks)
    config = StudyConfig(name=name, spaces=tuple(objects), callbacks=classes, **{"workers": 0, **definition})
    given = {space: found for space, found in objects.items() if found is not None}
    home = folder(home)
    storage_room.check_places(home, name, storage)
    url = storage_room.storage_url(home, storage)
    results.refuse_existing(storage_room.open_storage(url), name)
    return _work_here(Task(config, home, url, create=True, spaces=given, callbacks=tuple(callbacks)), quiet)


def resume(
    name: str,
    *,
    spaces: Iterable[Any] | Mapping[str, Any] = (),
    callbacks: Sequence["keras.callbacks.Callback"] = (),
    allow_drift: bool = False,
    home: str | Path = HOME,
    storage: str | None = None,
    quiet: bool = False,
    **changes: Any,
) -> "Study":
    """Go on where a study stopped: search, finals, report.

    Args:
        name: The study.
        spaces: Those of the study that were given as objects and are not importable by their names.
        callbacks: Those that the study was started with.
        allow_drift: Go on under other versions of Keras and the like.
        home: As for `run`.
        storage: As for `run`.
        quiet: As for `run`.
        **changes: What may change: `trials` and `seeds` (which may grow), `timeout`, `workers` (0, where it is not
            given), `memory_limit`, `manual_dir`, `data_dir`.

    Returns:
        The study as it is stored.

    Raises:
        StudyError: what cannot be used; nothing was changed.
        StudyFailure: the study stopped; what is finished is kept.
    """
    home = folder(home)
    url = storage_room.storage_url(home, storage)
    _, stored = storage_room.open_study(url, name, writing=True)
    config = stored.changed(**{"workers": 0, **{name: _parsed(name, value) for name, value in changes.items()}})
    given = {space: found for space, found in _named(spaces).items() if found is not None}
    task = Task(config, home, url, allow_drift=allow_drift, spaces=given, callbacks=tuple(callbacks))
    return _work_here(task, quiet)


def load(name: str, *, home: str | Path = HOME, storage: str | None = None) -> "Study":
    """A study as it is stored, running or done. Nothing is trained, and neither Keras nor the data set is needed.

    Raises:
        StudyError: there is none of that name; those that exist are named.
    """
    home = folder(home)
    opened, config = storage_room.open_study(storage_room.storage_url(home, storage), name)
    return Study(opened, config, home)


class Study:
    """A stored study: its trials, its best configuration, its finals and its report.

    `load` and `run` give one. What it says is read anew at each call, so a running study may be watched.
    """

    def __init__(self, storage: BaseStorage, config: StudyConfig, home: Path) -> None:
        self.storage = storage
        self.config = config
        """What the study is."""
        self.home = home

    @property
    def trials(self) -> "pandas.DataFrame":
        """A row for each trial of each space: number, state, value, epochs, seconds, error, and `hp.NAME` for each
        hyperparameter."""
        return results.table(self.storage, self.config)

    @property
    def finals(self) -> "pandas.DataFrame":
        """A row for each final: finalist, seed, test accuracy (0 to 1), test loss (nats)."""
        return results.finals_table(self.storage, self.config)

    def best(self, space: str | None = None) -> dict[str, Any]:
        """The winning configuration of a space, or of all: its values, its trial, its test accuracy.

        Raises:
            StudyError: no trial is complete.
        """
        if space is not None:
            check_choice("space", space, dict.fromkeys(self.config.spaces))
        return results.best(self.storage, self.config, self.home, space)

    def best_model(self, space: str | None = None) -> "keras.Model":
        """The winner's saved model, the best of its finals. It takes pixels scaled to 0..1.

        Raises:
            StudyError: no final of the winner is done.
        """
        winner = self.best(space)
        if winner["model"] is None:
            raise StudyError(
                f"the study {self.config.name!r} has no saved model of {winner['space']} yet: the finals make it, and "
                f"'study resume {self.config.name}' makes them"
            )
        from study import environment

        environment.import_tensorflow()
        import keras

        import search_spaces

        if winner["space"] in search_spaces.SPACES:
            search_spaces.load(winner["space"])  # registers what its models are made of
        model = folder(winner["model"])
        if is_local(model):
            return keras.saving.load_model(model)
        with tempfile.TemporaryDirectory() as own:
            near = Path(own) / model.name
            near.write_bytes(model.read_bytes())
            return keras.saving.load_model(near)

    def progress(self) -> dict[str, Any]:
        """What is done, running and left, and the best so far: what `study status --json` prints."""
        return results.progress(self.storage, self.config)

    def report(self, file: str | Path | None = None) -> Path:
        """Write the HTML report, and its numbers as JSON beside it; by default in the study's folder."""
        return write_report([self.config], self.storage, self.home, None if file is None else Path(file))

    def __repr__(self) -> str:
        return f"<study {self.config.name}: {', '.join(self._lines())}>"

    def _repr_html_(self) -> str:
        return f"<b>{escape(self.config.name)}</b><br>" + "<br>".join(map(escape, self._lines()))

    def _lines(self) -> list[str]:
        progress = self.progress()
        spaces = [
            f"{space['name']} {space['finished']} of {space['trials']} trials"
            + ("" if space["best"] is None else f", best {self.config.objective} {space['best']:.4f}")
            for space in progress["spaces"]
        ]
        return [*spaces, f"{progress['finals']} finals"]


def work(task: Task, display: Display) -> None:
    """Search and finals of a study.

    Raises:
        Interrupted: by a signal; what was under way goes on with a resume.
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept.
    """
    config = task.config
    extras.check(f"--sampler {config.sampler}")
    if task.tensorboard is not None:
        extras.check("--tensorboard")
    for space in config.spaces:
        if space not in task.spaces:
            try:
                check_name(space)
            except SpaceError as error:
                raise StudyError(f"{error}; one that was given as an object is given to study.resume again") from None
    try:
        copy.deepcopy(task.callbacks)
    except Exception as error:  # whatever a user's objects raise
        raise StudyError(f"callbacks must be such as can be copied for each trial: {one_line(error, 200)}") from None
    classes = tuple(type(callback).__name__ for callback in task.callbacks)
    if task.search and classes != config.callbacks:
        raise StudyError(
            f"the study {config.name!r} trains with the callbacks {', '.join(config.callbacks) or 'none'}; it was "
            f"given {', '.join(classes) or 'none'}; from Python study.resume({config.name!r}, callbacks=[...]) goes on"
        )
    if task.workers:
        try:
            pickle.dumps((task.spaces, task.callbacks))
        except Exception as error:  # whatever a user's objects raise
            raise StudyError(
                f"spaces and callbacks that are given as objects must be picklable for worker processes "
                f"({one_line(error, 200)}); workers=0 trains in this process"
            ) from None
    display.say("loading TensorFlow and the data ...")
    if task.cluster is not None:
        from study import cluster

        cluster.run(task, task.cluster, display)
        return
    workers.run(task, display, meanwhile=(lambda: None) if task.joins else _import_conclusion)


def _import_conclusion() -> None:
    """What `conclude` needs, which says so if it cannot be imported."""
    with suppress(Exception):
        importlib.import_module("reports.page")
        if extras.is_installed("notes"):
            importlib.import_module("study.notes")
        storage_room.warm_up()


def refuse_failed_finals(storage: BaseStorage, config: StudyConfig, began: float) -> None:
    """Say that finals have failed since `began`, seconds since 1970.

    Raises:
        StudyFailure: they have.
    """
    if failed := results.failed_finals(storage, config, began):
        raise StudyFailure(
            f"{len(failed)} finals failed ({failed[0].user_attrs[ERROR]}); 'study evaluate {config.name}' tries them "
            "again"
        )


def conclude(config: StudyConfig, storage: BaseStorage, home: Path) -> tuple[Path, Any]:
    """Write a study's report, and its notes where Optuna's dashboard is installed; the report's file and verdict."""
    from reports import collect
    from reports.panels import verdict

    file = write_report([config], storage, home, None)
    info = verdict.info(collect.read(storage, config))
    if extras.is_installed("notes"):
        from study import notes

        notes.write(storage, config, info.sentence)
    return file, info


def write_report(
    configs: list[StudyConfig], storage: BaseStorage, home: Path, output: Path | None, assets: bool = False
) -> Path:
    """Write the report of a study, or one that compares several, and return its file.

    Args:
        configs: The studies.
        storage: Where they are stored.
        home: Where their files are.
        output: The HTML file; a place under the home where it is None.
        assets: plotly.js beside the page instead of in it.

    Raises:
        StudyError: a file that cannot be written.
    """
    from reports import page

    names = [config.name for config in configs]
    own = home / names[0] / "report.html" if len(names) == 1 else home / f"{'+'.join(names)[:100]}.html"
    file = output or own
    if file.suffix == ".json":
        raise StudyError(f"-o names the HTML file, the JSON file is written beside it; it was given {file}")
    try:
        page.write(storage, configs, home, file, assets=assets)
    except OSError as error:
        raise StudyError(
            f"the report {file} cannot be written: {error.strerror}; 'study report {' '.join(names)} -o FILE' writes "
            "it elsewhere"
        ) from None
    return file


def _work_here(task: Task, quiet: bool) -> Study:
    began = time.time()
    with Display(LastingConsole(), quiet=quiet) as display:
        work(task, display)
    study = load(task.config.name, home=task.home, storage=task.url)
    file, _ = conclude(study.config, study.storage, study.home)
    display.say(f"report: {file}")
    refuse_failed_finals(study.storage, study.config, began)
    return study


def _named(spaces: Iterable[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Spaces by name; None for one that its name finds."""
    if isinstance(spaces, Mapping):
        return dict(spaces)
    if isinstance(spaces, str) or not isinstance(spaces, Iterable):
        spaces = [spaces]
    named = [(each, None) if isinstance(each, str) else (_name_of(each), each) for each in spaces]
    if len(dict(named)) < len(named):
        raise StudyError(f"each search space is tuned once; it was given {', '.join(name for name, _ in named)}")
    return dict(named)


def _check_names(names: list[Any]) -> None:
    """Names that the study's files can have too.

    Raises:
        StudyError: one that cannot, or two that would be the same.
    """
    for name in names:
        if not isinstance(name, str) or not SPACE.fullmatch(name):
            raise StudyError(f"a search space's name is letters, digits and '._:<>-'; it was given {name!r}")
    if len(set(map(file_name, names))) < len(names):
        raise StudyError(f"the files of search spaces must have different names; it was given {', '.join(names)}")


def _name_of(space: Any) -> str:
    """What `--space` would find a class or function by. An instance is called like its class, without the module: the
    class alone would not make it again."""
    return f"{space.__module__}:{space.__qualname__}" if hasattr(space, "__qualname__") else type(space).__name__


def _parsed(name: str, value: Any) -> Any:
    """A field of the definition, where it is given as on the command line; paths are stored as absolute ones."""
    if name in PARSERS and isinstance(value, str):
        return PARSERS[name](value)
    if name in ("manual_dir", "data_dir") and value is not None:
        return absolute(Path(value))
    return absolute_npz(value) if name == "dataset" else value
