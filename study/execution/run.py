"""Work on a task: in this process, in worker processes, or on a cluster."""

import copy
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import IO, Any

from optuna.trial import FrozenTrial

from search_spaces.loading import SpaceError, check_name
from study.errors import StudyError, StudyFailure, one_line
from study.execution.supervisor import Supervisor
from study.execution.task import Role, Task
from study.execution.workers import UNGUARDED, work_here
from study.records import is_excluded
from study.storage import results
from study.storage.reasons import nothing_succeeded, reasons
from study.storage.store import StoredStudy, settle
from study.system import extras
from study.system.machine import shortage
from study.system.progress import Display, Stage


def run(task: Task, display: Display) -> None:
    """Search, and make the finals.

    Raises:
        Interrupted: by a signal; what was under way continues with a resume.
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept.
    """
    check(task)
    display.say("loading TensorFlow and the data ...")
    display.show(Stage("loading TensorFlow"))
    try:
        if task.options.cluster is not None:
            from study.execution import cluster

            cluster.run(task, task.options.cluster, display)
        elif task.workers:
            if task.workers > 1 and (said := shortage(task.workers)) is not None:
                display.warn(said)
            Supervisor(task, Role(), display).run()
        else:
            work_here(task, display)
    finally:
        settle(task.address)


def refuse_failed(study: StoredStudy, warn: Callable[[str], None]) -> None:
    """Refuse a study in which no trial succeeded; warn of each space in which none did.

    Raises:
        StudyFailure: with the commonest reason.
    """
    searched = {space: results.trials(study, space) for space in study.definition.spaces}
    every = [trial for trials in searched.values() for trial in trials]
    if nothing_succeeded(every):
        raise StudyFailure(f"every trial {_failed(every)}, {reasons(every)}; mend the cause, then start again")
    for space, trials in searched.items():
        if nothing_succeeded(trials):
            warn(f"{space} has no result: every trial of it {_failed(trials)}, {reasons(trials)}")


def _failed(trials: Sequence[FrozenTrial]) -> str:
    return "failed or was excluded" if any(is_excluded(trial.user_attrs) for trial in trials) else "failed"


def check(task: Task) -> None:
    """Refuse, before anything heavy is imported, what cannot be worked on.

    Raises:
        StudyError: saying what it is.
    """
    definition, objects = task.definition, task.objects
    extras.check(f"--sampler {definition.sampler}")
    if task.options.tensorboard is not None:
        extras.check("--tensorboard")
    for space in definition.spaces:
        if space not in objects.spaces:
            try:
                check_name(space)
            except SpaceError as error:
                if task.steps.create:
                    raise StudyError(str(error)) from None
                raise StudyError(
                    f"{error}; a space that was given as an object must be given to study.resume again"
                ) from None
    _check_that(lambda: copy.deepcopy(objects.callbacks), "callbacks must be copyable, since each trial has its own")
    classes = tuple(type(callback).__name__ for callback in objects.callbacks)
    if task.steps.search and classes != definition.callbacks:
        raise StudyError(
            f"the study {definition.name!r} trains with the callbacks {', '.join(definition.callbacks) or 'none'}; it "
            f"was given {', '.join(classes) or 'none'}; from Python study.resume({definition.name!r}, "
            "callbacks=[...]) continues it"
        )
    if task.workers:
        names = _Names(io.BytesIO())
        _check_that(
            lambda: names.dump((objects.spaces, objects.callbacks)),
            "spaces and callbacks that are given as objects must be picklable for worker processes; workers=0 trains "
            "in this process",
        )
        _check_main(names.of_main)


def end_if_imported() -> None:
    """End the process where it is a worker that imports the script of its study, which starts the study again."""
    imported = sys.modules.get("__mp_main__")  # multiprocessing's name; it is the main module once it is imported
    if imported is not None and imported is not sys.modules["__main__"]:
        raise SystemExit(UNGUARDED)


class _Names(pickle.Pickler):
    """Finds out which classes and functions of the main module are pickled: by their names alone."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.of_main: list[str] = []

    def reducer_override(self, each: Any) -> Any:
        if isinstance(each, (type, FunctionType)) and each.__module__ == "__main__":
            self.of_main.append(each.__qualname__)
        return NotImplemented


def _check_main(names: list[str]) -> None:
    """Refuse what worker processes would not find: they import the main module, which must be a file for that.

    Args:
        names: Of the main module's classes and functions that they need.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if getattr(main.__spec__, "name", None) is not None or (file is not None and Path(file).is_file()):
        return
    if file is not None:
        raise StudyError(
            f"worker processes import the script again, and {file} is not a file; save it, or give workers=0"
        )
    if names:
        missing = ", ".join(dict.fromkeys(names))
        raise StudyError(
            f"worker processes cannot import {missing}, which this notebook or session defines; put it into a module, "
            "or give workers=0"
        )


def _check_that(attempt: Callable[[], object], rule: str) -> None:
    try:
        attempt()
    except Exception as error:  # whatever a user's objects raise
        raise StudyError(f"{rule} ({one_line(error, 200)})") from None
