"""A trial of a search: one configuration, trained and judged."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import keras
import keras_tuner
import optuna
from optuna.trial import TrialState

from study.errors import Overdue, StudyError, StudyFailure, one_line, traceback_end
from study.execution.judgement import Judgement
from study.execution.loop import Attempt, Job, Outcome, TrialReleased
from study.execution.unchanged import Before, OnBuilt
from study.records import BASELINE_NUMBER, DECLARED, RECORD, WEIGHTS, TrialRecord, plain
from study.search.hyperparameters import TrialHyperParameters
from study.search.pruners import descents
from study.search.samplers import ORACLES
from study.storage import results
from study.system import environment
from study.system.files import remove
from study.system.progress import EpochEnded, TrialEnded, TrialStarted
from study.training.checkpoints import CheckpointFile
from study.training.description import description, shorthand
from study.training.epochs import EpochLog
from study.training.fit import Hooks, Training, fit
from study.training.inherited import Dependent
from study.training.model_state import keep_weights, parameters
from study.training.size import multiply_adds

if TYPE_CHECKING:
    from study.execution.search import SpaceSearch


class Trainer(Protocol):
    """What may train a search's trials in the place of `training.fit` alone."""

    def train(
        self,
        number: int,
        training: Training,
        log: EpochLog,
        hooks: Hooks,
        checkpoint: CheckpointFile,
        check: Callable[[], None],
    ) -> None:
        """Train a trial, as `training.fit.fit` does; `check` raises where the search was interrupted."""

    def ended(self, number: int) -> None:
        """Called when what came of a trial is stored."""


class Excluded(optuna.TrialPruned):
    """The model is larger than the study allows; what exceeds which bound, in words."""


class TrialAttempt(Attempt):
    """A claimed trial. Optuna's trial draws the hyperparameters when they are asked for."""

    def __init__(self, search: "SpaceSearch", job: Job[bool], trial: optuna.Trial, hp: TrialHyperParameters) -> None:
        self._search = search
        self._session = search.session
        self._definition = search.session.definition
        self._space = search.part
        self._job = job
        self._trial = trial
        self._hp = hp
        self._log = EpochLog()
        self._built = ""
        self._multiply_adds: int | None = None
        self._unbuilt: keras.Model | None = None
        known = results.record(job.trial)
        self._missing = {} if known is None else known.missing
        self._began = time.monotonic()
        self._judgement = Judgement(search, job, trial, self._log)
        self.seed = self._definition.seed_for(self._space, "trial", job.number)

    def run(self, checkpoint: CheckpointFile) -> Outcome:
        session, definition = self._session, self._definition
        session.display.show(TrialStarted(f"{self._space} trial {self._job.number}", definition.epochs, self._space))
        training = Training(
            session.hypermodels[self._space], self._hp, session.examples, definition.epochs, self.seed,
            definition.objective, descents=descents(definition, session.examples.train),
        )  # fmt: skip
        trainer, check = session.task.objects.trainer, session.interruption.check

        def train(on_built: OnBuilt) -> None:
            hooks = Hooks(
                on_built=on_built,
                on_epoch=self._epoch_ended,
                on_best=self._keep_weights if session.task.options.keep_weights else None,
                callbacks=lambda: session.callbacks(self._space, self._job.number, self._hp.values),
                limit=session.time_limit(self._space),
            )
            if trainer is None:
                fit(training, self._log, hooks, checkpoint)
            else:
                trainer.train(self._job.number, training, self._log, hooks, checkpoint, check)

        before = Before(self._space, self._job.number, training.hypermodel, results.record(self._job.trial))
        try:
            before.train(train, self._store_built)
        except Excluded as excluded:
            return self._outcome(TrialState.PRUNED, exceeds=str(excluded))
        except optuna.TrialPruned:
            return self._outcome(TrialState.PRUNED)
        except TrialReleased:
            if session.out_of_time(self._space):
                session.display.say(
                    f"{self._space}  trial {self._job.number} paused after epoch {self._log.saved}; resume continues it"
                )
            raise
        return self._completed()

    def failed(self, error: Exception | Overdue) -> Outcome:
        if isinstance(error, StudyError):
            fatal = error if isinstance(error, Dependent) else self._if_baseline(error)
            return self._outcome(TrialState.FAIL, error=str(error), fatal=fatal)
        text, fatal = one_line(error), None
        if isinstance(error, keras_tuner.errors.FatalError):
            fatal = StudyFailure(f"trial {self._job.number} of {self._space} ended the study: {text}")
            fatal.__cause__ = error
        return self._outcome(TrialState.FAIL, error=text, traceback=traceback_end(error), fatal=fatal)

    def show(self, outcome: Outcome) -> None:
        search, definition = self._search, self._definition
        best = search.best_so_far()
        shown_best = f"best {best:.4f}" if best is not None else ""
        self._session.display.show(
            TrialEnded(
                self._space,
                f"{self._space}  trial {self._job.number}  {outcome.line}  {shown_best}".rstrip(),
                done=search.claims.under_way().finished,
                total=definition.trials,
                best=shown_best,
            )
        )
        if self._session.task.options.keep_weights and outcome.state == TrialState.FAIL:
            self._delete_weights()
        if (trainer := self._session.task.objects.trainer) is not None:
            trainer.ended(self._job.number)

    def _keep_weights(self, model: keras.Model) -> None:
        """Keep the weights of the best epoch so far, or none: those of an earlier one would not be the trial's."""
        file = self._session.weights(self._space, self._job.number)
        what = f"the weights of {self._space} trial {self._job.number}"
        why = self._session.spare(WEIGHTS, what, lambda: keep_weights(file, model))
        missing = {WEIGHTS: why} if why else {}
        if missing != self._missing:  # a resume must know
            self._missing = missing
            self._trial.set_user_attr(RECORD, self._record().to_json())
        if why:
            self._delete_weights()

    def _delete_weights(self) -> None:
        file = self._session.weights(self._space, self._job.number)
        for each in (file, file.with_suffix(".json")):
            try:
                remove(each)
            except OSError as error:
                text = f"{each} cannot be deleted ({error.strerror}); it is of no use"
                self._session.display.remark("useless weights", text)

    def _epoch_ended(self, epoch: int, logs: dict[str, float]) -> None:
        """Renew the claim, report the epoch, and have the trial judged."""
        self._search.claims.renew()
        if self._unbuilt is not None:
            self._measure(self._unbuilt)
            self._unbuilt = None
            self._refuse_larger()
        objective = self._definition.objective.name
        if objective in logs:
            self._session.display.show(EpochEnded(epoch, f"{objective} {logs[objective]:.4f}"))
        elif _returns_scores(self._session.hypermodels[self._space]):
            self._session.display.show(EpochEnded(epoch, ""))
        else:
            raise _missing(objective, logs)
        self._judgement.epoch(epoch, logs.get(objective))

    def _completed(self) -> Outcome:
        """The outcome of a fit that ended by itself."""
        objective = self._definition.objective
        if self._log.best(objective) is not None:
            return self._outcome(TrialState.COMPLETE)
        if objective.name in self._log.history:
            return self._outcome(TrialState.FAIL, error=f"{objective.name} is not a number in any epoch")
        missing = _missing(objective.name, self._log.history)
        return self._outcome(TrialState.FAIL, error=str(missing), fatal=self._if_baseline(missing))

    def _outcome(
        self,
        state: TrialState,
        *,
        error: str | None = None,
        traceback: str | None = None,
        fatal: StudyError | None = None,
        exceeds: str = "",
    ) -> Outcome:
        objective = self._definition.objective
        best = self._log.best(objective)
        record = self._record(error, traceback, exceeds)
        attributes: dict[str, Any] = {RECORD: record.to_json()}
        if self._definition.sampler in ORACLES or self._session.task.options.keep_weights:
            attributes[DECLARED] = self._hp.declared()
        result = error or exceeds or (f"{objective.name} {best[1]:.4f}" if best else "")
        what = "excluded" if exceeds else "failed" if state == TrialState.FAIL else state.name.lower()
        epochs = f"epochs {record.epochs}/{self._definition.epochs}"
        return Outcome(
            state,
            value=best[1] if best and state == TrialState.COMPLETE else None,
            attributes=attributes,
            line=f"{what:8}  {result}  {epochs}  {record.seconds:.1f} s",
            fatal=fatal,
        )

    def _store_built(self, model: keras.Model) -> None:
        """So that a trial whose worker dies has a record."""
        self._built = self._built or shorthand(description(model))
        self._measure(model)
        self._trial.set_user_attr(RECORD, self._record().to_json())
        if model.built:
            self._refuse_larger()
        elif self._definition.bounds:
            self._unbuilt = model  # its size is known after an epoch

    def _measure(self, model: keras.Model) -> None:
        self._log.parameters, self._multiply_adds = parameters(model), multiply_adds(model)

    def _refuse_larger(self) -> None:
        """Tell the sampler how the model's size stands to what the study allows.

        Raises:
            Excluded: it is larger.
        """
        sizes, told = (
            {"parameters": self._log.parameters, "multiply_adds": self._multiply_adds},
            self._trial.constraints,
        )
        exceeded = []
        for name, most in self._definition.bounds.items():
            size, what = sizes[name], name.replace("_", "-")
            if size is None:
                text = f"the {what} of some models of {self._space} are not known, and no limit keeps these out"
                self._session.display.remark(f"unknown {name} of {self._space}", text)
            if name not in told:  # a share, so that several can be added
                self._trial.set_constraint(name, 0.0 if size is None else size / most - 1)
            if size is not None and size > most:
                exceeded.append(f"{size:,} {what}, where {most:,} are allowed")
        if exceeded:
            raise Excluded(" and ".join(exceeded))

    def _record(self, error: str | None = None, traceback: str | None = None, exceeds: str = "") -> TrialRecord:
        best = self._log.best(self._definition.objective)
        return TrialRecord(
            values={name: plain(value) for name, value in self._hp.values.items()},
            epochs=self._log.epochs,
            best_epoch=best[0] if best else None,
            returned=self._definition.objective.name in self._log.result,
            trained=self._log.trained,
            parameters=self._log.parameters,
            multiply_adds=self._multiply_adds,
            exceeds=exceeds,
            built=self._built,
            seconds=self._log.seconds + time.monotonic() - self._began,
            history=self._log.history,
            seed=self.seed,
            worker=self._session.worker,
            device=environment.device(),
            error=error,
            traceback=traceback,
            missing=self._missing,
        )

    def _if_baseline(self, error: StudyError) -> StudyError | None:
        """In the baseline it is the fault of the space and ends the study, elsewhere that of the configuration."""
        return error if self._job.number == BASELINE_NUMBER else None


def _returns_scores(hypermodel: Any) -> bool:
    """Whether `fit` of a HyperModel may return an objective that no epoch logs."""
    return type(hypermodel).fit is not keras_tuner.HyperModel.fit


def _missing(objective: str, reported: Iterable[str]) -> StudyError:
    return StudyError(
        f"the models report no {objective} (they report {', '.join(reported) or 'nothing'}); compile them with "
        "metrics=['accuracy'], or give another --objective"
    )
