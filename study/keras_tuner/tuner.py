"""KerasTuner's `Tuner` on a study: its calls, answered by a search that Optuna samples and SQLite keeps."""

import copy
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.tuner import maybe_distribute
from optuna.trial import FrozenTrial

from search_spaces import SpaceError, given
from study import api
from study.config import ARRAYS, FINALS, NAME, OWN_ORACLE, UNLIMITED, Definition, Resources
from study.errors import StudyError, StudyFailure, one_line
from study.execution import run as execution
from study.execution.task import Objects, Options, Steps, Task
from study.execution.unchanged import Before
from study.keras_tuner import arguments
from study.keras_tuner.arguments import MULTIPLE, Refusals, Search
from study.keras_tuner.data import by_name, example, search_data, specification, zeros
from study.keras_tuner.finals import Finals, Searched, Test
from study.keras_tuner.hypermodels import check_model, tuned
from study.keras_tuner.oracle import oracle_of
from study.keras_tuner.refusals import InvalidArgument, Refused, as_of_keras_tuner
from study.keras_tuner.running import Running, Trainer
from study.paths import weights_file, whole
from study.records import WEIGHTS
from study.search import keras_tuner_private
from study.search.declarations import explored
from study.search.own_oracle import OwnOracle
from study.storage import evaluations, results
from study.storage.address import Address
from study.storage.store import Store, StoredStudy, creation_lock
from study.system.files import write_whole
from study.system.progress import Display, LastingConsole, display, print_line
from study.training.fused import layers_within
from study.training.model_state import built_in_parts, keep_weights

if TYPE_CHECKING:
    import pandas

INPUTS = "inputs.json"
"""The file in a project's folder that tells the shapes of a model's inputs."""


class Tuner(keras_tuner.Tuner):
    """KerasTuner's tuner of Keras models; its trials are those of a study.

    Everything is stored in `directory`: `study.db`, which Optuna's tools and `study status` read, and a folder for the
    project. A search that was interrupted continues when it is called again with the same data: from the last finished
    epoch where the images are multiples of 1/255, from the trial's first epoch elsewhere. It ends as one that was never
    interrupted.

    Args:
        oracle: One of `keras_tuner.oracles`, which says how to search; or one of your own class, which is asked for
            each trial and told what came of it.
        hypermodel: A HyperModel, or a function `build(hp)`; None where a subclass's `run_trial` needs none.
        max_model_size: A trial whose model has more trainable parameters fails.
        optimizer: Compiles every model, as `loss` and `metrics` do, over what `build` compiled it with.
        loss: See `optimizer`.
        metrics: See `optimizer`.
        distribution_strategy: A `tf.distribute.Strategy` of one machine; every trial is built and trained under it.
        directory: The folder; None is the working directory.
        project_name: Names the study, which is called like it as far as a study's name may; None is
            `untitled_project`.
        logger: Not used, as in KerasTuner.
        tuner_id: Kept as an attribute.
        overwrite: Delete what is stored of the project and start again.
        executions_per_trial: Train each configuration so many times with seeds of their own; their mean counts, and the
            best of their weights are kept. The first one may be pruned.
        allow_drift: Continue under other versions of Keras or other packages than the project was started with.
        **unknown: Refused.

    Raises:
        InvalidArgument: what cannot be used, all of it in a line.
        Refused: a hyperparameter that may not be added, or a project that was started otherwise.
    """

    def __init__(
        self,
        oracle: Any,
        hypermodel: Any = None,
        max_model_size: int | None = None,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        distribution_strategy: Any = None,
        directory: str | Path | None = None,
        project_name: str | None = None,
        logger: Any = None,
        tuner_id: str | None = None,
        overwrite: bool = False,
        executions_per_trial: int = 1,
        *,
        allow_drift: bool = False,
        **unknown: Any,
    ) -> None:
        # KerasTuner's own constructor would make its files.
        search = oracle if isinstance(oracle, Search) else arguments.of_oracle(oracle)
        refusals = self._refusals(search, hypermodel, unknown)
        most_failures = refusals.number("max_consecutive_failed_trials", search.max_consecutive_failed_trials, 1)
        self.executions_per_trial = refusals.number("executions_per_trial", executions_per_trial, 1)
        retries = refusals.number("max_retries_per_trial", search.max_retries_per_trial, 0)
        trials, settings = arguments.trials_of(search, refusals), arguments.settings_of(search, refusals)
        epochs = None if search.max_epochs is None else refusals.number("max_epochs", search.max_epochs, 1)
        refusals.end()
        if logger is not None:
            warnings.warn("The `logger` argument is not used, as in KerasTuner", DeprecationWarning, stacklevel=2)

        self.given = replace(search, max_retries_per_trial=retries, max_epochs=epochs)
        self.max_model_size, self.optimizer, self.loss = max_model_size, optimizer, loss
        self.metrics, self.distribution_strategy = metrics, distribution_strategy
        self.logger, self.tuner_id, self.seed = logger, tuner_id or "tuner0", search.seed
        self.directory = whole(directory or ".")
        self.project_name = project_name or "untitled_project"
        self._options = Options(allow_drift=allow_drift, keep_weights=True, failures_in_a_row=most_failures)
        self._space = _space_name(self if hypermodel is None else hypermodel)
        self.hypermodel: Any = None if hypermodel is None else _hypermodel(self._space, hypermodel)
        self._tuned = tuned(self, has_own_run=self.has_own_run)
        objective, of_study = arguments.objective_of(search.objective)
        self.oracle = oracle_of(self, objective)
        self._example: Any = None
        self._store: Store | None = None
        self._running: Running | None = None
        self._searched: Searched | None = None
        self._has_said_how = False
        self._name = arguments.study_name(self.project_name)
        self._address = Address.of(self.directory)
        self.definition = Definition(
            name=self._name,
            spaces=(self._space,),
            dataset=ARRAYS,
            objective=of_study,
            trials=trials,
            sampler=search.sampler,
            pruner=search.pruner,
            seed=api.parsed("seed", search.seed or 0),
            settings=settings,
            precision=keras.config.dtype_policy().name,
        )
        self._address.check_writable(self._name)
        self.explored = explored(self._space, self._tuned)
        if overwrite:
            self._delete()
        is_new = self._stored() is None
        if not is_new:
            self._refuse_other_search()
        self.own_oracle = self._own_oracle(is_new)
        if not is_new:
            _print(f"Reloading the study {self._name} from {self._address.shown}")

    def search(self, *fit_args: Any, verbose: Any = "auto", callbacks: Any = None, **fit_kwargs: Any) -> None:
        """Search until `max_trials` trials are finished, or every configuration was trained.

        Args:
            *fit_args: `x` and `y`, or whatever the HyperModel's `fit` takes by position.
            verbose: 0 prints warnings only.
            callbacks: Keras callbacks; each trial has copies. `TensorBoard` and `ModelCheckpoint` write into a folder
                for each trial.
            **fit_kwargs: The other arguments of `HyperModel.fit`, which are `model.fit`'s where it is not overridden:
                `epochs` (1 where it is not given; Hyperband trains `max_epochs`), `validation_data`, and so on.

        Raises:
            Refused: other data or settings than those that the project was started with.
            StudyFailure: no trial succeeded or too many in a row failed, a `RuntimeError` too; or one raised a
                FatalError of KerasTuner's, which it is too.
        """
        given, callbacks = callbacks, _copyable(callbacks)
        if len(fit_args) > 2 and not self.has_own_run and type(self.hypermodel).fit is keras_tuner.HyperModel.fit:
            fit_args, fit_kwargs = by_name(fit_args, fit_kwargs)
        if self.given.max_epochs is not None:
            fit_kwargs = {**fit_kwargs, "epochs": self.given.max_epochs}
        epochs = int(fit_kwargs.get("epochs", 1))
        if "epochs" in fit_kwargs:
            fit_kwargs["epochs"] = epochs
        stored = self._stored()
        definition = replace(
            self.definition, epochs=epochs, callbacks=tuple(type(callback).__name__ for callback in callbacks)
        )
        if stored is not None:
            definition = _continued(stored.definition, definition, keeps_seed=self.given.has_any_seed)
        data = search_data(fit_args, fit_kwargs, as_it_came=self.distribution_strategy is not None)
        self._example = example(data.examples)  # type: ignore[arg-type]
        trainer = Trainer(self, definition, None if given is None else callbacks)
        task = Task(
            self._address,
            definition,
            Resources(workers=0),
            Steps(create=stored is None, finals=False),
            Objects({self._space: self._tuned}, data, callbacks, trainer, self.own_oracle),
            self._options,
        )
        self.on_search_begin()
        self.pre_create_trial()
        with display(quiet=not verbose) as shown:
            ended = self._carry_out(task, shown)
        self._settle_budget(ended)
        self._searched = Searched(fit_args, fit_kwargs, callbacks)
        if self._example is not None:
            text = json.dumps(specification(self._example))
            try:
                write_whole(Path(self.project_dir) / INPUTS, lambda draft: draft.write_text(text))
            except OSError as error:
                self.say(f"{INPUTS} cannot be written ({error.strerror}); get_best_models needs it for some models")
        self.on_search_end()

    def finals(
        self,
        x_test: Any,
        y_test: Any = None,
        seeds: int = 5,
        *,
        margin: float | None = None,
        verbose: Any = "auto",
        **evaluate_options: Any,
    ) -> "pandas.DataFrame":
        """Train the baseline (the defaults) and the winner again, and evaluate each on test data with the objective's
        metric: with `seeds` fresh seeds that both share, for as many epochs as were best in the trial.

        Finals train on what `search` was given in this process, with the validation data where both are arrays. Each is
        stored when it is done; another call continues, with more seeds if they are asked for. The verdict is printed,
        and is the first thing in `report()`.

        Args:
            x_test: Arrays, nested or not, or a `tf.data.Dataset` or `PyDataset`, which brings its targets.
            y_test: The targets of arrays.
            seeds: Finals per finalist; from 3 on there are intervals.
            margin: In the metric's units: baseline and winner are tied where the interval of their difference lies
                within it. None is 0.002, or one example, for accuracy and other shares; for other metrics nothing is
                tied.
            verbose: 0 prints warnings only.
            **evaluate_options: Other arguments of `model.evaluate`: `batch_size`, `sample_weight`, `steps`.

        Returns:
            A row for each final: finalist, trial, seed, the metric by its name, epochs, seconds, parameters.

        Raises:
            StudyError: nothing was searched, what cannot be tested, or other test data or options than those of the
                finals that are done.
            StudyFailure: some finals failed; the others are kept.
        """
        study = self._stored()
        if self._searched is None or study is None:
            raise StudyError("finals train on what search(...) was given: call that first; it trains no trial again")
        with display(quiet=not verbose) as shown:
            test = Test(x_test, y_test, evaluate_options, margin, seeds)
            Finals(self, study, self._tuned, self._searched, test, shown).make()
            shown.say(api.verdict_of(study))
        return evaluations.table(study)

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Build, fit and score the models of a trial, pruned and resumed by the study. A subclass may change the
        arguments, or train by itself and return what `HyperModel.fit` may: then nothing is pruned, and an interrupted
        trial starts again."""
        return self.running(trial.trial_id).execute(fit_args, fit_kwargs)

    @property
    def study(self) -> api.Study:
        """The study: its trials as a table, its report."""
        return api.load(self._name, home=self.directory)

    @property
    def remaining_trials(self) -> int | None:
        """Trials that `search` still has to finish; None where it ends with its space."""
        if self.definition.trials == UNLIMITED:
            return None
        stored = self._stored()
        finished = 0 if stored is None else results.finished(stored, self._space)
        return max(self.definition.trials - finished, 0)

    @property
    def project_dir(self) -> str:
        """The folder of the project."""
        folder = self.directory / self._name
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def reload(self) -> None:
        """KerasTuner's call. There is nothing to reload: everything is read from the storage when it is needed.

        Raises:
            StudyError: nothing is stored of the project.
        """
        _ = self.study

    def save(self) -> None:
        """KerasTuner's call. There is nothing to save: every trial is stored when it ends."""

    def on_trial_end(self, trial: Trial) -> None:
        """Called with each trial when it is stored."""

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """The models of the best trials as they were after their best epoch, the best first; pruned ones come last.

        Raises:
            StudyError: a trial whose `fit` did not use its callbacks, so that no weights could be kept.
        """
        return [self.load_model(trial) for trial in self.oracle.get_best_trials(num_models)]

    def load_model(self, trial: Trial) -> keras.Model:
        """The model of a trial, after its best epoch."""
        file, number = self._weights(trial.trial_id), int(trial.trial_id)
        record = next((results.record(each) for each in self.stored_trials() if each.number == number), None)
        if record is None or WEIGHTS in record.missing or not file.exists():
            unused = "its fit(hp, model, ...) does not use its callbacks, or they were deleted"
            why = unused if record is None else record.missing.get(WEIGHTS, unused)
            raise StudyError(
                f"trial {number} kept no weights ({why}); train get_best_hyperparameters() again, or call "
                "save_model(trial.trial_id, model) in run_trial"
            )
        stored, policy = self._stored(), keras.config.dtype_policy()
        assert stored is not None
        keras.config.set_dtype_policy(stored.definition.precision)
        try:
            model = self.built(trial.hyperparameters)
            Before(self._space, number, self._tuned, record).compare(model)
        finally:
            keras.config.set_dtype_policy(policy)
        with maybe_distribute(self.distribution_strategy):
            self._create_variables(model, json.loads(file.with_suffix(".json").read_text()))
            if getattr(model, "optimizer", None) is not None:
                model.optimizer.build(model.trainable_variables)  # its state was saved too
            with built_in_parts(model):
                model.load_weights(file)
        return model

    def save_model(self, trial_id: str, model: keras.Model, step: int = 0) -> None:
        """Keep the weights of a model as those of a trial: for a `run_trial` that trains by itself."""
        Path(self.project_dir, "models").mkdir(exist_ok=True)
        keep_weights(self._weights(trial_id), model)

    def search_space_summary(self, extended: bool = False) -> None:
        """Print what is tuned, in every branch."""
        space = self.oracle.get_space().space
        _print(f"Search space summary\nDefault search space size: {len(space)}")
        for each in space:
            config = each.get_config()
            _print(f"{config.pop('name')} ({type(each).__name__})\n{config}")

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials and their hyperparameters."""
        objective = self.definition.objective
        _print(f"Results summary\nResults in {self.directory / self._name}")
        _print(f"Showing {num_trials} best trials\nObjective: {objective.name}, {objective.direction}d")
        for trial in self.oracle.get_best_trials(num_trials):
            _print(f"\nTrial {int(trial.trial_id)} summary\nHyperparameters:")
            for name, value in trial.hyperparameters.values.items():
                _print(f"{name}: {value}")
            _print(f"Score: {trial.score}")

    def report(self, file: str | Path | None = None) -> Path:
        """Write the HTML report of the search and return its file."""
        return self.study.report(file)

    @cached_property
    def has_own_run(self) -> bool:
        """Whether a subclass overrides `run_trial`."""
        return self.overrides("run_trial")

    def overrides(self, name: str) -> bool:
        """Whether a subclass overrides a method."""
        ours = getattr(Tuner, name)
        return getattr(type(self), name) is not ours

    def running(self, trial_id: str) -> Running:
        """The trial under way.

        Raises:
            StudyError: it is another.
        """
        if self._running is None or self._running.trial.trial_id != trial_id:
            raise StudyError(f"the trial {trial_id} is not under way: search() runs the trials, one after the other")
        return self._running

    @property
    def trial_under_way(self) -> Trial | None:
        """The trial that this process runs."""
        return None if self._running is None else self._running.trial

    @contextmanager
    def under_way(self, running: Running) -> Iterator[Running]:
        """A trial is run while the block runs."""
        self._running = running
        try:
            yield running
        finally:
            self._running = None

    def built(self, hp: Any) -> keras.Model:
        """The model of some hyperparameters, compiled with what the tuner overrides.

        Raises:
            FatalTypeError, FailedTrialError: of KerasTuner: a trial cannot train it.
        """
        given, self.metrics = self.metrics, _copies(self.metrics)
        try:
            model = keras_tuner_private.built(self, hp)
        finally:
            self.metrics = given
        if self._running is not None:
            check_model(self, model)
        return model

    def with_sum(self, metrics: Any) -> Any:
        """Metrics of a dictionary with the sum of several objectives, where there are several; others as they are."""
        if self.definition.objective.name != MULTIPLE or not isinstance(metrics, dict) or MULTIPLE in metrics:
            return metrics
        if not self.oracle.objective.has_value(metrics):
            return metrics
        return {**metrics, MULTIPLE: self.oracle.objective.get_value(metrics)}

    def say(self, text: str) -> None:
        """Print a line."""
        _print(text)

    def say_how_it_runs(self, *, trains_by_itself: bool) -> None:
        """Say once what an overridden `run_trial` means for the search."""
        if self._has_said_how:
            return
        self._has_said_how = True
        name = f"run_trial of {type(self).__name__}"
        _print(
            f"{name} trains by itself: its trials are not pruned, and one that is interrupted starts again"
            if trains_by_itself
            else f"{name} calls super().run_trial: its trials are pruned and resumed as others are"
        )

    def stored_trials(self) -> list[FrozenTrial]:
        """The trials that are stored, by number."""
        stored = self._stored()
        return [] if stored is None else results.trials(stored, self._space)

    def _stored(self) -> StoredStudy | None:
        if self._store is None:
            self._store = Store.open(self._address)
        return None if self._store is None else self._store.studies().get(self._name)

    def _own_oracle(self, is_new: bool) -> OwnOracle | None:
        """The oracle of the user's own class, where one was given: it is told the space, or reads what it saved."""
        oracle = self.given.oracle
        if oracle is None:
            return None
        keras_tuner_private.place(oracle, self.directory, self._name)
        oracle.verbose = 0  # the study shows the trials
        if is_new:
            oracle.update_space(self.explored)
            oracle.save()  # before there is a study, so that a killed search finds both
        else:
            oracle.reload()
        return OwnOracle(oracle, self.tuner_id)

    def _carry_out(self, task: Task, shown: Display) -> StoredStudy:
        """Search, and return the study as it has ended; what ends it otherwise is raised as `search` says."""
        try:
            execution.run(task, shown)
            ended = self._stored()
            assert ended is not None
            execution.refuse_failed(ended, shown.warn)
            return ended
        except StudyFailure as failure:
            raise as_of_keras_tuner(failure) from failure.__cause__
        except StudyError as error:
            if task.steps.create:
                raise
            raise Refused(f"{error}; overwrite=True starts the project again") from error

    def _refusals(self, search: Search, hypermodel: Any, unknown: dict[str, Any]) -> Refusals:
        """What is wrong with the arguments of the constructor as a whole."""
        refusals = Refusals()
        for name, value in unknown.items():
            refusals.add(f"Unrecognized arguments: {type(self).__name__} takes no {name}={value!r}")
        for name in keras_tuner_private.overridden(type(self), Tuner):
            refusals.add(f"{type(self).__name__} overrides {name}, which nothing calls: override run_trial")
        if hypermodel is None and not self.has_own_run:
            refusals.add(
                "Received `hypermodel=None`: the hypermodel is missing; give a HyperModel or a function build(hp), or "
                "override run_trial"
            )
        if search.hyperparameters is None and not (search.tune_new_entries and search.allow_new_entries):
            refusals.add("tune_new_entries=False and allow_new_entries=False need hyperparameters=")
        if search.sampler == OWN_ORACLE and search.oracle is None:
            refusals.add(f"{OWN_ORACLE} is the sampler of a Tuner that is given an oracle of your own")
        return refusals

    def _refuse_other_search(self) -> None:
        """Refuse a project that another algorithm searched, before anything is read of it.

        Raises:
            Refused: naming both.
        """
        stored = self._stored()
        if stored is not None:
            asked = replace(stored.definition, sampler=self.definition.sampler)
            _continued(stored.definition, asked, keeps_seed=True)

    def _weights(self, trial_id: str) -> Path:
        return Path(self.project_dir) / weights_file(self._space, int(trial_id))

    def _create_variables(self, model: keras.Model, shapes: Any) -> None:
        """Build a model that has not been built, or only in part: by what it was built with, or by calling it."""
        if not model.built and shapes:
            model.build_from_config(shapes)
        whole = model.built and all(each.built for each in layers_within(model))
        if not whole and (inputs := self._inputs()) is not None:
            with suppress(NotImplementedError):  # a model without `call` consists of models that are built
                model(inputs)

    def _inputs(self) -> Any:
        """Inputs of a model, or zeros like them; None where nothing is known of them."""
        file = Path(self.project_dir) / INPUTS
        if self._example is None and file.exists():
            self._example = zeros(json.loads(file.read_text()))
        return self._example

    def _override_compile_args(self, model: keras.Model) -> None:
        """Compile with what the tuner overrides; KerasTuner's own loses the metrics of a model that is compiled, and
        takes no other."""
        overriding = {name: getattr(self, name) for name in ("optimizer", "loss", "metrics") if getattr(self, name)}
        if not overriding:
            return
        compiled = keras.saving.deserialize_keras_object(model.get_compile_config() if model.compiled else {}) or {}
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            overriding["optimizer"] = keras.optimizers.deserialize(keras.optimizers.serialize(self.optimizer))
        model.compile(**{**compiled, **overriding})

    def _settle_budget(self, ended: StoredStudy) -> None:
        """A search without a limit has ended with what there was to train."""
        if ended.definition.trials == UNLIMITED:
            store = Store.open(self._address, to_read=False)
            assert store is not None
            study = store.study(self._name)
            study.definition = replace(study.definition, trials=max(1, results.finished(study, self._space)))
            study.save()

    def _delete(self) -> None:
        store = Store.open(self._address)
        study = None if store is None else store.studies().get(self._name)
        if study is not None and any(space["running"] for space in results.progress(study)["spaces"]):
            raise StudyError(f"another process searches the project {self._name!r}; stop it first")
        if store is not None:
            with creation_lock(self._address):
                store.delete_study(self._name)
        shutil.rmtree(self.directory / self._name, ignore_errors=True)


def _continued(stored: Definition, asked: Definition, *, keeps_seed: bool) -> Definition:
    """The stored definition with the budget and the callbacks that are asked for.

    Raises:
        Refused: something else differs.
    """
    may_differ = {"trials", "callbacks", *(["seed"] if keeps_seed else [])}
    differing = [
        f"{field.name}={getattr(stored, field.name)!r} then, {getattr(asked, field.name)!r} now"
        for field in fields(Definition)
        if field.name not in may_differ and getattr(stored, field.name) != getattr(asked, field.name)
    ]
    if differing:
        raise Refused(
            f"the project {stored.name!r} was started otherwise ({', '.join(differing)}); pass `overwrite=True`, "
            "which starts it again, or another project_name, which starts one beside it"
        )
    return replace(stored, trials=asked.trials, callbacks=asked.callbacks)


def _hypermodel(name: str, hypermodel: Any) -> Any:
    try:
        return given(name, hypermodel).hypermodel((0, 0, 0), 0)
    except SpaceError as error:
        raise InvalidArgument(
            f"the `hypermodel` argument should be either a HyperModel or a function build(hp): {error}"
        ) from None


def _copyable(callbacks: Any) -> tuple[Any, ...]:
    """The callbacks of a search.

    Raises:
        InvalidArgument: trials cannot have copies of them.
    """
    try:
        found = api.listed(callbacks)
        copy.deepcopy(found)
    except Exception as error:  # a user's callback may raise anything
        reason = str(error) if isinstance(error, StudyError) else one_line(error)
        raise InvalidArgument(f"All callbacks used during a search should be deep-copyable: {reason}") from error
    return found


def _space_name(hypermodel: Any) -> str:
    name = getattr(hypermodel, "__name__", type(hypermodel).__name__)
    return name if NAME.fullmatch(name) and name != FINALS else "build"


def _copies(metrics: Any) -> Any:
    """Metrics for one model: an object that several shared would carry over what it counted."""
    if isinstance(metrics, keras.metrics.Metric):
        return keras.metrics.deserialize(keras.metrics.serialize(metrics))
    if isinstance(metrics, (list, tuple)):
        return [_copies(each) for each in metrics]
    return {name: _copies(each) for name, each in metrics.items()} if isinstance(metrics, dict) else metrics


def _print(text: str) -> None:
    print_line(LastingConsole(), text)
