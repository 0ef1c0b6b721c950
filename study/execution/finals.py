"""Finalists x seeds on the test set. The only ones of a study that read the test images.

Each finalist is retrained on training + validation images and tested, once per seed. A final is a trial of the study's
finals; like any other it is claimed, saved after each epoch, and taken up again.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from study.config import FINALS, SPACES
from study.data.datasets import Dataset
from study.errors import Overdue, one_line
from study.execution.finalists import finalists
from study.execution.giving_up import tested
from study.execution.loop import Job, Outcome, run_all
from study.execution.planned import Planned, PlannedAttempt, Target
from study.execution.retraining import all_images
from study.execution.session import Session
from study.images import Images, Shown, shown
from study.integrations import artifacts
from study.paths import model_file, predictions_file
from study.records import ARTIFACT, MODEL, PREDICTED, RECORD, FinalRecord, packed
from study.storage import predictions as stored
from study.system import environment
from study.system.files import write_whole
from study.system.progress import PhaseStarted
from study.training.checkpoints import CheckpointFile
from study.training.model_state import parameters
from study.training.prediction import expected_calibration_error, probabilities
from study.training.published import published


def evaluate(session: Session) -> None:
    """Retrain and test every finalist with every seed that is still to do; returns when no other process does either.

    A final that fails does not keep the others from being made (`results.failures`).

    Raises:
        Interrupted: by a signal; the final under way is left to be taken up by a resume.
        Recycled: this worker has grown too large; another one continues.
        StudyError: a finalist cannot be trained as its trial was.
    """
    finals = Finals(session)
    session.growth.forget()
    done, total, share = finals.counts()
    session.display.show(PhaseStarted(FINALS, done, total, share=share))
    watching = [space for space in session.definition.spaces if space not in SPACES]
    if watching and session.role.first:
        session.display.say(f"finals of {', '.join(watching)} watch validation images that they also train on")
    run_all(session, [finals])


class Finals(Planned):
    """The finals of a study, as its searches stand."""

    def __init__(self, session: Session) -> None:
        assert session.dataset is not None, "data that are given as arrays come without a test set"
        super().__init__(session, FINALS)
        self.dataset: Dataset = session.dataset
        self.finalists = finalists(session)
        self._test: Images | None = None

    @property
    def test_images(self) -> Images:
        """The test images, read when the first final needs them."""
        if self._test is None:
            self._test = self.dataset.test()
        return self._test

    def plan(self) -> list[Target]:
        """Seed by seed, so that those of an interrupted study can be compared, in pairs."""
        seeds = range(self.session.definition.seeds)
        return [Target(finalist, index) for index in seeds for finalist in self.finalists]

    def attempt(self, job: Job[Target]) -> "FinalAttempt":
        return FinalAttempt(self, job)


class FinalAttempt(PlannedAttempt):
    """A claimed final."""

    def __init__(self, finals: Finals, job: Job[Target]) -> None:
        super().__init__(finals, job)
        self._finals = finals

    def run(self, checkpoint: CheckpointFile) -> Outcome:
        space, weights = self._target.configuration.space, self._session.definition.class_weights
        model = self._train(all_images(self._finals.dataset, space, weights), checkpoint)
        record, predicted, misread = self._test(model)
        self._finals.claims.renew()
        # First of all: whatever becomes of the files, the process included, the result is kept (`give_up`).
        self._session.study.store.storage.set_trial_user_attr(self._job.trial_id, RECORD, record.to_json())
        record = replace(record, missing=self._keep(record, model, predicted, misread))
        return Outcome(
            TrialState.COMPLETE,
            value=record.accuracy,
            attributes={RECORD: record.to_json()},
            line=(
                f"{self._target}  test accuracy {100 * record.accuracy:.2f} %  "
                f"{record.errors:,} errors in {record.test_images:,}  {record.seconds:.1f} s"
            ),
        )

    def failed(self, error: Exception | Overdue) -> Outcome:
        """One that an earlier process had tested keeps that result."""
        why = one_line(error)
        if (record := tested(self._session.study, FINALS, self._job.trial_id, why)) is None:
            return super().failed(error)
        line = f"{self._target}  test accuracy {100 * record.accuracy:.2f} %, of an earlier process; {why}"
        return Outcome(TrialState.COMPLETE, record.accuracy, attributes={RECORD: record.to_json()}, line=line)

    def _test(self, model: keras.Model) -> tuple[FinalRecord, dict[str, NDArray[Any]], dict[int, Shown]]:
        """What came of the model on the test images: the record, and what is kept of its predictions and of the images
        that it misclassifies."""
        finalist = self._target.configuration
        test, classes = self._finals.test_images, self._finals.dataset.num_classes
        self._limit.phase = "in the test"
        with self._limit:
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
            values=finalist.record.values,
            validation=finalist.validation,
            seed_index=self._target.seed_index,
            seed=self.seed,
            fit_epochs=finalist.fit_epochs,
            epochs=self._log.epochs,
            parameters=parameters(model),
            seconds=self._seconds(),
            history=self._log.history,
            test_images=len(test),
            errors=len(misread),
            loss=float(-np.log(np.clip(of_true_class, 1e-12, 1)).mean()),
            calibration_error=expected_calibration_error(predicted, test.y),
            correct=packed(labels == test.y),
            confusion=confusion.tolist(),
            predictions=predictions_file(*finalist.key, self._target.seed_index),
            worker=self._session.worker,
            device=environment.device(),
        )
        kept: dict[str, NDArray[Any]] = {
            "probabilities": stored.rounded(predicted),
            "labels": test.y,
            "misread": misread,
        }
        return record, kept, {int(number): shown(test.x[number]) for number in misread}

    def _keep(
        self, record: FinalRecord, model: keras.Model, predicted: dict[str, NDArray[Any]], misread: dict[int, Shown]
    ) -> dict[str, str]:
        """Write what is kept beside the record, as far as that is possible; what is missing, with the reason."""
        session, study = self._session, self._session.study
        file, kept = study.folder / record.predictions, study.folder / model_file(record.space, record.trial)
        upload = partial(artifacts.upload, study.store.home, study.store.storage, self._job.trial)

        def save_predictions() -> None:
            stored.write_arrays(file, predicted)
            session.exclusively(lambda: stored.keep_misread(study.folder, misread), self._finals.claims.renew_if_due)

        def picture() -> None:
            with artifacts.confusion_file(record.confusion) as drawn:
                upload([drawn])

        def save_model() -> None:
            write_whole(kept, published(model).save)

        missing = {PREDICTED: self._spare(PREDICTED, save_predictions)}
        if record.seed_index == 0:  # no seed is better than another: the model that is kept is the first one's
            missing[MODEL] = self._spare(MODEL, save_model)
        written = [each for name, each in ((PREDICTED, file), (MODEL, kept)) if missing.get(name) == ""]
        missing[ARTIFACT] = self._spare(ARTIFACT, lambda: upload(written)) or self._spare(ARTIFACT, picture)
        return {name: why for name, why in missing.items() if why}

    def _spare(self, what: str, action: Callable[[], object]) -> str:
        return self._session.spare(what, f"the {what} of {self._target}", action)
