"""A trial while a tuner runs it: `run_trial` and what it calls."""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np
import optuna
from keras_tuner.engine.trial import Trial

from study import api
from study.config import Definition
from study.errors import StudyError, one_line
from study.execution.loop import TrialReleased
from study.keras_tuner.arguments import MULTIPLE
from study.keras_tuner.data import UserData
from study.search import keras_tuner_private
from study.storage.claims import OwnershipLost
from study.storage.failures import FAILURES
from study.system.keras_settings import settings_kept
from study.system.signals import contained
from study.training.checkpoints import CheckpointFile
from study.training.epochs import Diverged, EpochLog, Unscored, scalars, take_result
from study.training.fit import Hooks, Training, fit

if TYPE_CHECKING:
    from study.keras_tuner.tuner import Tuner

STAYS = (
    StudyError, TrialReleased, OwnershipLost, optuna.TrialPruned, keras_tuner.errors.FatalError,
    keras_tuner.errors.FailedTrialError, *FAILURES,
)  # fmt: skip
"""What ends a trial for good."""
HOOKS = ("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end")
"""Methods of a tuner that are called while a model is trained."""


class Running:
    """A trial under way.

    Args:
        tuner: Runs it.
        trial: As KerasTuner has it.
        training: What is trained, and how.
        log: Is filled in.
        hooks: Judge each epoch.
        checkpoint: Its file, if it has one.
        check: Raises where the search was interrupted.
    """

    def __init__(
        self,
        tuner: "Tuner",
        trial: Trial,
        training: Training,
        log: EpochLog,
        hooks: Hooks,
        checkpoint: CheckpointFile | None,
        check: Callable[[], None],
    ) -> None:
        self.tuner, self.trial, self.training = tuner, trial, training
        self._log, self._hooks, self._checkpoint, self._check = log, hooks, checkpoint, check
        self.retries, self.executions = tuner.given.max_retries_per_trial, tuner.executions_per_trial
        self._attempt = 0
        self._logs: list[EpochLog] = []
        self._results: Any = None

    def run(self, callbacks: tuple[Any, ...] | None) -> None:
        """Run the trial, and again as often as the tuner allows where it raises."""
        most = self.retries
        for self._attempt in range(most + 1):
            try:
                self._run(callbacks)
                return
            except STAYS:
                raise
            except Exception as error:
                if self._attempt == most:
                    raise
                self.tuner.say(
                    f"trial {self.trial.trial_id} failed at attempt {self._attempt + 1} ({one_line(error, 200)}); "
                    f"it is tried again; retries left: {most - self._attempt}"
                )
                vars(self._log).update(vars(EpochLog()))
                self._logs.clear()

    def execute(self, positional: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Build and fit as many models as the tuner executes per trial: what `Tuner.run_trial` does."""
        named = dict(named)
        callbacks = api.listed(named.pop("callbacks", None))
        of_search = self.training.examples
        assert isinstance(of_search, UserData)
        data = UserData(of_search.train, of_search.validation, positional, named)
        epochs = int(named.get("epochs", 1))
        training = replace(self.training, examples=data, epochs=epochs)
        self._results = [self._execution(number, training, callbacks) for number in range(self.executions)]
        if len(self._logs) > 1:
            objective = training.objective
            values = [best[1] for log in self._logs if (best := log.best(objective)) is not None]
            if len(values) < len(self._logs):
                raise Diverged(f"{objective.name} is not a number in any epoch of one of the executions")
            self._log.result, self._log.requested = {objective.name: float(np.mean(values))}, epochs
        return self._results  # type: ignore[no-any-return]

    def report(self, metrics: dict[str, Any]) -> Trial:
        """Log what `run_trial` reports of one more epoch."""
        values = scalars(self.tuner.with_sum(metrics))
        self._log.add(values)
        for name, value in values.items():
            self.trial.metrics.update(name, value, step=self._log.epochs - 1)
        self._check()
        return self.trial

    def _run(self, callbacks: tuple[Any, ...] | None) -> None:
        data, given = self.training.examples, {} if callbacks is None else {"callbacks": list(callbacks)}
        assert isinstance(data, UserData)
        with settings_kept(), contained():
            if self.tuner.has_own_run:
                keras.backend.clear_session()
                keras.utils.set_random_seed(self._seed(0))
            result = self.tuner.run_trial(self.trial, *data.positional, **data.named, **given)
        if result is not self._results or result is None:
            self._take(result)
        if self.tuner.has_own_run:
            self.tuner.say_how_it_runs(trains_by_itself=not self._logs)

    def _take(self, result: Any) -> None:
        """Score the trial by what an overridden `run_trial` returned, or else reported."""
        if result is None:
            if self._log.epochs:
                warnings.warn(
                    "Please remove the call of self.oracle.update_trial(...) in run_trial, and return the metrics",
                    DeprecationWarning,
                    stacklevel=2,
                )
                return
            raise keras_tuner.errors.FatalTypeError(
                "The return value of Tuner.run_trial() is None. Did you forget to return the metrics?"
            )
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # the tuner says how it trains
            self._refused("Tuner.run_trial()", self._log),
        ):
            take_result(self._log, self.tuner.with_sum(result), self.training.epochs, self.training.objective)

    def _execution(self, number: int, training: Training, callbacks: tuple[Any, ...]) -> Any:
        """Train one model; its History, or the metrics that its `fit` returned."""
        is_first = number == 0 and not self._logs
        log = self._log if is_first else EpochLog()
        hooks = replace(self._hooks, callbacks=lambda: self._callbacks(callbacks, number))
        if not is_first:
            hooks = replace(hooks, on_epoch=lambda epoch, logs: self._check(), on_best=self._if_better(log))
        checkpoint = self._checkpoint if is_first and not self._attempt else None
        self._logs.append(log)
        with self._refused("HyperModel.fit()", log):
            fit(replace(training, seed=self._seed(number)), log, hooks, checkpoint)
        if log.result:
            return dict(log.result)
        history = keras.callbacks.History()
        history.history = {name: list(values) for name, values in log.history.items()}
        history.epoch = list(range(log.epochs))
        return history

    @contextmanager
    def _refused(self, function: str, log: EpochLog) -> Iterator[None]:
        """Around what fills a log with the result of a function: KerasTuner refuses what scores nothing."""
        objective = self.tuner.oracle.objective
        try:
            yield
        except Unscored as error:
            keras_tuner_private.check_result(error.result, objective, function)
            raise
        if log.result and objective.name not in log.result and objective.name not in log.history:
            keras_tuner_private.check_result(log.result, objective, function)

    def _seed(self, execution: int) -> int:
        if not self._attempt and not execution:
            return self.training.seed
        key = (self.training.seed, self._attempt, execution)
        return int(np.random.SeedSequence(key).generate_state(1)[0])

    def _if_better(self, log: EpochLog) -> Any:
        """Keeps the weights of an execution that is better than those before it."""
        keep, objective = self._hooks.on_best, self.training.objective
        if keep is None:
            return None
        before = objective.best(best[1] for each in self._logs if (best := each.best(objective)) is not None)

        def kept(model: keras.Model) -> None:
            now = log.best(objective)
            if before is None or now is None or objective.is_better(now[1], before):
                keep(model)

        return kept

    def _callbacks(self, given: tuple[Any, ...], execution: int) -> list[Any]:
        """Copies of the callbacks, with a folder for each trial, and the tuner's own hooks."""
        tuner, trial = self.tuner, self.trial
        callbacks = copy.deepcopy(list(given))
        if any(type(each).__name__ == "TensorBoard" for each in callbacks):
            keras_tuner_private.log_for_tensorboard(tuner, callbacks, trial, execution)
        for each in callbacks:
            if isinstance(each, keras.callbacks.ModelCheckpoint):
                file = Path(each.filepath)
                each.filepath = str(file.parent / trial.trial_id / file.name)
                Path(each.filepath).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(tuner.oracle.objective.name, str) and tuner.oracle.objective.name == MULTIPLE:
            callbacks.append(Sum(tuner))
        if any(map(tuner.overrides, HOOKS)):
            callbacks.append(TunerHooks(tuner, trial))
        return callbacks


class Sum(keras.callbacks.Callback):
    """Logs the sum of several objectives."""

    forgets = True
    """A checkpoint need not hold anything of it."""

    def __init__(self, tuner: "Tuner") -> None:
        super().__init__()
        self._tuner = tuner

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(self._tuner.with_sum(logs))


class TunerHooks(keras.callbacks.LambdaCallback):
    """Calls those methods of a tuner that a subclass overrides."""

    forgets = True
    """A checkpoint need not hold anything of it."""

    def __init__(self, tuner: "Tuner", trial: Trial) -> None:
        def call(name: str) -> Any:
            method = getattr(tuner, name)
            return lambda index, logs=None: method(trial, self.model, index, logs=logs)

        of_keras = {name: name.replace("on_batch", "on_train_batch") for name in HOOKS if tuner.overrides(name)}
        super().__init__(**{theirs: call(name) for name, theirs in of_keras.items()})


def declare_explored(tuner: "Tuner", hp: Any) -> None:
    """Declare what the builds of all branches do: KerasTuner has drawn it before `run_trial` is called."""
    for each in tuner.explored.space:
        keras_tuner_private.declare(hp, each)


class Trainer:
    """Trains the trials of a tuner's search (`execution.trials.Trainer`)."""

    def __init__(self, tuner: "Tuner", definition: Definition, callbacks: tuple[Any, ...] | None) -> None:
        self._tuner, self._definition, self._callbacks = tuner, definition, callbacks

    def train(
        self,
        number: int,
        training: Training,
        log: EpochLog,
        hooks: Hooks,
        checkpoint: CheckpointFile,
        check: Callable[[], None],
    ) -> None:
        """Run a trial."""
        tuner = self._tuner
        trial = Trial(hyperparameters=training.hp, trial_id=tuner.oracle.trial_id(number))
        if tuner.has_own_run or tuner.overrides("on_trial_begin"):
            declare_explored(tuner, training.hp)
        with tuner.under_way(Running(tuner, trial, training, log, hooks, checkpoint, check)) as running:
            tuner.on_trial_begin(trial)
            running.run(self._callbacks)

    def ended(self, number: int) -> None:
        """Called when what came of a trial is stored."""
        tuner = self._tuner
        trial = tuner.oracle.get_trial(tuner.oracle.trial_id(number))
        try:
            trial.save(str(Path(tuner.get_trial_dir(trial.trial_id)) / "trial.json"))
        except OSError as error:  # everything that matters is stored
            tuner.say(f"trial {trial.trial_id}: trial.json cannot be written ({error.strerror})")
        if tuner.own_oracle is not None:
            tuner.own_oracle.tell(number, trial)
        tuner.on_trial_end(trial)
        tuner.pre_create_trial()
