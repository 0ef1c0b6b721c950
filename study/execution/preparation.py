"""How a process comes to work on a study: data, spaces, and the stored study. All that is unusable is refused here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.config import BUDGET, SPACES, UNLIMITED, Definition
from study.data import datasets
from study.errors import Ended, Overdue, StudyError, one_line
from study.execution import fingerprints, limits
from study.execution.growth import Growth
from study.execution.messages import Limited, Message
from study.execution.session import Session
from study.execution.task import Objects, Role, Task
from study.paths import CHECKPOINTS, MODELS, PREDICTIONS, checkpoint_file, relative
from study.records import CLASSES, ENVIRONMENT, FINGERPRINT
from study.storage import claims, examples, queries, results, selection
from study.storage.store import Store, StoredStudy, creation_lock, open_study
from study.system import environment
from study.system.files import sweep_drafts
from study.system.progress import Display, Stage
from study.system.signals import Interruption, contained
from study.system.time_limit import TimeLimit
from study.training import precision
from study.training.checkpoints import sweep
from study.training.description import Part, description

if TYPE_CHECKING:
    from study.data.datasets import Dataset
    from study.training.examples import Examples, SearchData


Limit = Callable[[str], TimeLimit]
"""Makes a limit of what cannot be done where it takes longer."""


def prepare(
    task: Task,
    role: Role,
    display: Display,
    interruption: Interruption,
    tell: Callable[[Message], None] = lambda message: None,
) -> Session:
    """Load the data and the spaces; create the study, or check that it is the stored one. `tell` tells the supervisor.

    Raises:
        StudyError: what cannot be used.
    """
    import keras

    def limit(what: str) -> TimeLimit:
        return limits.of_preparation(task.resources, lambda left, why: tell(Limited(left, f"{what}: {why}")))

    def stage(text: str) -> None:
        if role.first and role.began is None:
            display.show(Stage(text))

    stage(f"reading {task.definition.dataset_name}")
    dataset, data = _data(task)
    if dataset is not None and role.first:
        for line in dataset.remark.splitlines():
            display.say(line)
        if dataset.leak:
            display.warn(dataset.leak)
    is_new = role.first and task.steps.create  # what is wrong with a space is said once
    keras.config.set_dtype_policy(task.definition.precision)
    stage(f"building {', '.join(task.definition.spaces)}")
    spaces = _spaces(task.definition, task.objects, dataset, display.warn if is_new else None, limit)
    hypermodels, declared, models = spaces
    if is_new and (said := precision.advice(task.definition.precision, models)):
        display.show(said)
    fingerprint = fingerprints.of_study(task.definition, data.parts, declared, models)
    interruption.check()
    if is_new and task.steps.search and task.objects.data is None:
        stage("trying a step of training")
        _rehearse(task, hypermodels, data.examples, display, interruption, limit)
    if task.steps.create:
        classes = list(dataset.class_names) if dataset else []
        study = _create(task, display, {FINGERPRINT: fingerprint, CLASSES: classes})
    else:
        study = _check(task, role, display, fingerprint, hypermodels)
    session = Session(
        task=task,
        role=role,
        study=study,
        dataset=dataset,
        examples=data.examples,
        hypermodels=hypermodels,
        declared=declared,
        display=display,
        interruption=interruption,
        began=role.began or time.time(),
        growth=Growth(task.resources.memory_limit),
        tell=tell,
    )
    if role.first and role.began is None:
        _introduce(session)
        _begin(session)
    return session


def _introduce(session: Session) -> None:
    """Say what is worked on, where, and with whom."""
    task, study, definition = session.task, session.study, session.definition
    if task.objects.trainer is not None:  # KerasTuner's own display says it
        return
    trials = "" if definition.trials >= UNLIMITED else f", {definition.trials:,} trials"
    each = " each" if trials and len(definition.spaces) > 1 else ""
    workers = f"{task.workers:,} worker{'' if task.workers == 1 else 's'}" if task.workers else "in this process"
    spaces = ", ".join(definition.spaces)
    line = f"{study.name}: {spaces} on {definition.dataset_name}{trials}{each}; {workers}; kept in "
    session.display.say(f"{line}{relative(study.folder)}; Ctrl-C stops safely")
    if not task.steps.create and results.is_trained(study):
        session.display.say(f"joined {study.name}, which is running: its trials are shared with the others")


def _data(task: Task) -> "tuple[Dataset | None, SearchData]":
    """The data set, where the study has one, and what the search trains on."""
    from study.training.examples import Examples, SearchData

    if task.objects.data is not None:
        return None, task.objects.data
    dataset = datasets.of(task.definition, task.resources, task.objects.key)
    return dataset, SearchData(
        dataset.parts,
        Examples(dataset.train, dataset.validation, class_weights=task.definition.class_weights),
    )


def _spaces(
    definition: Definition,
    objects: Objects,
    dataset: "Dataset | None",
    warn: Callable[[str], None] | None,
    limit: Limit,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, list[Part]]]:
    """The HyperModel of each space, what its defaults declare, and the description of what they build."""
    import keras

    from search_spaces import SpaceError, given, load
    from study.search.declarations import declared
    from study.training.inherited import remember
    from study.training.parts import parts
    from study.training.pixel_range import advice

    names = f"one of {', '.join(definition.spaces)}"
    shape = (dataset.input_shape, dataset.num_classes) if dataset is not None else ((0, 0, 0), 0)
    try:
        with contained(), limit(f"{names} cannot be imported"):
            hypermodels = {
                name: (given(name, objects.spaces[name]) if name in objects.spaces else load(name)).hypermodel(*shape)
                for name in definition.spaces
            }
    except SpaceError as error:
        raise StudyError(str(error)) from error
    except (Ended, Overdue) as error:
        raise StudyError(f"{names} cannot be imported: {one_line(error)}") from error

    models: dict[str, list[Part]] = {}

    def look(name: str, model: Any) -> None:
        if isinstance(model, keras.Model):
            models[name] = description(model)
            remember(parts(model))
        if warn and dataset and dataset.are_bytes and (said := advice(model, definition.pixels, dataset.input_shape)):
            warn(f"{name}: {said}")

    found = {}
    for name, hypermodel in hypermodels.items():
        keras.utils.set_random_seed(definition.seed)  # what is built at random is built alike each time
        within = limit(f"the search space {name!r} cannot build its defaults")
        found[name] = declared(name, hypermodel, partial(look, name), within)
    return hypermodels, found, models


def _rehearse(
    task: Task,
    hypermodels: Mapping[str, Any],
    examples: "Examples",
    display: Display,
    interruption: Interruption,
    limit: Limit,
) -> None:
    """Train the defaults of the user's spaces on a few images.

    Raises:
        StudyError: a space whose trials would depend on each other, or whose finals would test an untrained model.
    """
    from study.search.hyperparameters import TrialHyperParameters
    from study.training.inherited import Dependent
    from study.training.rehearsal import rehearse

    definition = task.definition
    for name in definition.spaces:
        if name in SPACES and name not in task.objects.spaces:
            continue
        try:
            shown = rehearse(
                hypermodels[name], TrialHyperParameters, examples, definition.epochs, definition.objective,
                lambda epoch, logs: interruption.check(), limit(f"{name} cannot be tried on a few images"),
            )  # fmt: skip
        except Dependent as error:
            raise Dependent(f"{name}: {error}") from error
        if shown is not None and not shown.trained and task.steps.finals:
            raise StudyError(
                f"fit of {name} does not train the model that build(hp) returned, so there would be nothing to test: "
                "let it train that model too, for example on all its images after the folds, or search with "
                "study.OptunaTuner, which tests nothing"
            )
        if shown is not None and not shown.repeatable:
            display.warn(
                f"{name} does not train twice alike with the same seed: its trials depend on something outside build "
                "and fit, such as a global counter or an unseeded random number, and a resume may give another result"
            )


def _create(task: Task, display: Display, attributes: Mapping[str, Any]) -> StoredStudy:
    with creation_lock(task.address):
        store = Store.open(task.address, create=True, say=display.warn)
        assert store is not None
        results.refuse_existing(store, task.definition.name)
        described = {ENVIRONMENT: environment.describe(), **attributes}
        return store.create_study(task.definition, task.resources, described)


def _check(
    task: Task, role: Role, display: Display, fingerprint: Mapping[str, Any], hypermodels: Mapping[str, Any]
) -> StoredStudy:
    """The stored study, if it is the same.

    Raises:
        StudyError: saying what differs.
    """
    from study.execution.unchanged import Before, is_repeatable

    name, seed = task.definition.name, task.definition.seed
    study = open_study(task.address, name, to_read=False, check_integrity=True, wait_for_server=True, say=display.warn)
    fingerprints.check(study.fingerprint, fingerprint, lambda space: is_repeatable(hypermodels[space], {}, seed))
    if role.first:
        environment.check(study.name, study.attributes[ENVIRONMENT], task.options.allow_drift, display.warn)
        for space, hypermodel in hypermodels.items():  # a change may be in a branch that the defaults do not reach
            for best in selection.ranked(results.trials(study, space), study.definition.objective)[:1]:
                Before(space, best.number, hypermodel, results.record(best)).check()
    return study


def _begin(session: Session) -> None:
    """Store what a resume changed, and delete the checkpoints of trials that have ended."""
    study, task = session.study, session.task

    def begin() -> None:
        if not task.options.joins:
            stored = study.store.study(study.name).definition
            # A budget may only grow; another command may have raised it meanwhile.
            grown = {name: max(getattr(stored, name), getattr(task.definition, name)) for name in BUDGET}
            study.definition, study.resources = replace(task.definition, **grown), task.resources
            study.save()
        if task.options.take_over:
            _take_over(session)
        running = {
            Path(checkpoint_file(part, trial.number)).name
            for part in study.definition.parts
            for trial in queries.under_way(study.store, study.definition.study_name(part)).running
        }
        sweep(study.folder / CHECKPOINTS, running)

    session.exclusively(begin)
    if (dataset := session.dataset) is not None and not task.options.joins:
        session.spare(
            "examples", "an image of each class", lambda: examples.keep(study.folder, dataset.train_and_validation)
        )
    for folder in (study.folder, study.folder / MODELS, study.folder / PREDICTIONS):
        sweep_drafts(folder)


def _take_over(session: Session) -> None:
    """Let this session take up what others are said to train no more."""
    for part in session.definition.parts:
        for trial in claims.take_over(session.study.store, session.definition.study_name(part)):
            session.display.warn(f"{part} trial {trial.number} was taken over")
