"""Trials that dead processes left: they are taken up, but not for ever."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optuna.trial import TrialState

from study.config import ARRAYS, CONFIRMATION, FINALS
from study.execution.loop import Outcome, Work, end
from study.paths import checkpoint_file, model_file
from study.records import ERROR, MODEL, PREDICTED, RECORD, FinalRecord, TrialRecord
from study.storage import results
from study.storage.claims import MOST_DEATHS, MOST_ENDINGS
from study.storage.queries import Running
from study.storage.store import StoredStudy
from study.system.files import exists, remove


def take_up(work: Work[Any], left: Running) -> bool:
    """Mark a trial that a dead process left as this process's own; False where it is given up instead. Called under the
    study's lock."""
    session, name = work.session, work.session.study.name
    work.claims.mark(left.trial_id, left.owner)
    if (endings := work.claims.endings) < 2:
        return True
    why = f"{endings} processes in a row ended in it before it had finished an epoch"
    if endings >= MOST_ENDINGS and session.role.supervisor is None:
        give_up(session.study, work.part, left, why, session.display.warn)
        return False
    watched = f", with 'study resume {name} --workers 1' after {MOST_DEATHS}"
    then = f"after {MOST_ENDINGS} it is given up" + (watched if session.definition.dataset != ARRAYS else "")
    session.display.warn(f"{work.part} trial {left.number}: {why}; {then}")
    return True


def give_up(study: StoredStudy, part: str, trial: Running, why: str, warn: Callable[[str], None]) -> None:
    """End a running trial as failed; a final that was tested already, with its result. Called under the study's lock.

    Args:
        study: Whose trial it is.
        part: The space, or what else the trial belongs to.
        trial: As it is stored.
        why: What is stored as its error.
        warn: Called with a line that says so.
    """
    if (record := tested(study, part, trial.trial_id, why)) is not None:
        outcome = Outcome(TrialState.COMPLETE, record.accuracy, attributes={RECORD: record.to_json()})
    elif part in (CONFIRMATION, FINALS):
        outcome = Outcome(TrialState.FAIL, attributes={ERROR: f"{part} {trial.number}: {why}"})
    else:
        outcome = Outcome(TrialState.FAIL, attributes={RECORD: _record(study, part, trial, why).to_json()})
    end(study, study.part(part), trial.trial_id, trial.number, outcome)
    file = study.folder / checkpoint_file(part, trial.number)
    try:
        remove(file)
    except OSError as error:  # a resume sweeps it
        warn(f"the checkpoint {file} cannot be deleted ({error.strerror})")
    result = "given up" if record is None else "kept, but perhaps without its files"
    warn(f"{part} trial {trial.number} is {result}: {why}")


def tested(study: StoredStudy, part: str, trial_id: int, why: str) -> FinalRecord | None:
    """The record of a final whose processes ended when they wrote the files beside it, for that reason; None where it
    has none yet."""
    stored = study.store.storage.get_trial(trial_id).user_attrs.get(RECORD) if part == FINALS else None
    if stored is None:
        return None
    record = FinalRecord.from_json(stored)
    files = {PREDICTED: record.predictions}
    if record.seed_index == 0:
        files[MODEL] = model_file(record.space, record.trial)
    return replace(record, missing={name: why for name, file in files.items() if not exists(study.folder / file)})


def _record(study: StoredStudy, space: str, trial: Running, why: str) -> TrialRecord:
    """What is known of the trial."""
    definition = study.definition
    stored = study.store.storage.get_trial(trial.trial_id)
    known = results.record(stored)
    reported: list[float | None] = list(stored.intermediate_values.values())
    if known is not None:
        return replace(known, epochs=len(reported), history={definition.objective.name: reported}, error=why)
    return TrialRecord(
        values={},
        epochs=0,
        best_epoch=None,
        parameters=None,
        seconds=0.0,
        history={},
        seed=definition.seed_for(space, "trial", trial.number),
        worker="",
        error=why,
    )
