"""How far a study is, its best configuration, and its trials as a table; read from the storage alone."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from study.config import CONFIRMATION, FINALS
from study.errors import StudyError
from study.objective import Objective
from study.records import ERROR, RECORD, ConfirmationRecord, FinalRecord, TrialRecord, is_excluded
from study.storage import claims, queries
from study.storage.database import Clock
from study.storage.store import Store, StoredStudy
from study.system import files

if TYPE_CHECKING:
    import pandas

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
SHAPE = re.compile(r"\d+(x\d+)*")
"""How the description of an array begins (`study.data.arrays.described`)."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def shapes(fingerprint: Mapping[str, Any]) -> dict[str, list[int]]:
    """The shape of each array that a study was started with, by its name."""
    parts = fingerprint.get("details", {}).get("data", {})
    found = {name: SHAPE.match(str(text)) for name, text in parts.items()}
    return {name: [int(length) for length in each[0].split("x")] for name, each in found.items() if each}


def are_bytes(fingerprint: Mapping[str, Any]) -> bool:
    """Whether the pixels that a study was started with are 0 to 255; standardised ones are floats."""
    return " float32 " not in str(fingerprint.get("details", {}).get("data", {}).get("x_train", ""))


def trials(study: StoredStudy, part: str) -> list[FrozenTrial]:
    """Every trial of a space's search, or of another part, by number; its times are UTC (`queries.times`).

    Raises:
        StudyFailure: another tool has deleted it meanwhile.
    """
    try:
        found = study.part(part).get_trials(deepcopy=False)
    except KeyError:
        study.store.refuse_loss(study.name)
    times = queries.times(study.store, study.definition.study_name(part))
    return [_at(trial, times[trial.number]) for trial in found if trial.number in times]


def _at(trial: FrozenTrial, times: queries.Times) -> FrozenTrial:
    copied = copy(trial)
    copied.datetime_start, copied.datetime_complete = times.began, times.ended if trial.state in FINISHED else None
    return copied


def state(trial: FrozenTrial) -> str:
    """The state of a trial in a word: complete, pruned, excluded, failed, running or waiting."""
    if is_excluded(trial.user_attrs):
        return "excluded"
    return "failed" if trial.state == TrialState.FAIL else trial.state.name.lower()


def finished(study: StoredStudy, space: str) -> int:
    """How many trials of a space have ended."""
    return sum(trial.state in FINISHED for trial in trials(study, space))


def finals(study: StoredStudy) -> list[FinalRecord]:
    """The finals of a study that are done."""
    return [FinalRecord.from_json(record) for record in _done(study, FINALS)]


def confirmations(study: StoredStudy) -> list[ConfirmationRecord]:
    """The confirmation runs of a study that are done."""
    return [ConfirmationRecord.from_json(record) for record in _done(study, CONFIRMATION)]


def _done(study: StoredStudy, part: str) -> list[dict[str, Any]]:
    ended = [trial for trial in trials(study, part) if trial.state == TrialState.COMPLETE]
    return [trial.user_attrs[RECORD] for trial in ended if RECORD in trial.user_attrs]


def failures(study: StoredStudy, part: str, since: float = 0.0) -> list[FrozenTrial]:
    """The finals, or the confirmation runs, that have failed since a moment, seconds since 1970; a later session tries
    them again."""
    return failed(trials(study, part), since)


def failed(runs: Iterable[FrozenTrial], since: float) -> list[FrozenTrial]:
    """Those of some finals or confirmation runs, as `trials` returns them."""
    return [
        trial
        for trial in runs
        if trial.state == TrialState.FAIL
        and ERROR in trial.user_attrs
        and trial.datetime_complete
        and trial.datetime_complete.timestamp() >= since
    ]


def refuse_existing(store: Store | None, name: str) -> None:
    """Refuse the name of a study that exists.

    Raises:
        StudyError: saying how far that one is.
    """
    if store is None:
        return
    store.refuse_unusable(name)
    if (study := store.studies().get(name)) is None:
        return
    finished = ", ".join(
        f"{space['finished']} of {space['trials']} trials of {space['name']}" for space in progress(study)["spaces"]
    )
    raise StudyError(
        f"the study {name!r} exists ({finished}); 'study resume {name}' continues it, or give another NAME"
    )


def record(trial: FrozenTrial) -> TrialRecord | None:
    """What is stored beside a trial; None before its model is built."""
    values = trial.user_attrs.get(RECORD)
    return None if values is None else TrialRecord.from_json(values)


def progress(study: StoredStudy) -> dict[str, Any]:
    """How far a study is: JSON with counts of each space's trials, the best so far, the finals done, and its bytes: its
    folder, and its share of the database."""
    definition = study.definition
    done = {
        part: queries.overview(study.store, definition.study_name(part), "maximize").counts.get("COMPLETE", 0)
        for part in (CONFIRMATION, FINALS)
    }
    return {
        "name": definition.name,
        "dataset": definition.dataset,
        "objective": definition.objective.name,
        "spaces": [_progress_of(study, space) for space in definition.spaces],
        **done,
        "seeds": definition.seeds,
        "bytes": files.size(study.folder) + queries.share(study.store, [*map(definition.study_name, definition.parts)]),
    }


def reached(trial: FrozenTrial, objective: Objective) -> float | None:
    """The objective of a trial at its best epoch so far, also of one that was pruned or is running; None where it has
    none yet, or failed. (What Optuna calls the value of a pruned trial is that of its last epoch.)"""
    if trial.state in (TrialState.COMPLETE, TrialState.FAIL):
        return trial.value
    known = record(trial)
    logged = [] if known is None else known.history.get(objective.name, [])
    reported = [*logged, *trial.intermediate_values.values()]
    return objective.best(value for value in reported if value is not None and math.isfinite(value))


def is_trained(study: StoredStudy) -> bool:
    """Whether a process trains a trial, a confirmation run or a final of the study."""
    names = map(study.definition.study_name, study.definition.parts)
    return any(_trained(study, queries.overview(study.store, name, "maximize").owners) for name in names)


def table(study: StoredStudy) -> "pandas.DataFrame":
    """A row for each trial of each space: number, state, value, times, and a column for each hyperparameter."""
    import pandas

    rows: list[dict[str, Any]] = []
    for space in study.definition.spaces:
        for trial in trials(study, space):
            kept = record(trial)
            rows.append(
                {
                    "space": space,
                    "number": trial.number,
                    "state": "excluded" if is_excluded(trial.user_attrs) else trial.state.name.lower(),
                    "value": trial.value,
                    "epochs": kept.epochs if kept else None,
                    "best_epoch": kept.best_epoch if kept else None,
                    "parameters": kept.parameters if kept else None,
                    "multiply_adds": kept.multiply_adds if kept else None,
                    "seconds": kept.seconds if kept else None,
                    "seed": kept.seed if kept else None,
                    "device": kept.device if kept else None,
                    "error": (kept.error or kept.exceeds or None) if kept else None,
                    **{f"hp.{name}": value for name, value in (kept.values if kept else {}).items()},
                }
            )
    return pandas.DataFrame(rows)


def finals_table(study: StoredStudy) -> "pandas.DataFrame":
    """A row for each final: finalist, seed, epochs, test accuracy (0 to 1), test loss (nats), errors."""
    import pandas

    columns = (
        "space", "role", "trial", "seed_index", "seed", "epochs", "parameters", "seconds", "test_images", "errors",
    )  # fmt: skip
    rows = [
        {name: getattr(final, name) for name in columns} | {"test_accuracy": final.accuracy, "test_loss": final.loss}
        for final in finals(study)
    ]
    return pandas.DataFrame(rows, columns=[*columns, "test_accuracy", "test_loss"])


def export(study: StoredStudy, file: Path) -> int:
    """Write the table of trials to a .csv, .parquet or .json file and return its number of rows.

    Raises:
        StudyError: another kind of file, or one that cannot be written.
    """
    if file.suffix not in (".csv", ".parquet", ".json"):
        raise StudyError(f"trials are exported to a .csv, .parquet or .json file; -o was given {file}")
    frame = table(study)
    try:
        if file.suffix == ".csv":
            frame.to_csv(file, index=False)
        elif file.suffix == ".json":
            frame.to_json(file, orient="records", indent=2)
        else:
            mixed = [name for name in frame if frame[name].map(type, na_action="ignore").nunique() > 1]
            frame.astype(dict.fromkeys(mixed, "string")).to_parquet(file, index=False)
    except OSError as error:
        raise StudyError(f"{file} cannot be written: {error.strerror or error}; give another -o") from None
    return len(frame)


def _progress_of(study: StoredStudy, space: str) -> dict[str, Any]:
    definition, store = study.definition, study.store
    overview = queries.overview(store, definition.study_name(space), definition.objective.direction)
    counts = {word: overview.counts.get(state.name, 0) for word, state in STATES.items()}
    if definition.bounds:
        counts |= {"excluded": overview.excluded, "pruned": counts["pruned"] - overview.excluded}
    trained = _trained(study, overview.owners)
    finished = sum(counts.values())
    number, value = overview.best or (None, None)
    return {
        "name": space,
        "trials": definition.trials,
        "finished": finished,
        **counts,
        "running": trained,
        "interrupted": len(overview.owners) - trained,
        "left": max(definition.trials - finished, 0),
        "best": value,
        "best_trial": number,
        "last_error": (overview.last_failure or {}).get("error"),
    }


def _trained(study: StoredStudy, running: Sequence[Any]) -> int:
    """How many of some running trials have an owner that is alive."""
    owners = list(map(claims.owner_in, running))
    clock = study.store.clock() if owners else Clock()
    lease = study.resources.lease
    return sum(owner is not None and not owner.is_dead(clock, study.store.presence, lease) for owner in owners)
