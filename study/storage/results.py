"""How far a study is, its best configuration, and its trials as a table; read from the storage alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from study.config import FINALS
from study.errors import StudyError
from study.objective import Objective
from study.paths import model_file
from study.records import ERROR, RECORD, TUNED, FinalRecord, TrialRecord
from study.storage import claims, queries
from study.storage.database import Clock
from study.storage.store import Store, StoredStudy
from study.system.files import exists

if TYPE_CHECKING:
    import pandas

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def trials(study: StoredStudy, space: str) -> list[FrozenTrial]:
    """Every trial of a space's search, by number."""
    return study.part(space).get_trials(deepcopy=False)


def finished(study: StoredStudy, space: str) -> int:
    """How many trials of a space have ended."""
    return sum(trial.state in FINISHED for trial in trials(study, space))


def finals(study: StoredStudy) -> list[FinalRecord]:
    """The finals of a study that are done."""
    done = [trial for trial in study.part(FINALS).get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    return [FinalRecord.from_json(trial.user_attrs[RECORD]) for trial in done if RECORD in trial.user_attrs]


def failed_finals(study: StoredStudy, since: float) -> list[FrozenTrial]:
    """The finals that have failed since a moment, seconds since 1970; a later session tries them again."""
    return failed(study.part(FINALS).get_trials(deepcopy=False), since)


def failed(finals: Iterable[FrozenTrial], since: float) -> list[FrozenTrial]:
    """Those of some finals."""
    return [
        trial
        for trial in finals
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
    store.refuse_older(name)
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


def best_trial(searched: list[FrozenTrial], objective: Objective) -> FrozenTrial | None:
    """The complete trial with the best value, the earliest of equals; None where none is complete."""
    complete = [
        (objective.rank(trial.value), trial.number, trial)
        for trial in searched
        if trial.state == TrialState.COMPLETE and trial.value is not None and RECORD in trial.user_attrs
    ]
    return min(complete, default=(0, 0, None))[2]


def progress(study: StoredStudy) -> dict[str, Any]:
    """How far a study is: JSON with counts of each space's trials, the best so far, the finals done."""
    definition = study.definition
    finals = queries.overview(study.store, definition.study_name(FINALS), "maximize")
    return {
        "name": definition.name,
        "dataset": definition.dataset,
        "objective": definition.objective.name,
        "spaces": [_progress_of(study, space) for space in definition.spaces],
        "finals": finals.counts.get("COMPLETE", 0),
        "seeds": definition.seeds,
    }


def best(study: StoredStudy, space: str | None) -> dict[str, Any]:
    """The winning configuration of a space, or of the space with the best one: JSON.

    Raises:
        StudyError: no trial is complete.
    """
    objective = study.definition.objective
    winners = {
        name: winner
        for name in ((space,) if space else study.definition.spaces)
        if (winner := best_trial(trials(study, name), objective)) is not None
    }
    winner = best_trial(list(winners.values()), objective)
    if winner is None:
        raise StudyError(f"the study {study.name!r} has no complete trial yet; 'study status {study.name}' says why")
    name = next(name for name, trial in winners.items() if trial is winner)
    kept = TrialRecord.from_json(winner.user_attrs[RECORD])
    tested = [each.accuracy for each in finals(study) if each.finalist == (name, TUNED, winner.number)]
    model = study.folder / model_file(name)
    return {
        "study": study.name,
        "space": name,
        "trial": winner.number,
        objective.name: winner.value,
        "best_epoch": kept.best_epoch,
        "test_accuracy": sum(tested) / len(tested) if tested else None,
        "finals": len(tested),
        "values": kept.values,
        "model": str(model) if tested and exists(model) else None,
    }


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
                    "state": trial.state.name.lower(),
                    "value": trial.value,
                    "epochs": kept.epochs if kept else None,
                    "best_epoch": kept.best_epoch if kept else None,
                    "parameters": kept.parameters if kept else None,
                    "seconds": kept.seconds if kept else None,
                    "seed": kept.seed if kept else None,
                    "device": kept.device if kept else None,
                    "error": kept.error if kept else None,
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
    owners = list(map(claims.owner_in, overview.owners))
    clock = store.clock() if owners else Clock()
    trained = sum(owner is not None and not owner.is_dead(clock) for owner in owners)
    finished = sum(counts.values())
    number, value = overview.best or (None, None)
    return {
        "name": space,
        "trials": definition.trials,
        "finished": finished,
        **counts,
        "running": trained,
        "interrupted": len(owners) - trained,
        "left": max(definition.trials - finished, 0),
        "best": value,
        "best_trial": number,
        "last_error": (overview.last_failure or {}).get("error"),
    }
