"""Finalists x seeds on the test set. The only file that reads the test images.

Each finalist is retrained on training + validation images and tested, once per seed. A final is a trial of the study's
finals; like any other it is claimed, saved after each epoch, and taken up again.
"""

import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import keras
import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from study.config import FINALS
from study.data.datasets import Dataset
from study.errors import one_line
from study.execution.finalists import Finalist, finalists
from study.execution.loop import Attempt, Job, Outcome, Work, end, run_all
from study.execution.retraining import on_all_images
from study.execution.session import Session
from study.images import Images
from study.integrations import artifacts
from study.paths import model_file, predictions_file
from study.records import ERROR, FINAL, RECORD, TUNED, FinalRecord
from study.search.hyperparameters import TrialHyperParameters
from study.storage import results
from study.storage.queries import Running
from study.system import environment
from study.system.files import write_whole
from study.system.progress import EpochEnded, PhaseStarted, TrialEnded, TrialStarted
from study.training.checkpoints import CheckpointFile
from study.training.epochs import EpochLog
from study.training.fit import Hooks, fit
from study.training.prediction import probabilities


class Target(NamedTuple):
    """A finalist with one seed."""

    finalist: Finalist
    seed_index: int

    @property
    def key(self) -> tuple[Any, ...]:
        """Space, role, trial and seed index: the user attribute `FINAL`."""
        return *self.finalist.key, self.seed_index

    def __str__(self) -> str:
        return f"{self.finalist}, seed {self.seed_index}"


def evaluate(session: Session) -> None:
    """Retrain and test every finalist with every seed that is still to do; returns when no other process does either.

    A final that fails does not keep the others from being made (`results.failed_finals`).

    Raises:
        Interrupted: by a signal; the final under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another one continues.
        StudyFailure: its model or its predictions cannot be written.
    """
    finals = Finals(session)
    session.growth.forget()
    session.display.show(PhaseStarted(FINALS, *finals.counts()))
    run_all(session, [finals])


class Finals(Work[Target]):
    """The finals of a study, as its searches stand."""

    def __init__(self, session: Session) -> None:
        assert session.dataset is not None, "data that are given as arrays come without a test set"
        super().__init__(session, FINALS)
        self.study = session.study.part(FINALS)
        self.dataset: Dataset = session.dataset
        self.finalists = finalists(session)
        self._test: Images | None = None

    @property
    def test_images(self) -> Images:
        """The test images, read when the first final needs them."""
        if self._test is None:
            self._test = self.dataset.test()
        return self._test

    def counts(self) -> tuple[int, int]:
        """Finals that are done, and all."""
        plan = {target.key for target in self._plan()}
        done = {(*record.finalist, record.seed_index) for record in results.finals(self.session.study)}
        return len(plan & done), len(plan)

    def claim(self) -> tuple[int, Target] | None:
        """A final that a dead process left, or the next one that nobody makes."""
        storage = self.session.study.store.storage
        running = self.claims.under_way().running
        trials = {trial.number: trial for trial in self.study.get_trials(deepcopy=False)}
        free = self.claims.free_of(running)
        todo = self._todo(trials, running, free)
        for left in free:
            key = _key(trials[left.number])
            if key in todo:
                self.claims.mark(left.trial_id, left.owner)
                return left.trial_id, todo[key]
            # Its finalist is none any more: the study has another winner now.
            end(self.session.study, self.study, left.trial_id, left.number, Outcome(TrialState.FAIL))
        if not todo:
            return None
        target = next(iter(todo.values()))
        template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={FINAL: list(target.key)})
        trial_id = storage.create_new_trial(storage.get_study_id_from_name(self.study.study_name), template)
        self.claims.mark(trial_id)
        return trial_id, target

    def is_under_way(self) -> bool:
        return bool(self.claims.held())

    def attempt(self, job: Job[Target]) -> "FinalAttempt":
        return FinalAttempt(self, job)

    def _plan(self) -> list[Target]:
        """Every final, in the order in which they are made."""
        seeds = range(self.session.definition.seeds)
        return [Target(finalist, index) for finalist in self.finalists for index in seeds]

    def _todo(
        self, trials: dict[int, FrozenTrial], running: Sequence[Running], free: Sequence[Running]
    ) -> dict[tuple[Any, ...], Target]:
        """Finals by key that are neither done, nor under way, nor failed in this session."""
        held = {trial.number for trial in running} - {trial.number for trial in free}
        done = {number for number, trial in trials.items() if trial.state == TrialState.COMPLETE}
        failed = {trial.number for trial in results.failed(trials.values(), self.session.began)}
        taken = {_key(trials[number]) for number in held | done | failed}
        return {target.key: target for target in self._plan() if target.key not in taken}


class FinalAttempt(Attempt):
    """A claimed final."""

    def __init__(self, finals: Finals, job: Job[Target]) -> None:
        self._finals = finals
        self._session = finals.session
        self._job = job
        self._target = job.target
        self._log = EpochLog()
        self._began = time.monotonic()
        self._kept: TemporaryDirectory[str] | None = None
        # The same seed for every finalist: their differences are paired.
        self.seed = finals.session.definition.seed_for(FINALS, job.target.seed_index)

    def run(self, checkpoint: CheckpointFile) -> Outcome:
        finalist = self._target.finalist
        self._session.display.show(TrialStarted(str(self._target), finalist.epochs))
        model = self._retrain(checkpoint)
        record, predictions = self._test(model)
        try:
            return self._store(record, model, predictions)
        except OSError as error:
            raise self._session.unwritable(error) from None

    def failed(self, error: Exception) -> Outcome:
        line = f"{self._target}: {one_line(error)}"
        return Outcome(TrialState.FAIL, attributes={ERROR: line}, line=line)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.cleanup()

    def show(self, outcome: Outcome) -> None:
        done, total = self._finals.counts()
        self._session.display.show(TrialEnded(FINALS, f"final  {outcome.line}", done=done, total=total))

    def _retrain(self, checkpoint: CheckpointFile) -> keras.Model:
        session, finalist = self._session, self._target.finalist
        hypermodel, hp = session.hypermodels[finalist.space], TrialHyperParameters.with_values(finalist.values)
        objective = session.definition.objective
        training = on_all_images(self._finals.dataset, hypermodel, hp, finalist.epochs, self.seed, objective)
        return fit(training, self._log, Hooks(on_epoch=self._epoch_ended), checkpoint)

    def _epoch_ended(self, epoch: int, logs: dict[str, float]) -> None:
        self._session.display.show(EpochEnded(epoch, ""))
        self._finals.claims.renew()
        if epoch < self._target.finalist.epochs:
            self._session.interruption.check()

    def _test(self, model: keras.Model) -> tuple[FinalRecord, dict[str, NDArray[Any]]]:
        """What came of the model on the test images: the record, and what is kept of its predictions."""
        finalist, seed_index = self._target
        test, classes = self._finals.test_images, self._finals.dataset.num_classes
        predicted = probabilities(model, test)
        labels = predicted.argmax(axis=1)
        misread = np.flatnonzero(labels != test.y)
        confusion = np.zeros((classes, predicted.shape[1]), dtype=int)
        np.add.at(confusion, (test.y, labels), 1)
        of_true_class = predicted[np.arange(len(test)), test.y].astype(np.float64)
        record = FinalRecord(
            space=finalist.space,
            role=finalist.role,
            trial=finalist.trial,
            values=finalist.values,
            validation=finalist.validation,
            seed_index=seed_index,
            seed=self.seed,
            epochs=finalist.epochs,
            parameters=model.count_params(),
            seconds=self._log.seconds + time.monotonic() - self._began,
            history=self._log.history,
            test_images=len(test),
            errors=len(misread),
            loss=float(-np.log(np.clip(of_true_class, 1e-12, 1)).mean()),
            confusion=confusion.tolist(),
            predictions=predictions_file(finalist.space, finalist.role, finalist.trial, seed_index),
            worker=self._session.worker,
            device=environment.device(),
        )
        kept: dict[str, NDArray[Any]] = {
            "probabilities": predicted,
            "labels": test.y,
            "misread": misread,
            "misread_images": test.x[misread],
        }
        return record, kept

    def _store(self, record: FinalRecord, model: keras.Model, predictions: dict[str, NDArray[Any]]) -> Outcome:
        """Files first, then the record: what is stored can be relied on.

        Raises:
            OSError: a file cannot be written.
        """
        session, home = self._session, self._session.study.store.home
        upload = partial(artifacts.upload, home, session.study.store.storage, self._job.trial)
        self._finals.claims.renew_if_due()
        file = session.study.folder / record.predictions
        write_whole(file, lambda draft: _save_arrays(draft, predictions))
        upload([file])
        with artifacts.confusion_file(record.confusion) as picture:
            upload([picture])
        saved = None
        if record.role == TUNED:
            self._kept = TemporaryDirectory()  # saved before the lock is taken: others must not wait for it
            saved = Path(self._kept.name) / "model.keras"
            model.save(saved)
        return Outcome(
            TrialState.COMPLETE,
            value=record.accuracy,
            attributes={RECORD: record.to_json()},
            line=(
                f"{self._target.finalist}  seed {self._target.seed_index}  test accuracy {record.accuracy:.4f}  "
                f"{record.errors} errors in {record.test_images}  {record.seconds:.1f} s"
            ),
            before_told=lambda: self._keep_if_best(record, saved),
        )

    def _keep_if_best(self, record: FinalRecord, saved: Path | None) -> None:
        """Keep the model, if it is the best of those that were stored of the present winner. Under the lock."""
        study = self._session.study
        if saved is None or record.finalist not in {finalist.key for finalist in finalists(self._session)}:
            return
        rivals = [other.accuracy for other in results.finals(study) if other.finalist == record.finalist]
        if record.accuracy <= max(rivals, default=-1.0):
            return
        file = study.folder / model_file(record.space)
        try:
            write_whole(file, lambda draft: shutil.copyfile(saved, draft))
            artifacts.upload(study.store.home, study.store.storage, self._job.trial, [file])
        except OSError as error:
            raise self._session.unwritable(error) from None


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    """Space, role, trial and seed index of a final."""
    return tuple(trial.user_attrs.get(FINAL, ()))


def _save_arrays(draft: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with draft.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
