"""Finalists x seeds on the test set. The only file that reads the test images.

Each finalist (the baseline and the tuned winner of a space) is retrained on train + validation and tested once a
seed. A final is stored when it is done, in one transaction: one that was killed is simply made again.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from study import results, training
from study import storage as storage_room
from study.datasets import Images
from study.driver import Session
from study.errors import one_line
from study.hyperparameters import TrialHyperParameters
from study.records import BASELINE, RECORD, TUNED, FinalRecord, TrialRecord, file_name, model_file
from study.samplers import BASELINE_NUMBER


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


def evaluate(session: Session) -> list[str]:
    """Retrain and test every finalist with every seed that is still to do.

    Returns:
        A line for each final that failed; the others are made all the same.

    Raises:
        Interrupted: by a signal; the final under way is made again by a resume.
    """
    chosen = finalists(session)
    todo = remaining(session, chosen)
    total = len(chosen) * session.config.seeds
    session.display.phase("finals", total - len(todo), total)
    if not todo:
        return []
    everything, test = session.dataset.train_and_validation(), session.dataset.test()
    failures: list[str] = []
    for done, (finalist, seed_index) in enumerate(todo, 1):
        session.interruption.check()
        session.display.item(f"{finalist}, seed {seed_index}", finalist.epochs)
        try:
            record = _final(session, finalist, seed_index, everything, test)
        except storage_room.FAILURES:
            raise
        except Exception as error:  # whatever a user's HyperModel raises
            failures.append(f"{finalist}, seed {seed_index}: {one_line(error)}")
            session.display.finished(f"final  {failures[-1]}", left=len(todo) - done)
            continue
        session.display.finished(
            f"final  {finalist}  seed {seed_index}  test accuracy {record.accuracy:.4f}  "
            f"{record.errors} errors in {record.test_images}  {record.seconds:.1f} s",
            left=len(todo) - done,
        )
    return failures


def remaining(session: Session, chosen: list[Finalist]) -> list[tuple[Finalist, int]]:
    """The finals that are still to do, in the order in which they are made."""
    done = {(record.finalist, record.seed_index) for record in results.finals(session.storage, session.config)}
    return [
        (finalist, seed_index)
        for finalist in chosen
        for seed_index in range(session.config.seeds)
        if (finalist.key, seed_index) not in done
    ]


def _final(session: Session, finalist: Finalist, seed_index: int, everything: Images, test: Images) -> FinalRecord:
    config, began = session.config, time.monotonic()
    # The same seed for every finalist: their differences are paired.
    seed = config.seed_for("finals", seed_index)
    log = training.EpochLog()

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        session.display.epoch("")
        if epoch < finalist.epochs:
            session.interruption.check()

    hypermodel = session.hypermodels[finalist.space]
    # A `fit` that cannot do without validation data is shown some: they are among the images it trains on.
    shown = session.dataset.validation if training.demands_validation(hypermodel) else None
    model = training.fit(
        hypermodel,
        TrialHyperParameters.with_values(finalist.values),
        everything,
        shown,
        epochs=finalist.epochs,
        seed=seed,
        log=log,
        on_epoch=on_epoch,
    )
    probabilities = training.probabilities(model, test)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((session.dataset.num_classes, probabilities.shape[1]), dtype=int)
    np.add.at(confusion, (test.y, predicted), 1)
    predictions = f"predictions/{file_name(finalist.space)}-{finalist.role}-{finalist.trial}-seed{seed_index}.npz"
    _save_predictions(session.folder / predictions, probabilities, test)
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
        seconds=time.monotonic() - began,
        history=log.history,
        test_images=len(test),
        errors=int((predicted != test.y).sum()),
        loss=float(-np.log(np.clip(true, 1e-12, 1)).mean()),
        confusion=confusion.tolist(),
        predictions=predictions,
        worker=session.worker,
    )
    if finalist.role == TUNED:
        _keep_best_model(session, model, record)
    _store(session, record)
    return record


def _keep_best_model(session: Session, model: keras.Model, record: FinalRecord) -> None:
    """Save the model where no earlier seed of the winner did better on the test set."""
    rivals = [
        other.accuracy for other in results.finals(session.storage, session.config) if other.finalist == record.finalist
    ]
    if record.accuracy > max(rivals, default=-1.0):
        file = session.folder / model_file(record.space)
        _write(file, lambda draft: model.save(draft))


def _save_predictions(file: Path, probabilities: np.ndarray[Any, Any], test: Images) -> None:
    """Class probabilities, true labels, and the images that were misread with their indices."""
    misread = np.flatnonzero(probabilities.argmax(axis=1) != test.y)
    _write(
        file,
        lambda draft: np.savez_compressed(
            draft, probabilities=probabilities, labels=test.y, misread=misread, misread_images=test.x[misread]
        ),
    )


def _write(file: Path, save: Any) -> None:
    """Write a file as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"draft-{os.getpid()}-{file.name}")
    try:
        save(draft)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _store(session: Session, record: FinalRecord) -> None:
    study = storage_room.load(session.storage, session.config.finals_name)
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.COMPLETE, value=record.accuracy, user_attrs={RECORD: record.to_json()}
        )
    )
