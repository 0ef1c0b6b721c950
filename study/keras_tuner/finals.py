"""A verdict for any Keras model: the baseline and the winner of a tuner's search, trained again and tested.

Each final is stored when it is done, and is trained once. Test data are seen by `evaluate` and `predict` alone.
"""

import inspect
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial
from optuna.trial import TrialState

from study.config import FINALS
from study.data.streams import is_stream
from study.errors import StudyError, StudyFailure, did_you_mean, one_line
from study.execution.unchanged import Before, OnBuilt
from study.keras_tuner.arguments import MULTIPLE, Refusals
from study.keras_tuner.data import fingerprint, search_data
from study.keras_tuner.predictions import Predictions, predictions
from study.keras_tuner.running import Running, declare_explored
from study.keras_tuner.union import are_arrays, rows, union
from study.paths import predictions_file
from study.records import BASELINE, PREDICTED, Conditions, EvaluationRecord, finite
from study.search.hyperparameters import TrialHyperParameters
from study.search.pruners import descents
from study.storage import evaluations, selection
from study.storage.failures import FAILURES
from study.storage.predictions import write_arrays
from study.storage.selection import Candidate
from study.storage.store import StoredStudy
from study.system import environment
from study.system.processes import worker
from study.system.progress import Display
from study.training.epochs import EpochLog
from study.training.examples import SearchData
from study.training.fit import Hooks, Training
from study.training.model_state import parameters

if TYPE_CHECKING:
    from study.keras_tuner.tuner import Tuner

OPTIONS = set(inspect.signature(keras.Model.evaluate).parameters) - {"self", "x", "y", "verbose", "return_dict"}
"""What `evaluate` takes besides; the metrics are asked for by their names."""
SCHEDULES = (keras.callbacks.LearningRateScheduler,)
"""Callbacks of the search that finals train with, too: without validation data they do what they did."""


@dataclass(frozen=True)
class Searched:
    """What `search` was called with."""

    positional: tuple[Any, ...]
    named: dict[str, Any]
    callbacks: list[Any]

    def part(self, name: str) -> Any:
        """`x` or `y`."""
        given = dict(zip(("x", "y"), self.positional, strict=False))
        return given.get(name, self.named.get(name))

    @property
    def held_out(self) -> Any:
        """The inputs of the validation data; None where there are none, or nobody knows."""
        validation = self.named.get("validation_data")
        return validation[0] if isinstance(validation, (tuple, list)) and validation else None


@dataclass(frozen=True)
class Test:
    """Test data, and how `evaluate` is called."""

    x: Any
    y: Any
    options: dict[str, Any]
    margin: float | None
    """Differences that do not matter, in the metric's units."""
    seeds: int

    def refuse(self, searched: Searched) -> None:
        """Refuse, before anything is trained, what cannot be used.

        Raises:
            StudyError: all of it, in a line.
        """
        refusals = Refusals()
        refusals.number("seeds", self.seeds, 1)
        for name in self.options.keys() - OPTIONS:
            refusals.add(f"evaluate takes no {name}{did_you_mean(name, OPTIONS)}")
        if self.margin is not None and not (isinstance(self.margin, (int, float)) and 0 <= self.margin < math.inf):
            refusals.add(f"margin must be a number in the metric's units, of at least 0; it was given {self.margin!r}")
        if self.x is None:
            refusals.add("x_test is missing")
        for name, given in (("x_test", self.x), ("y_test", self.y)):
            if any(isinstance(each, (int, float, str)) for each in keras.tree.flatten(given)):
                refusals.add(f"{name} must be an array, not a list of numbers or texts: give np.array({name})")
        if is_stream(self.x) and self.y is not None:
            refusals.add(f"y_test is for arrays; a {type(self.x).__name__} brings its own targets")
        elif are_arrays(self.x) and self.y is None and searched.part("y") is not None:
            refusals.add("y_test is missing: the search was given y")
        elif are_arrays(self.x) and are_arrays(self.y) and rows(self.y) != rows(self.x):
            refusals.add(f"x_test has {rows(self.x):,} examples and y_test {rows(self.y):,}")
        train = searched.part("x")
        # Lengths may differ, as those of series do.
        if are_arrays(train) and are_arrays(self.x) and _axes(train) != _axes(self.x):
            refusals.add(f"x_test is made otherwise than the x of search: {_shapes(self.x)}, not {_shapes(train)}")
        refusals.end()

    def conditions(self, searched: Searched, metric: str, *, joined: bool) -> Conditions:
        """What is stored of it."""
        inputs = fingerprint(self.x)
        known = [each for each in (searched.part("x"), searched.held_out) if are_arrays(each)]
        return Conditions(
            data={"x_test": inputs} | ({} if self.y is None else {"y_test": fingerprint(self.y)}),
            options={name: fingerprint(each) for name, each in sorted(self.options.items())},
            metric=metric,
            margin=None if self.margin is None else float(self.margin),
            examples=rows(self.x) if are_arrays(self.x) else None,
            seeds=int(self.seeds),
            joined=joined,
            seen=are_arrays(self.x) and inputs in map(fingerprint, known),
        )


class Finals:
    """The finals of a tuner, as its search stands.

    Args:
        tuner: Whose they are.
        study: What is stored of it.
        hypermodel: As the search built and fitted it.
        searched: What `search` was called with.
        test: On what they are tested.
        display: Where it is said what happens.

    Raises:
        StudyError: what cannot be tested, before anything is trained.
    """

    def __init__(
        self, tuner: "Tuner", study: StoredStudy, hypermodel: Any, searched: Searched, test: Test, display: Display
    ) -> None:
        self._tuner, self._study, self._hypermodel, self._display = tuner, study, hypermodel, display
        self._test, self._definition = test, study.definition
        test.refuse(searched)
        self.finalists = self._finalists()
        self._metric = self._known_metric()
        watches = tuner.has_own_run or has_own_fit(tuner.hypermodel)
        joined = union(searched.positional, searched.named, watches=watches)
        positional, named = joined or (searched.positional, searched.named)
        as_it_came = tuner.distribution_strategy is not None
        self._data: SearchData = search_data(positional, named, as_it_came=as_it_came)
        self._descents = descents(
            study.definition, search_data(searched.positional, searched.named, as_it_came=as_it_came).examples.train
        )
        # Weights, stops and files are not the final's: its epochs are known. A schedule of the learning rate trains.
        self._callbacks = [each for each in searched.callbacks if isinstance(each, SCHEDULES)]
        self._conditions = self._checked(test.conditions(searched, self._metric, joined=joined is not None))
        self._say_how(searched, watches=watches)

    def make(self) -> None:
        """Train and test each finalist with each seed that is still to do.

        Raises:
            StudyError: a finalist cannot be trained or tested at all.
            StudyFailure: some failed; the others are kept.
        """
        done = {evaluations.key(each) for each in evaluations.evaluations(self._study)}
        evaluations.keep_conditions(self._study, self._conditions)
        policy, failed = keras.config.dtype_policy(), []
        keras.config.set_dtype_policy(self._definition.precision)
        try:
            for seed_index in range(int(self._test.seeds)):
                for finalist in self.finalists:
                    if (finalist.number, seed_index) not in done and (why := self._made(finalist, seed_index)):
                        failed.append(why)
                        self._display.warn(why)
        finally:
            keras.config.set_dtype_policy(policy)
        if failed:
            raise StudyFailure(
                f"{len(failed)} of the finals failed ({failed[0]}); the others are kept, and finals(...) tries again"
            )

    def _finalists(self) -> list[Candidate]:
        """Baseline and winner; one where they are the same, or the baseline failed.

        Raises:
            StudyError: there is no winner, or `fit` trains other models than `build` returned.
        """
        (space,) = self._definition.spaces
        chosen = selection.of(self._study)
        winner = chosen.winners.get(space)
        if winner is None:
            raise StudyError("no trial is complete, so there is nothing to test: search(...) first")
        baseline = next((each for each in chosen.candidates[space] if each.role == BASELINE), None)
        if baseline is None:
            self._display.say("the defaults could not be trained: the winner is tested alone")
        found = [each for each in (baseline, winner) if each is not None]
        found = found[:1] if len(found) == 2 and found[0].number == found[1].number else found
        for each in found:
            if each.trial.state == TrialState.COMPLETE and not each.record.trained:
                raise StudyError(
                    f"trial {each.number} did not train the model that build(hp) returned, so there is nothing to "
                    "test: let fit train that model, and run_trial call super().run_trial"
                )
        return found

    def _known_metric(self) -> str:
        """The objective's metric as `evaluate` names it.

        Raises:
            StudyError: no epoch of any finalist logged it, so `evaluate` will not return it either.
        """
        name = self._definition.objective.name
        metric = name.removeprefix("val_")
        logged = [each.record.history for each in self.finalists]
        if not any({name, metric} & history.keys() for history in logged):
            raise StudyError(
                f"evaluate cannot return {metric}: no epoch of the trials logged it; search with an objective that the "
                "models are compiled with, such as val_loss"
            )
        return metric

    def _checked(self, wanted: Conditions) -> Conditions:
        """What is to be stored of the test.

        Raises:
            StudyError: the finals that are done were tested otherwise.
        """
        stored = evaluations.conditions(self._study)
        if stored is None or not evaluations.evaluations(self._study):
            return wanted
        differing = [
            f"{name}: {was} then, {now} now"
            for each in ("data", "options", "margin", "joined")
            for name, was, now in _differences(each, getattr(stored, each), getattr(wanted, each))
        ]
        if differing:
            raise StudyError(
                f"the finals of {self._study.name!r} were tested otherwise ({'; '.join(differing)}); a choice between "
                "tests is none: give the same again"
            )
        return replace(wanted, seeds=max(stored.seeds, wanted.seeds))

    def _say_how(self, searched: Searched, *, watches: bool) -> None:
        """Say what finals train on, and without what."""
        joined = self._conditions.joined
        line = f"finals train on {'training + validation data' if joined else 'the training data alone'}"
        if joined and watches and "validation_data" in searched.named:
            line += "; fit watches validation data that it also trains on"
        left_out = [type(each).__name__ for each in searched.callbacks if each not in self._callbacks]
        if left_out:
            line += f"; without {', '.join(left_out)}, for as many epochs as were best in the trial"
        self._display.say(line)
        if self._conditions.seen:
            self._display.warn("the test data are data of the search: what finals reach on them is too good")

    def _made(self, finalist: Candidate, seed_index: int) -> str:
        """Train, test and store a final; why it failed, or nothing."""
        name = f"{finalist.role}, seed {seed_index}"
        try:
            record = self._final(finalist, seed_index)
        except (*FAILURES, StudyError):
            raise
        except Exception as error:  # whatever a user's model raises
            return f"{name}: {one_line(error)}"
        if record is None:
            return f"{name}: {self._metric} is not a number on the test data"
        evaluations.keep(self._study, record)
        self._display.say(f"final  {name}  {self._metric} {record.value:.4f}  {record.seconds:.1f} s")
        return ""

    def _final(self, finalist: Candidate, seed_index: int) -> EvaluationRecord | None:
        """What came of a final; None where its metric is not finite."""
        began, seed, log = time.monotonic(), self._definition.seed_for(FINALS, seed_index), EpochLog()
        model = self._trained(finalist, seed, log)
        metrics = self._evaluated(model)
        if not math.isfinite(metrics[self._metric]):
            return None
        file = predictions_file(finalist.space, finalist.role, finalist.number, seed_index)
        found, missing = self._predicted(model, file)
        return EvaluationRecord(
            space=finalist.space,
            role=finalist.role,
            trial=finalist.number,
            values=finalist.record.values,
            validation=finalist.trial.value if finalist.trial.state == TrialState.COMPLETE else None,
            seed_index=seed_index,
            seed=seed,
            epochs=log.epochs,
            parameters=parameters(model),
            seconds=time.monotonic() - began,
            history=log.history,
            metrics={name: finite(value) for name, value in metrics.items()},
            value=metrics[self._metric],
            confusion=found.confusion,
            predictions=file if found.regression is not None and not missing else None,
            worker=worker(),
            device=environment.device(),
            missing=missing,
        )

    def _trained(self, finalist: Candidate, seed: int, log: EpochLog) -> keras.Model:
        """The finalist's model, trained as its trial was, for as many epochs as were best in it.

        Raises:
            StudyError: no model was trained, or another than in the trial.
        """
        tuner, definition, models = self._tuner, self._definition, []
        hp = TrialHyperParameters.with_values(finalist.record.values)
        if tuner.has_own_run:
            declare_explored(tuner, hp)
        training = Training(
            self._hypermodel, hp, self._data.examples, definition.epochs, seed, definition.objective,
            stop_after=finalist.best_epoch, descents=self._descents,
        )  # fmt: skip
        trial = Trial(hyperparameters=hp, trial_id=tuner.oracle.trial_id(finalist.number))

        def train(on_built: OnBuilt) -> None:
            def built(model: keras.Model) -> None:
                on_built(model)
                models.append(model)

            running = Running(tuner, trial, training, log, Hooks(on_built=built), None, lambda: None)
            running.retries, running.executions = 0, 1
            with tuner.under_way(running):
                running.run(tuple(self._callbacks))

        Before(finalist.space, finalist.number, self._hypermodel, finalist.record).train(train)
        if not models or not log.trained:
            raise StudyError(
                f"{finalist.role}: fit did not train the model that build(hp) returned: nothing was tested"
            )
        return models[-1]

    def _evaluated(self, model: keras.Model) -> dict[str, float]:
        """What `evaluate` returns, the objective's metric by its name.

        Raises:
            StudyError: it does not return that.
            StudyFailure: it raises.
        """
        if not model.compiled:
            raise StudyError("the model is not compiled, so evaluate has no metric: compile it in build(hp)")
        try:
            found = model.evaluate(self._test.x, self._test.y, return_dict=True, verbose=0, **self._test.options)
        except Exception as error:  # of the test data or options, so that it would be the same with each final
            raise StudyFailure(
                f"evaluate fails on the test data ({one_line(error, 300)}); nothing was stored"
            ) from error
        metrics = {name: float(value) for name, value in found.items()}
        if self._metric == MULTIPLE:
            of_validation = {f"val_{name}": value for name, value in metrics.items()}
            metrics = {**metrics, **self._tuner.with_sum({**metrics, **of_validation})}
        if self._metric not in metrics:
            raise StudyError(
                f"evaluate returns no {self._metric}; it returns {', '.join(metrics)}: search with one of these, as "
                "val_NAME, or compile the model with it"
            )
        return metrics

    def _predicted(self, model: keras.Model, file: str) -> tuple[Predictions, dict[str, str]]:
        """What is kept of the model's predictions, and why something is missing: the result can do without."""
        try:
            found = predictions(model, self._test.x, self._test.y, self._test.options.get("batch_size"))
            if found.regression is not None:
                write_arrays(self._study.folder / file, found.regression)
        except Exception as error:  # whatever a model or a disk raises
            return Predictions(), {PREDICTED: one_line(error, 200)}
        return found, {}


def has_own_fit(hypermodel: Any) -> bool:
    """Whether a HyperModel overrides `fit`, which may then look at the validation data."""
    return hypermodel is not None and type(hypermodel).fit is not keras_tuner.HyperModel.fit


def _differences(part: str, was: Any, now: Any) -> list[tuple[str, Any, Any]]:
    """What differs, by its name; an entry that one side lacks is None there."""
    if not isinstance(was, dict):
        return [] if was == now else [(part, was, now)]
    names = sorted({**was, **now})
    return [(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]


def _axes(data: Any) -> list[int]:
    """How many axes each of nested arrays has."""
    return [len(each.shape) for each in keras.tree.flatten(data)]


def _shapes(data: Any) -> str:
    """The shapes of nested arrays, without the number of examples."""
    return ", ".join("x".join(["n", *map(str, each.shape[1:])]) for each in keras.tree.flatten(data))
