"""Finalists x seeds on the test set. The only file that reads the test images.

Each finalist (the baseline and the tuned winner of a space) is retrained on train + validation and tested once a
seed. A final is a trial of the study's finals; like any other it is claimed, saved each epoch, and taken up again.
"""

import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from study import artifacts, environment, results, training
from study import storage as storage_room
from study.checkpoints import CheckpointFile
from study.claims import Claims, Lost
from study.datasets import Dataset, Images
from study.epochs import EpochLog
from study.errors import Interrupted, StudyFailure, one_line
from study.files import write_whole
from study.hyperparameters import TrialHyperParameters
from study.records import BASELINE, ERROR, FINAL, OWNER, RECORD, TUNED, FinalRecord, TrialRecord, file_name, model_file
from study.samplers import BASELINE_NUMBER
from study.session import Pause, Session


@dataclass(frozen=True)
class Finalist:
    """A configuration that goes to the test set."""

    space: str
    role: str
    trial: int
    epochs: int
    validation: float | None
    values: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, int]:
        """As `FinalRecord.finalist`."""
        return self.space, self.role, self.trial

    def __str__(self) -> str:
        return f"{self.space} {self.role}"


def finalists(session: Session) -> list[Finalist]:
    """Baseline and tuned winner of each space, as the searches stand. A space without a complete trial has none
    tuned, one whose baseline failed has no baseline."""
    chosen: list[Finalist] = []
    for space in session.config.spaces:
        searched = results.trials(session.storage, session.config, space)
        baseline = searched[BASELINE_NUMBER] if searched else None
        if baseline is not None and baseline.state in (TrialState.COMPLETE, TrialState.PRUNED):
            published = getattr(session.hypermodels[space], "baseline_epochs", session.config.epochs)
            chosen.append(_finalist(space, BASELINE, baseline, published))
        winner = results.best_trial(searched, session.config)
        if winner is not None:
            chosen.append(_finalist(space, TUNED, winner, None))
    return chosen


def _finalist(space: str, role: str, trial: FrozenTrial, epochs: int | None) -> Finalist:
    record = TrialRecord.from_json(trial.user_attrs[RECORD])
    best_epoch = record.best_epoch or 1
    accuracies = record.history.get("val_accuracy", [])
    validation = accuracies[best_epoch - 1] if len(accuracies) >= best_epoch else None
    return Finalist(space, role, trial.number, epochs or best_epoch, validation, record.values)


def evaluate(session: Session) -> None:
    """Retrain and test every finalist with every seed that is still to do; returns when no other process does either.

    A final that fails does not keep the others from being made (`results.failed_finals`).

    Raises:
        Interrupted: by a signal; the final under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another goes on.
        StudyFailure: its model or its predictions cannot be written.
    """
    _Finals(session).run()


class _Finals:
    """The finals of a study, as its searches stand."""

    def __init__(self, session: Session) -> None:
        assert session.dataset is not None  # arrays that are given as such come without a test set
        self.session = session
        self.dataset = session.dataset
        self.finalists = finalists(session)
        self.study = storage_room.load(session.storage, session.config.finals_name)
        self.claims = session.claims(self.study)
        self._everything: Images | None = None
        self._test: Images | None = None

    def run(self) -> None:
        session = self.session
        session.growth.forget()
        session.display.phase("finals", *self._counts())
        pause = Pause()
        while True:
            session.between_trials()
            claimed = session.exclusively(self._claim)
            if claimed is not None:
                try:
                    self._make(*claimed)
                except Lost:
                    session.display.say(f"final {claimed[0].number} was taken up by another worker")
                session.trained()
                pause = Pause()
            elif self.claims.held():
                session.wait(pause)
            else:
                return

    def _claim(self) -> tuple[optuna.Trial, Finalist, int] | None:
        """A final that a dead process left, or the next one that nobody makes."""
        session = self.session
        todo = {(*finalist.key, seed_index): (finalist, seed_index) for finalist, seed_index in self._plan()}
        # One look at the trials: one that ends between two looks would be missed by both.
        trials = self.study.get_trials(deepcopy=False)
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        free = self.claims.free_of(running)
        numbers = {trial.number for trial in free}
        done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        held = [trial for trial in running if trial.number not in numbers]
        for trial in [*done, *held, *results.failed(trials, session.began)]:
            todo.pop(_key(trial), None)
        for trial in free:
            if _key(trial) in todo:
                return self._claimed(trial._trial_id, trial.user_attrs.get(OWNER), *todo[_key(trial)])
            # Its finalist is none any more: the study went on to another winner.
            self.study.tell(trial.number, state=TrialState.FAIL)
        if not todo:
            return None
        key, chosen = next(iter(todo.items()))
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={FINAL: list(key)})
        return self._claimed(session.storage.create_new_trial(self.study._study_id, template), None, *chosen)

    def _claimed(
        self, trial_id: int, owner: dict[str, Any] | None, finalist: Finalist, seed_index: int
    ) -> tuple[optuna.Trial, Finalist, int]:
        self.claims.mark(trial_id, owner)
        return optuna.Trial(self.study, trial_id), finalist, seed_index

    def _plan(self) -> list[tuple[Finalist, int]]:
        """Every final, in the order in which they are made."""
        return [(finalist, index) for finalist in self.finalists for index in range(self.session.config.seeds)]

    def _counts(self) -> tuple[int, int]:
        """Finals that are done, and all."""
        plan = {(*finalist.key, seed_index) for finalist, seed_index in self._plan()}
        stored = results.finals(self.session.storage, self.session.config)
        return len(plan & {(*record.finalist, record.seed_index) for record in stored}), len(plan)

    def _make(self, trial: optuna.Trial, finalist: Finalist, seed_index: int) -> None:
        """Make a final and store it, or why it failed."""
        session = self.session
        session.display.item(f"{finalist}, seed {seed_index}", finalist.epochs)
        # The same seed for every finalist: their differences are paired.
        seed = session.config.seed_for("finals", seed_index)
        checkpoint = session.checkpoint("finals", trial, seed, self.claims)
        if self._everything is None or self._test is None:
            self._everything, self._test = self.dataset.train_and_validation, self.dataset.test()
        try:
            record, model, predictions = _final(
                session,
                self.claims,
                trial,
                finalist,
                seed_index,
                seed,
                checkpoint,
                self.dataset,
                self._everything,
                self._test,
            )
            self._store(trial, record, model, predictions)
            line = (
                f"{finalist}  seed {seed_index}  test accuracy {record.accuracy:.4f}  "
                f"{record.errors} errors in {record.test_images}  {record.seconds:.1f} s"
            )
        except Interrupted:
            with suppress(Lost):
                self.claims.hand_back()
            raise
        except (*storage_room.FAILURES, StudyFailure, Lost):
            raise
        except Exception as error:  # whatever a user's HyperModel raises
            line = f"{finalist}, seed {seed_index}: {one_line(error)}"

            def tell() -> None:
                if self.claims.ends():
                    trial.set_user_attr(ERROR, line)
                    self.study.tell(trial, state=TrialState.FAIL)

            session.exclusively(tell, self.claims.keep)
        checkpoint.remove()
        done, total = self._counts()
        session.display.finished("finals", f"final  {line}", done=done, total=total)

    def _store(
        self, trial: optuna.Trial, record: FinalRecord, model: keras.Model, predictions: dict[str, NDArray[Any]]
    ) -> None:
        """Files first, then the record. Under the lock: the model that is kept is the best of those stored."""
        session = self.session

        def tell() -> None:
            if not self.claims.ends():
                return
            rivals = [
                other.accuracy
                for other in results.finals(session.storage, session.config)
                if other.finalist == record.finalist
            ]
            still_chosen = record.finalist in {finalist.key for finalist in finalists(session)}
            if record.role == TUNED and still_chosen and record.accuracy > max(rivals, default=-1.0):
                write_whole(session.folder / model_file(record.space), lambda draft: shutil.copyfile(saved, draft))
                artifacts.upload(session.task.home, trial, [session.folder / model_file(record.space)])
            trial.set_user_attr(RECORD, record.to_json())
            self.study.tell(trial, record.accuracy)

        try:
            self.claims.keep()
            file = session.folder / record.predictions
            write_whole(file, lambda draft: _save_arrays(draft, predictions))
            artifacts.upload(session.task.home, trial, [file])
            artifacts.upload_confusion(session.task.home, trial, record.confusion)
            with tempfile.TemporaryDirectory() as own:  # others shall not wait for it to be saved
                saved = Path(own) / "model.keras"
                if record.role == TUNED:
                    model.save(saved)
                session.exclusively(tell, self.claims.keep)
        except OSError as error:
            raise StudyFailure(
                f"{error.filename or session.folder} cannot be written ({error.strerror or error}); what is finished "
                f"is kept: make room on its disk, then 'study resume {session.config.name}' goes on"
            ) from None


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    """Space, role, trial and seed index of a final."""
    return tuple(trial.user_attrs.get(FINAL, ()))


def _final(
    session: Session,
    claims: Claims,
    trial: optuna.Trial,
    finalist: Finalist,
    seed_index: int,
    seed: int,
    checkpoint: CheckpointFile,
    dataset: Dataset,
    everything: Images,
    test: Images,
) -> tuple[FinalRecord, keras.Model, dict[str, NDArray[Any]]]:
    """Retrain and test; the record, the model, and what is kept of the predictions."""
    log, began = EpochLog(), time.monotonic()

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        session.display.epoch(epoch, "")
        claims.renew()
        if epoch < finalist.epochs:
            session.interruption.check()

    hypermodel = session.hypermodels[finalist.space]
    # A `fit` that cannot do without validation data is shown some: they are among the images it trains on.
    shown = dataset.validation if training.demands_validation(hypermodel) else None
    model = training.fit(
        hypermodel,
        TrialHyperParameters.with_values(finalist.values),
        training.Examples(everything, shown),
        epochs=finalist.epochs,
        seed=seed,
        log=log,
        objective=session.config.objective,
        direction=session.config.direction,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    probabilities = training.probabilities(model, test)
    predicted = probabilities.argmax(axis=1)
    misread = np.flatnonzero(predicted != test.y)
    confusion = np.zeros((dataset.num_classes, probabilities.shape[1]), dtype=int)
    np.add.at(confusion, (test.y, predicted), 1)
    true = probabilities[np.arange(len(test)), test.y].astype(np.float64)
    record = FinalRecord(
        space=finalist.space,
        role=finalist.role,
        trial=finalist.trial,
        values=finalist.values,
        validation=finalist.validation,
        seed_index=seed_index,
        seed=seed,
        epochs=finalist.epochs,
        parameters=model.count_params(),
        seconds=log.seconds + time.monotonic() - began,
        history=log.history,
        test_images=len(test),
        errors=len(misread),
        loss=float(-np.log(np.clip(true, 1e-12, 1)).mean()),
        confusion=confusion.tolist(),
        predictions=f"predictions/{file_name(finalist.space)}-{finalist.role}-{finalist.trial}-seed{seed_index}.npz",
        worker=session.worker,
        device=environment.device(),
    )
    kept: dict[str, NDArray[Any]] = {
        "probabilities": probabilities,
        "labels": test.y,
        "misread": misread,
        "misread_images": test.x[misread],
    }
    return record, model, kept


def _save_arrays(draft: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with draft.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
