"""Work on a task: in this process, in worker processes, or on a cluster."""

import copy
import pickle
from collections.abc import Callable

from search_spaces.loading import SpaceError, check_name
from study.errors import StudyError, one_line
from study.execution.supervisor import Supervisor
from study.execution.task import Role, Task
from study.execution.workers import work_here
from study.system import extras
from study.system.progress import Display


def run(task: Task, display: Display) -> None:
    """Search, and make the finals.

    Raises:
        Interrupted: by a signal; what was under way continues with a resume.
        StudyError: what cannot be used; nothing was begun.
        StudyFailure: the study stopped; what is finished is kept.
    """
    check(task)
    display.say("loading TensorFlow and the data ...")
    if task.options.cluster is not None:
        from study.execution import cluster

        cluster.run(task, task.options.cluster, display)
    elif task.workers:
        Supervisor(task, Role(), display).run()
    else:
        work_here(task, display)


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
        _check_that(
            lambda: pickle.dumps((objects.spaces, objects.callbacks)),
            "spaces and callbacks that are given as objects must be picklable for worker processes; workers=0 trains "
            "in this process",
        )


def _check_that(attempt: Callable[[], object], rule: str) -> None:
    try:
        attempt()
    except Exception as error:  # whatever a user's objects raise
        raise StudyError(f"{rule} ({one_line(error, 200)})") from None
