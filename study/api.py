"""Studies from Python: what the commands do, for scripts and notebooks."""

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import timedelta
from functools import partial
from html import escape
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from study.config import (
    ARRAYS,
    CONFIRMATION,
    DATA,
    DURATIONS,
    FINALS,
    SPACES,
    Definition,
    Resources,
    changed,
    check_choice,
    parse_count,
    parse_duration,
    parse_size,
)
from study.errors import StudyError, StudyFailure, one_line
from study.execution import run as execution
from study.execution.task import Objects, Options, Steps, Task
from study.objective import OF_KERAS_TUNER, Objective
from study.paths import HOME, absolute, absolute_dataset, file_name, whole
from study.records import ERROR
from study.storage import evaluations, results, selection
from study.storage.address import Address
from study.storage.failures import FAILURES
from study.storage.store import Store, StoredStudy, open_study, settle
from study.system import extras, rights
from study.system.files import folder, is_local
from study.system.machine import parse_workers
from study.system.progress import Display, display

if TYPE_CHECKING:
    import keras
    import pandas

    from reports.collect import StudyResults
    from reports.panels.summary import Next
    from reports.panels.verdict import Verdict
    from study.data.given import Data
    from study.execution.exporting import Exported

SPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:<>-]{0,199}")
"""What a space may be called; a class within a function has `<locals>` in its name."""
PARSERS: dict[str, Callable[[Any], Any]] = {
    "timeout": parse_duration,
    "trial_timeout": partial(parse_duration, option="--trial-timeout"),
    "memory_limit": parse_size,
    "max_parameters": partial(parse_count, option="--max-parameters"),
    "max_multiply_adds": partial(parse_count, option="--max-multiply-adds"),
    "workers": parse_workers,
    "lease": partial(parse_duration, option="--lease"),
    "manual_dir": absolute,
    "data_dir": absolute,
    "dataset": absolute_dataset,
}
"""How the fields of a study are read where they are given as on the command line."""


def run(
    name: str = Definition.name,
    *,
    spaces: Iterable[Any] | Mapping[str, Any] = Definition.spaces,
    data: "Data | None" = None,
    callbacks: "keras.callbacks.Callback | Iterable[keras.callbacks.Callback] | None" = None,
    home: str | Path = HOME,
    storage: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> "Study":
    """Start a study: search, finals, report. It is the command `study run`, and `study resume` can continue it.

    >>> import study
    >>> found = study.run("mine", spaces=["dense"], dataset="digits", trials=20, epochs=8)  # doctest: +SKIP
    >>> found.trials, found.best(), found.finals  # doctest: +SKIP

    Args:
        name: Names the study.
        spaces: What is tuned: names as for `--space`, HyperModels (classes or instances), functions `build(hp)`; or a
            mapping that names them.
        data: Arrays, in the place of a `dataset`. They are kept as bytes in `data_dir`, like those of a file.
        callbacks: Keras callbacks that each trial trains with, or one; each trial has copies. The finals train without.
        home: The folder of the studies and their database.
        storage: Another database's URL, or the file of an SQLite database.
        quiet: Print warnings only.
        **options: The fields of `Definition` (`dataset`, `trials`, `epochs`, `seeds`, `objective` and so on) and of
            `Resources`; `objective_direction` for an objective of your own. Durations may be timedeltas, the objective
            KerasTuner's, archives paths. `workers` is 0, which trains in this process; a script that gives more needs
            the guard `if __name__ == "__main__":`, as ever with processes.

    Returns:
        The study as it is stored.

    Raises:
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept, and `resume` continues it.
    """
    execution.end_if_imported()
    objects, each_fit = _named(spaces), listed(callbacks)
    _check_names(objects)
    if data is not None:
        if "dataset" in options:
            raise StudyError(f"a study has one data set; it was given data and the dataset {options['dataset']!r}")
        options["dataset"] = DATA
    definition, resources = _configured({"name": name, "spaces": tuple(objects), **options}, each_fit)
    address = _address(home, storage)
    refuse_existing(address, name)
    given = {space: found for space, found in objects.items() if found is not None}
    from study.data import cache

    with cache.releasing():
        given_to_each = Objects(given, key=_kept(data, definition, resources), callbacks=each_fit)
        return _carry_out(Task(address, definition, resources, Steps(create=True), given_to_each), quiet)


def resume(
    name: str,
    *,
    spaces: Iterable[Any] | Mapping[str, Any] = (),
    data: "Data | None" = None,
    callbacks: "keras.callbacks.Callback | Iterable[keras.callbacks.Callback] | None" = None,
    allow_drift: bool = False,
    take_over: bool = False,
    home: str | Path = HOME,
    storage: str | Path | None = None,
    quiet: bool = False,
    **changes: Any,
) -> "Study":
    """Continue a study where it stopped: search, finals, report.

    Args:
        name: The study.
        spaces: Those of the study that were given as objects and cannot be imported by their names.
        data: The same arrays, where the study was started with some.
        callbacks: Those that the study was started with.
        allow_drift: Continue under other versions of Keras or other packages.
        take_over: Take every trial under way at once, because nobody else trains.
        home: As for `run`.
        storage: As for `run`.
        quiet: As for `run`.
        **changes: What may change: `trials` and `seeds`, which may grow, and every field of `Resources`: `timeout`,
            `trial_timeout`, `workers` (0, where it is not given), `join`, `lease`, `memory_limit`, `manual_dir`,
            `data_dir`; `dataset`, where the same images lie in another place now.

    Returns:
        The study as it is stored.

    Raises:
        StudyError: what cannot be used; nothing was changed.
        StudyFailure: the study stopped; what is finished is kept.
    """
    execution.end_if_imported()
    address = _address(home, storage)
    stored = open_study(address, name, check_integrity=True)
    address.check_writable(name)
    if data is not None:
        changes["dataset"] = DATA
    wanted = {field: parsed(field, value) for field, value in changes.items()}
    definition, resources = changed(stored.definition, stored.resources, {"workers": 0, **wanted})
    given = {space: found for space, found in _named(spaces).items() if found is not None}
    options = Options(allow_drift=allow_drift, take_over=take_over)
    from study.data import cache

    with cache.releasing():
        objects = Objects(given, key=_kept(data, definition, resources), callbacks=listed(callbacks))
        return _carry_out(Task(address, definition, resources, Steps(), objects, options), quiet)


def load(name: str, *, home: str | Path = HOME, storage: str | Path | None = None) -> "Study":
    """A study as it is stored, running or done. Nothing is trained, and neither Keras nor the data set is needed.

    Raises:
        StudyError: there is none of that name; those that exist are named.
    """
    return Study(open_study(_address(home, storage), name))


class Study:
    """A stored study: its trials, its best configuration, its finals and its report.

    `load` and `run` return one. Everything is read again at each call, so a running study can be watched.
    """

    def __init__(self, stored: StoredStudy) -> None:
        self.stored = stored

    @property
    def definition(self) -> Definition:
        """What the study is."""
        return self.stored.definition

    @property
    def resources(self) -> Resources:
        """What it runs on."""
        return self.stored.resources

    @property
    def trials(self) -> "pandas.DataFrame":
        """A row for each trial of each space: number, state, value, epochs, seconds, error, and `hp.NAME` for each
        hyperparameter."""
        return results.table(self.stored)

    @property
    def finals(self) -> "pandas.DataFrame":
        """A row for each final: finalist, seed, test accuracy (0 to 1), test loss (nats); those of a tuner have the
        objective's metric."""
        return (evaluations.table if self.definition.dataset == ARRAYS else results.finals_table)(self.stored)

    def best(self, space: str | None = None) -> dict[str, Any]:
        """The winner of a space, or the recommended one of all, as validation chose it: its values, its trial, its test
        accuracy.

        Raises:
            StudyError: no trial is complete.
        """
        if space is not None:
            check_choice("space", space, self.definition.spaces)
        return selection.best(self.stored, space)

    def best_model(self, space: str | None = None, custom_objects: Mapping[str, Any] | None = None) -> "keras.Model":
        """The winner's saved model, that of the first seed. It takes float32 pixels in the range `definition.pixels`,
        and returns probabilities.

        Args:
            space: The space whose winner it is; None is the recommended one of all.
            custom_objects: Classes and functions of the space's own that the model needs, by name.

        Raises:
            StudyError: no final of the winner is done, or the model needs something that is not given.
        """
        winner = self.best(space)
        name = self.stored.name
        if winner["model"] is None:
            yet = "" if winner["finals"] else " yet"
            raise StudyError(
                f"the study {name!r} has no saved model of {winner['space']}{yet}: {winner['model_missing']}"
            )
        from study.system import environment

        environment.import_tensorflow()
        from study.training.published import opened

        model = folder(winner["model"])
        if is_local(model):
            return opened(model, custom_objects)
        with tempfile.TemporaryDirectory() as own:
            near = Path(own) / model.name
            near.write_bytes(model.read_bytes())
            return opened(near, custom_objects)

    def predict(
        self,
        *images: str | Path | IO[bytes],
        space: str | None = None,
        custom_objects: Mapping[str, Any] | None = None,
    ) -> "pandas.DataFrame":
        """What `best_model` says of images of one's own: a row for each, with the columns `image`, `class`,
        `probability`, and `p.CLASS` for each class. It is the command `study predict`.

        Args:
            images: Image files, folders of them, NumPy archives, or open files. Pictures are scaled to the size of the
                images that the study trained on; arrays must have their shape.
            space: As for `best_model`.
            custom_objects: As for `best_model`.

        Raises:
            StudyError: there is no model, or something that is given is no image, or another than the model takes.
        """
        model = self.best_model(space, custom_objects)
        from study.execution.predicting import predict

        return predict(self.stored, model, [whole(each) if isinstance(each, (str, Path)) else each for each in images])

    def export_model(
        self, file: str | Path, kind: str, *, space: str | None = None, custom_objects: Mapping[str, Any] | None = None
    ) -> "Exported":
        """Write `best_model` for another runtime, and test what was written. It is `study export --model`.

        Args:
            file: A .tflite or .onnx file, or a folder that is not there yet.
            kind: `saved_model`, `tflite`, `tflite-int8` (weights in 8 bits) or `onnx`.
            space: As for `best_model`.
            custom_objects: As for `best_model`.

        Raises:
            StudyError: there is no model, Keras cannot export it, or the test images cannot be read.
        """
        from study.system import environment

        environment.import_tensorflow()
        from study.execution import exporting

        check_choice("kind", kind, tuple(exporting.ENDINGS))
        extras.check(f"--model {kind}")
        exporting.check(kind, whole(file))
        return exporting.export(self.stored, self.best_model(space, custom_objects), kind, whole(file))

    def progress(self) -> dict[str, Any]:
        """What is done, running and left, and the best so far: what `study status --json` prints."""
        return results.progress(self.stored)

    def report(self, file: str | Path | None = None) -> Path:
        """Write the HTML report, and its numbers as JSON beside it; by default in the study's folder."""
        return write_report([self.stored], None if file is None else Path(file))

    def __repr__(self) -> str:
        return f"<study {self.stored.name}: {', '.join(self._lines())}>"

    def _repr_html_(self) -> str:
        return f"<b>{escape(self.stored.name)}</b><br>" + "<br>".join(map(escape, self._lines()))

    def _lines(self) -> list[str]:
        progress = self.progress()
        spaces = [
            f"{space['name']} {space['finished']} of {space['trials']} trials"
            + ("" if space["best"] is None else f", best {progress['objective']} {space['best']:.4f}")
            for space in progress["spaces"]
        ]
        return [*spaces, f"{progress['finals']} {FINALS}"]


def refuse_existing(address: Address, name: str) -> None:
    """Refuse to start a study where it cannot be written, or that exists.

    Raises:
        StudyError: saying so.
    """
    address.check_writable(name)
    results.refuse_existing(Store.open(address), name)


class Conclusion(NamedTuple):
    """What a study ends with."""

    report: Path
    verdict: "Verdict"
    next: "Next | None"
    """What to do next."""


def carry_out(task: Task, display: Display, conclude_with: Callable[[Conclusion], None]) -> StoredStudy:
    """Search, finals and report of a study.

    Args:
        task: What is worked on.
        display: Where events are shown.
        conclude_with: Called with the report, before finals that failed are complained of.

    Raises:
        Interrupted: by a signal.
        StudyError: what cannot be used.
        StudyFailure: the study stopped, no trial succeeded, or finals failed; what is finished is kept.
    """
    began = time.time()
    execution.run(task, display)
    study = open_study(task.address, task.definition.name, to_read=False, wait_for_server=True)
    try:
        conclusion = conclude(study, display.warn)
    except StudyError as error:  # the results are stored: what was asked for is done but for the page
        raise StudyFailure(str(error)) from None
    execution.refuse_failed(study, display.warn)
    conclude_with(conclusion)
    for part in (CONFIRMATION, FINALS):
        if failed := results.failures(study, part, began):
            what = "finals" if part == FINALS else "confirmation runs"
            raise StudyFailure(
                f"{len(failed)} of the {what} failed ({failed[0].user_attrs[ERROR]}); 'study evaluate {study.name}' "
                "tries again"
            )
    return study


def verdict_of(study: StoredStudy) -> str:
    """What the first sentences of a study's report are."""
    from reports import collect
    from reports.panels import verdict

    return verdict.info(collect.read(study)).sentence


def conclude(study: StoredStudy, warn: Callable[[str], None]) -> Conclusion:
    """Write a study's report, and its notes where Optuna's dashboard is installed; `warn` is told if those fail."""
    from reports.panels import summary, verdict

    file, (results,) = _written([study], None)
    info = verdict.info(results)  # which the page has computed
    if extras.is_installed("notes"):
        try:
            from study.integrations import notes

            notes.write(study, info.sentence)
        except FAILURES:
            raise
        except Exception as error:  # whatever optuna-dashboard raises
            warn(f"the notes for optuna-dashboard cannot be written ({one_line(error, 200)}); nothing else is missing")
        settle(study.store.address)
    return Conclusion(file, info, summary.next_step(results))


def write_report(
    studies: list[StoredStudy], output: Path | None, assets: bool = False, version: str | None = None
) -> Path:
    """Write the report of a study, or one that compares several, and return its file.

    Args:
        studies: Of one store.
        output: The HTML file; a place under the home where it is None.
        assets: Put plotly.js beside the page instead of into it.
        version: Of a page that will be rewritten (see `reports.page.write`).

    Raises:
        StudyError: a file that cannot be written.
    """
    return _written(studies, output, assets, version)[0]


def _written(
    studies: list[StoredStudy], output: Path | None, assets: bool = False, version: str | None = None
) -> "tuple[Path, list[StudyResults]]":
    """The report's file, and what it was made from."""
    from reports import page

    names = [study.name for study in studies]
    several = studies[0].store.home / f"{'+'.join(names)[:100]}.html"
    own = studies[0].folder / "report.html" if len(studies) == 1 else several
    file = own if output is None else whole(output)
    if file.suffix == ".json":
        raise StudyError(f"-o names the HTML file, the JSON file is written beside it; it was given {file}")
    try:
        return file, page.write(studies, file, assets=assets, version=version)
    except OSError as error:
        raise StudyError(
            f"the report {file} cannot be written: {rights.explained(file, error)}; 'study report {' '.join(names)} "
            "-o FILE' writes it elsewhere"
        ) from None


def _carry_out(task: Task, quiet: bool) -> Study:
    with display(quiet=quiet) as shown:
        return Study(carry_out(task, shown, lambda conclusion: shown.say(f"report: {conclusion.report}")))


def _kept(data: Any, definition: Definition, resources: Resources) -> str | None:
    """The name by which arrays were kept; None where none are given."""
    if data is None:
        return None
    from study.data.datasets import request
    from study.data.given import Data, keep

    if not isinstance(data, Data):
        raise StudyError(f"data is a study.Data of arrays; it was given {type(data).__name__}")
    return keep(data, request(definition, resources))


def listed(callbacks: Any) -> tuple["keras.callbacks.Callback", ...]:
    """Callbacks, of which there may be one that is not in a list, or none.

    Raises:
        StudyError: something that is no callback.
    """
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else () if callbacks is None else (callbacks,)
    for each in found:
        if isinstance(each, type) or not hasattr(each, "on_epoch_end"):
            raise StudyError(f"callbacks are instances of keras.callbacks.Callback; one that was given is {each!r}")
    return found


def _address(home: Any, storage: Any) -> Address:
    for option, value in (("home", home), ("storage", "" if storage is None else storage)):
        if not isinstance(value, (str, PathLike)):
            raise StudyError(f"{option} is a path or a URL; it was given {value!r}")
    return Address.of(folder(str(home)), f"sqlite:///{storage}" if isinstance(storage, PathLike) else storage)


def _configured(
    options: Mapping[str, Any], callbacks: tuple["keras.callbacks.Callback", ...]
) -> tuple[Definition, Resources]:
    """Definition and resources from their fields.

    Raises:
        StudyError: there is no such field, or no study can have that value.
    """
    options = {name: parsed(name, value) for name, value in options.items()}
    objective = _objective(options.pop("objective", Objective()), options.pop("objective_direction", None))
    of_definition = {field.name for field in fields(Definition)} - {"objective", "callbacks", "settings"}
    of_resources = {field.name for field in fields(Resources)}
    if unknown := options.keys() - of_definition - of_resources:
        known = {*of_definition, *of_resources, "objective", "objective_direction"} - {"name", "spaces"}
        raise StudyError(f"a study has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    definition = Definition(
        **{name: value for name, value in options.items() if name in of_definition},
        objective=objective,
        callbacks=tuple(type(callback).__name__ for callback in callbacks),
    )
    resources = {name: value for name, value in options.items() if name in of_resources}
    return definition, Resources(**{"workers": 0, **resources})


def _named(spaces: Iterable[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Spaces by name; None for one that its name finds."""
    if isinstance(spaces, Mapping):
        return dict(spaces)
    if isinstance(spaces, str) or not isinstance(spaces, Iterable):
        spaces = [] if spaces is None else [spaces]
    named = [(each, None) if isinstance(each, str) else (_name_of(each), each) for each in spaces]
    if len(dict(named)) < len(named):
        raise StudyError(f"each search space is tuned once; it was given {', '.join(name for name, _ in named)}")
    return dict(named)


def _check_names(spaces: Mapping[Any, Any]) -> None:
    """Refuse names that the study's files cannot have, that would be the same, or that mean a space of ours."""
    for name, given in spaces.items():
        if not isinstance(name, str) or not SPACE.fullmatch(name):
            raise StudyError(f"a search space's name consists of letters, digits and '._:<>-'; it was given {name!r}")
        if given is not None and name in SPACES:
            raise StudyError(f"{name} is a search space of this package; give yours another name")
    if len(set(map(file_name, spaces))) < len(spaces):
        raise StudyError(f"the files of search spaces must have different names; it was given {', '.join(spaces)}")


def _name_of(space: Any) -> str:
    """What `--space` would find a class or function by. An instance is called like its class, without the module: the
    class alone would not make it again."""
    return f"{space.__module__}:{space.__qualname__}" if hasattr(space, "__qualname__") else type(space).__name__


def _objective(objective: Any, direction: Any) -> Objective:
    """The objective of a name, or of one of KerasTuner's."""
    if isinstance(objective, Objective):
        return objective
    if getattr(objective, "direction", None) in OF_KERAS_TUNER:
        objective, direction = getattr(objective, "name", None), objective.direction
    if not isinstance(objective, str):
        raise StudyError(f"a study has one objective, a metric's name; it was given {objective!r}")
    return Objective.of(
        objective, OF_KERAS_TUNER.get(direction, direction) if isinstance(direction, str) else direction
    )


def parsed(name: str, value: Any) -> Any:
    """A field's value as a study stores it, from what a program has it as."""
    if isinstance(value, np.generic):
        value = value.item()
    if name in DURATIONS and isinstance(value, timedelta):
        return value.total_seconds()
    if name == "memory_limit" and isinstance(value, float):
        return int(value)
    if name == "image_size" and isinstance(value, (tuple, list)):
        return "x".join(map(str, value))  # height and width, as Keras has them
    if name == "precision":
        return getattr(value, "name", value)  # of a keras.DTypePolicy
    return PARSERS[name](value) if name in PARSERS and isinstance(value, (str, Path)) else value
