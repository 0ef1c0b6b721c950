"""KerasTuner's tuner, on a study: a script changes one line and gains Optuna's samplers, pruning, SQLite, resume and
the report."""

import json
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search_spaces import SpaceError, given
from study import api
from study.config import ARRAYS, FINALS, NAME, Definition, Resources
from study.data.arrays import described
from study.errors import StudyError
from study.execution import run as execution
from study.execution.task import Objects, Options, Steps, Task
from study.execution.unchanged import Before
from study.images import Images
from study.objective import OF_KERAS_TUNER, Objective
from study.paths import weights_file, whole
from study.records import DECLARED, RECORD, WEIGHTS, TrialRecord
from study.search.declarations import declared
from study.search.hyperparameters import stored
from study.search.keras_tuner_private import declare
from study.storage import results
from study.storage.address import Address
from study.storage.store import Store, StoredStudy, creation_lock
from study.system.progress import LastingConsole, display, print_line
from study.training.description import description
from study.training.difference import difference
from study.training.examples import Examples, SearchData

DEFAULTS = {"executions_per_trial": 1, "max_retries_per_trial": 0}
"""Arguments of KerasTuner's tuners that this one takes at their defaults only."""
ROUNDING = 1e-6
"""How far a pixel may lie from a 255th and still be one."""


class OptunaTuner:
    """A tuner with KerasTuner's calls whose trials are those of a study.

    >>> tuner = study.OptunaTuner(build_model, objective="val_accuracy", max_trials=20)  # doctest: +SKIP
    >>> tuner.search(x, y, epochs=5, validation_data=(x_val, y_val))  # doctest: +SKIP
    >>> tuner.get_best_hyperparameters()[0], tuner.get_best_models()[0]  # doctest: +SKIP

    Everything is stored in `directory`: `study.db`, which Optuna's tools and `study status` read, and a folder named
    like the project. A search that was interrupted continues when it is called again with the same data: from the last
    finished epoch where the images are multiples of 1/255, from the trial's first epoch elsewhere. It ends as one that
    was never interrupted. Each configuration is trained once; `study run` compares what is found over several seeds.

    Args:
        hypermodel: A HyperModel, or a function `build(hp)`.
        objective: A metric's name (KerasTuner infers the direction of Keras's own) or `keras_tuner.Objective`; None is
            the number that `HyperModel.fit` returns, minimised.
        max_trials: Finished trials, those of earlier calls included.
        sampler: As for `study run --sampler`; `kt-bayesian` is KerasTuner's BayesianOptimization.
        pruner: As for `study run --pruner`; `none` finishes every trial, as KerasTuner does.
        seed: Every random number follows from it; None is 0.
        hyperparameters: Declared before the hypermodel's own, which they override.
        tune_new_entries: Tune what only the hypermodel declares; otherwise it has its default.
        allow_new_entries: Let the hypermodel declare more than `hyperparameters`.
        directory: The folder; None is the working directory.
        project_name: Names the study; None is `untitled_project`.
        overwrite: Delete what is stored of the project and start again.
        allow_drift: Continue under other versions of Keras or other packages than the project was started with.
        max_consecutive_failed_trials: So many failed trials, one after the other, end the search with an exception.
        **others: Other arguments of KerasTuner's tuners, at their defaults only: `executions_per_trial=1`.

    Raises:
        StudyError: what cannot be used.
    """

    def __init__(
        self,
        hypermodel: Any,
        objective: Any = None,
        max_trials: int = 10,
        sampler: str = Definition.sampler,
        pruner: str = Definition.pruner,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        directory: str | Path | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        allow_drift: bool = False,
        max_consecutive_failed_trials: int = 3,
        **others: Any,
    ) -> None:
        for name, value in others.items():
            if value is not None and (name not in DEFAULTS or value != DEFAULTS[name]):
                raise StudyError(f"OptunaTuner takes no {name}={value!r}; its docstring says what it takes")
        most = max_consecutive_failed_trials
        if not isinstance(most, int) or most < 1:
            raise StudyError(f"max_consecutive_failed_trials must be at least 1; it was given {most!r}")
        self.project_name = project_name or "untitled_project"
        self.directory = whole(directory or ".")
        self._space = _space_name(hypermodel)
        self._options = Options(allow_drift=allow_drift, keep_weights=True, failures_in_a_row=most)
        try:
            self.hypermodel = given(self._space, hypermodel).hypermodel((0, 0, 0), 0)
        except SpaceError as error:
            raise StudyError(str(error)) from None
        if hyperparameters is not None:
            self.hypermodel = _Overridden(self.hypermodel, hyperparameters, tune_new_entries, allow_new_entries)
        elif not (tune_new_entries and allow_new_entries):
            raise StudyError("tune_new_entries and allow_new_entries say what to do beside hyperparameters=; give them")
        self._definition = Definition(
            name=self.project_name,
            spaces=(self._space,),
            dataset=ARRAYS,
            objective=_objective(objective),
            trials=api.parsed("trials", max_trials),
            sampler=sampler,
            pruner=pruner,
            seed=api.parsed("seed", seed or 0),
            precision=keras.config.dtype_policy().name,
        )
        self._address = Address.of(self.directory)
        self._address.check_writable(self.project_name)
        self._declared = declared(self._space, self.hypermodel)
        if overwrite:
            self._delete()
        elif self._stored() is not None:
            _print(f"Reloading the study {self.project_name} from {self._address.shown}")

    def search(self, *fit_args: Any, verbose: Any = "auto", callbacks: Any = None, **fit_kwargs: Any) -> None:
        """Search until `max_trials` trials are finished.

        Args:
            *fit_args: `x` and `y`, or whatever the HyperModel's `fit` takes by position.
            verbose: 0 prints warnings only.
            callbacks: Keras callbacks; each trial has copies.
            **fit_kwargs: The other arguments of `HyperModel.fit`, which are `model.fit`'s where it is not overridden:
                `epochs` (1 where it is not given), `validation_data`, `batch_size` and so on.

        Raises:
            StudyError: other data or settings than those that the project was started with.
            StudyFailure: no trial succeeded, too many in a row failed, or one raised KerasTuner's FatalError.
        """
        callbacks = api.listed(callbacks)
        if len(fit_args) > 2 and type(self.hypermodel).fit is keras_tuner.HyperModel.fit:
            raise StudyError(f"search takes x and y by position and all else by name; it was given {len(fit_args)}")
        definition = replace(
            self._definition,
            epochs=int(fit_kwargs.get("epochs", 1)),
            callbacks=tuple(type(callback).__name__ for callback in callbacks),
        )
        stored = self._stored()
        task = Task(
            self._address,
            definition if stored is None else _continued(stored.definition, definition),
            Resources(workers=0),
            Steps(create=stored is None, finals=False),
            Objects({self._space: self.hypermodel}, _data(fit_args, fit_kwargs), callbacks),
            self._options,
        )
        with display(quiet=not verbose) as shown:
            execution.run(task, shown)
            execution.refuse_failed(self.study.stored, shown.warn)

    @property
    def study(self) -> api.Study:
        """The study: its trials as a table, its report."""
        return api.load(self.project_name, home=self.directory)

    @property
    def remaining_trials(self) -> int:
        """Trials that `search` still has to finish."""
        if self._stored() is None:
            return self._definition.trials
        return max(self._definition.trials - results.finished(self.study.stored, self._space), 0)

    def reload(self) -> None:
        """KerasTuner's call. There is nothing to reload: everything is read from the storage when it is needed.

        Raises:
            StudyError: nothing is stored of the project.
        """
        _ = self.study

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """The hyperparameters of the best complete trials, the best first."""
        return [_hyperparameters(trial) for trial in self._best_trials()[:num_trials]]

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """The models of the best complete trials as they were after their best epoch, the best first.

        Raises:
            StudyError: a trial whose `fit` did not use its callbacks, so that no weights could be kept.
        """
        return [self._model(trial) for trial in self._best_trials()[:num_models]]

    def search_space_summary(self, extended: bool = False) -> None:
        """Print what is tuned."""
        _print(f"Search space summary\nDefault search space size: {len(self._declared.space)}")
        for each in self._declared.space:
            config = each.get_config()
            _print(f"{config.pop('name')} ({type(each).__name__})\n{config}")

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best complete trials and their hyperparameters."""
        objective = self._definition.objective
        _print(f"Results summary\nResults in {self.directory / self.project_name}")
        _print(f"Showing {num_trials} best trials\nObjective: {objective.name}, {objective.direction}d")
        for trial in self._best_trials()[:num_trials]:
            values = TrialRecord.from_json(trial.user_attrs[RECORD]).values
            _print(f"\nTrial {trial.number} summary\nHyperparameters:")
            for name, value in values.items():
                _print(f"{name}: {value}")
            _print(f"Score: {trial.value}")

    def report(self, file: str | Path | None = None) -> Path:
        """Write the HTML report of the search and return its file."""
        return self.study.report(file)

    def _stored(self) -> StoredStudy | None:
        store = Store.open(self._address)
        return None if store is None else store.studies().get(self.project_name)

    def _delete(self) -> None:
        store = Store.open(self._address)
        study = None if store is None else store.studies().get(self.project_name)
        if study is not None and any(space["running"] for space in results.progress(study)["spaces"]):
            raise StudyError(f"another process searches the project {self.project_name!r}; stop it first")
        if store is not None:
            with creation_lock(self._address):
                store.delete_study(self.project_name)
        shutil.rmtree(self.directory / self.project_name, ignore_errors=True)

    def _best_trials(self) -> list[FrozenTrial]:
        stored = self.study.stored
        complete = [
            trial
            for trial in results.trials(stored, self._space)
            if trial.state == TrialState.COMPLETE and trial.value is not None and DECLARED in trial.user_attrs
        ]
        objective = stored.definition.objective
        return sorted(complete, key=lambda trial: (objective.rank(trial.value or 0.0), trial.number))

    def _model(self, trial: FrozenTrial) -> keras.Model:
        file = self.directory / self.project_name / weights_file(self._space, trial.number)
        record = TrialRecord.from_json(trial.user_attrs[RECORD])
        if WEIGHTS in record.missing or not file.exists():
            why = record.missing.get(
                WEIGHTS, "its fit(hp, model, ...) does not use its callbacks, or they were deleted"
            )
            raise StudyError(f"trial {trial.number} kept no weights ({why}); train get_best_hyperparameters() again")
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.study.definition.precision)
        try:
            model = self.hypermodel.build(_hyperparameters(trial))
            if difference(record.built, description(model)):
                Before(self._space, trial.number, self.hypermodel, record).check()
        finally:
            keras.config.set_dtype_policy(policy)
        if not model.built:
            model.build_from_config(json.loads(file.with_suffix(".json").read_text()))
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)  # its state was saved too
        model.load_weights(file)
        return model


class _Overridden(keras_tuner.HyperModel):
    """A HyperModel some of whose hyperparameters are declared for it."""

    def __init__(
        self, hypermodel: keras_tuner.HyperModel, declared: keras_tuner.HyperParameters, tune_new: bool, allow_new: bool
    ) -> None:
        super().__init__()
        self._hypermodel = hypermodel
        self._declared = declared
        self._tune_new = tune_new
        self._allow_new = allow_new

    def declare_hyperparameters(self, hp: Any) -> None:
        for each in self._declared.space:
            declare(hp, each)
        if not self._tune_new and hasattr(hp, "settle"):
            hp.settle()
        self._hypermodel.declare_hyperparameters(hp)

    def build(self, hp: Any) -> keras.Model:
        model = self._hypermodel.build(hp)
        self._refuse_new(hp)
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        result = self._hypermodel.fit(hp, model, *args, **kwargs)
        self._refuse_new(hp)
        return result

    def _refuse_new(self, hp: Any) -> None:
        new = {each.name for each in hp.space} - {each.name for each in self._declared.space}
        if new and not self._allow_new:
            raise StudyError(
                f"allow_new_entries is False, and the hypermodel declares {', '.join(sorted(new))}, which "
                "hyperparameters= has not"
            )


@dataclass(frozen=True)
class _UserData(Examples):
    """What `search` was given, handed on to `HyperModel.fit` as it is."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    def arguments(self, model: keras.Model, epochs: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.positional, self.named


def _data(positional: tuple[Any, ...], named: dict[str, Any]) -> SearchData:
    """What `search` was given. Images that are multiples of 1/255 are fed from memory as bytes, which is faster and
    saves each epoch; everything else goes to Keras as it came."""
    places = ("x", "y", *(f"argument {index}" for index in range(3, len(positional) + 1)))
    call = dict(zip(places, positional, strict=False)) | named
    parts = {name: _described(call[name]) for name in sorted(call) if name != "epochs"}
    train, validation = _images(call.get("x")), None
    if train is not None:
        positional = (train.scaled, *positional[1:]) if positional else ()
        named = named if positional else {**named, "x": train.scaled}
        held_out = named.get("validation_data")
        if isinstance(held_out, tuple) and (validation := _images(held_out[0])) is not None:
            named = {**named, "validation_data": (validation.scaled, *held_out[1:])}
    return SearchData(parts, _UserData(train, validation, positional, named))


def _images(x: Any) -> Images | None:
    """Float images as bytes; None for what is none or would lose something."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.ndim < 3 or not x.size:
        return None
    if not (x.min() >= 0 and x.max() <= 1):
        return None
    pixels = np.rint(x * 255).astype(np.uint8)
    images = Images(pixels, np.zeros(len(pixels), np.int64))  # the labels go their own way
    return images if np.abs(images.scaled - x).max() < ROUNDING else None


def _described(value: Any) -> str:
    """What tells whether a search continues on the same data; of a generator or tf.data it is the type alone."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_described, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_described(each)}" for name, each in value.items())
    if hasattr(value, "__array__"):  # of NumPy, TensorFlow, pandas
        return described(np.asarray(value))
    return repr(value) if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__


def _objective(objective: Any) -> Objective:
    """The objective of what KerasTuner takes as one."""
    try:
        found = keras_tuner.Oracle(objective=objective).objective  # which infers the direction of Keras's metrics
    except (ValueError, TypeError) as error:
        raise StudyError(" ".join(str(error).split())) from None
    if isinstance(objective, list):
        raise StudyError(
            f"a study has one objective; it was given {objective!r}: let fit(hp, model, ...) return their sum"
        )
    return Objective.of(found.name, OF_KERAS_TUNER[found.direction])


def _continued(stored: Definition, asked: Definition) -> Definition:
    """The stored definition with the budget that is asked for.

    Raises:
        StudyError: something else differs.
    """
    differing = [
        f"{field.name}={getattr(stored, field.name)!r} then, {getattr(asked, field.name)!r} now"
        for field in fields(Definition)
        if field.name != "trials" and getattr(stored, field.name) != getattr(asked, field.name)
    ]
    if differing:
        raise StudyError(
            f"the project {stored.name!r} was started otherwise ({', '.join(differing)}); overwrite=True starts it "
            "again, another project_name starts one beside it"
        )
    return replace(stored, trials=asked.trials)


def _hyperparameters(trial: FrozenTrial) -> keras_tuner.HyperParameters:
    return stored(trial.user_attrs[DECLARED], TrialRecord.from_json(trial.user_attrs[RECORD]).values)


def _space_name(hypermodel: Any) -> str:
    name = getattr(hypermodel, "__name__", type(hypermodel).__name__)
    return name if NAME.fullmatch(name) and name != FINALS else "build"


def _print(text: str) -> None:
    print_line(LastingConsole(), text)
