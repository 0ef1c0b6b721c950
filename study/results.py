"""How far a study is, its best configuration, and its trials as a table; read from the storage alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from study import claims, queries
from study import storage as storage_room
from study.config import StudyConfig
from study.errors import StudyError
from study.files import exists
from study.postgresql import Clock
from study.records import ERROR, RECORD, TUNED, FinalRecord, TrialRecord, model_file
from study.storage import Source

if TYPE_CHECKING:
    import pandas

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def trials(storage: BaseStorage, config: StudyConfig, space: str) -> list[FrozenTrial]:
    """Every trial of a space's search, by number."""
    return storage_room.load(storage, config.study_name(space)).get_trials(deepcopy=False)


def finished(storage: BaseStorage, config: StudyConfig, space: str) -> int:
    """How many trials of a space have ended."""
    return sum(trial.state in FINISHED for trial in trials(storage, config, space))


def finals(storage: BaseStorage, config: StudyConfig) -> list[FinalRecord]:
    """The finals of a study that are done."""
    study = storage_room.load(storage, config.finals_name)
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [FinalRecord.from_json(trial.user_attrs[RECORD]) for trial in done if RECORD in trial.user_attrs]


def failed_finals(storage: BaseStorage, config: StudyConfig, since: float) -> list[FrozenTrial]:
    """The finals that failed in a session that began at `since`, seconds since 1970; another one tries them again."""
    return failed(storage_room.load(storage, config.finals_name).get_trials(deepcopy=False), since)


def failed(finals: list[FrozenTrial], since: float) -> list[FrozenTrial]:
    """Those of them."""
    return [
        trial
        for trial in finals
        if trial.state == TrialState.FAIL
        and ERROR in trial.user_attrs
        and trial.datetime_complete
        and trial.datetime_complete.timestamp() >= since
    ]


def refuse_existing(storage: BaseStorage | None, name: str) -> None:
    """Refuse the name of a study that exists.

    Raises:
        StudyError: saying how far that one is.
    """
    config = storage_room.read_configs(storage).get(name)
    if storage is not None and config is not None:
        finished = ", ".join(
            f"{space['finished']} of {space['trials']} trials of {space['name']}"
            for space in progress(storage, config)["spaces"]
        )
        raise StudyError(
            f"the study {name!r} exists ({finished}); 'study resume {name}' goes on with it, or give another NAME"
        )


def record(trial: FrozenTrial) -> TrialRecord | None:
    """What is stored beside a trial; None before its model is built."""
    values = trial.user_attrs.get(RECORD)
    return None if values is None else TrialRecord.from_json(values)


def best_trial(searched: list[FrozenTrial], config: StudyConfig) -> FrozenTrial | None:
    """The complete trial with the best value, the earliest of equals; None where none is complete."""
    sign = -1 if config.direction == "maximize" else 1
    complete = [
        (sign * trial.value, trial.number, trial)
        for trial in searched
        if trial.state == TrialState.COMPLETE and trial.value is not None and RECORD in trial.user_attrs
    ]
    return min(complete, default=(0, 0, None))[2]


def progress(source: Source, config: StudyConfig) -> dict[str, Any]:
    """How far a study is: JSON with counts of each space's trials, the best so far, the finals done."""
    return {
        "name": config.name,
        "dataset": config.dataset,
        "objective": config.objective,
        "spaces": [_of_space(source, config, space) for space in config.spaces],
        "finals": queries.overview(source, config.finals_name, "maximize").counts.get("COMPLETE", 0),
        "seeds": config.seeds,
    }


def best(storage: BaseStorage, config: StudyConfig, home: Path, space: str | None) -> dict[str, Any]:
    """The winning configuration of a space, or of the space with the best one: JSON.

    Raises:
        StudyError: no trial is complete.
    """
    winners = {
        name: winner
        for name in ((space,) if space else config.spaces)
        if (winner := best_trial(trials(storage, config, name), config)) is not None
    }
    if not winners:
        raise StudyError(f"the study {config.name!r} has no complete trial yet; 'study status {config.name}' says why")
    winner = best_trial(list(winners.values()), config)
    name = next(name for name, trial in winners.items() if trial is winner)
    assert winner is not None
    kept = TrialRecord.from_json(winner.user_attrs[RECORD])
    tested = [each.accuracy for each in finals(storage, config) if each.finalist == (name, TUNED, winner.number)]
    model = home / config.name / model_file(name)
    return {
        "study": config.name,
        "space": name,
        "trial": winner.number,
        config.objective: winner.value,
        "best_epoch": kept.best_epoch,
        "test_accuracy": sum(tested) / len(tested) if tested else None,
        "finals": len(tested),
        "values": kept.values,
        "model": str(model) if tested and exists(model) else None,
    }


def table(storage: BaseStorage, config: StudyConfig) -> "pandas.DataFrame":
    """A row for each trial of each space: number, state, value, times, and a column for each hyperparameter."""
    import pandas

    rows: list[dict[str, Any]] = []
    for space in config.spaces:
        for trial in trials(storage, config, space):
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


def finals_table(storage: BaseStorage, config: StudyConfig) -> "pandas.DataFrame":
    """A row for each final: finalist, seed, epochs, test accuracy (0 to 1), test loss (nats), errors."""
    import pandas

    columns = (
        "space", "role", "trial", "seed_index", "seed", "epochs", "parameters", "seconds", "test_images", "errors",
    )  # fmt: skip
    rows = [
        {name: getattr(final, name) for name in columns} | {"test_accuracy": final.accuracy, "test_loss": final.loss}
        for final in finals(storage, config)
    ]
    return pandas.DataFrame(rows, columns=[*columns, "test_accuracy", "test_loss"])


def export(storage: BaseStorage, config: StudyConfig, file: Path) -> int:
    """Write that table to a .csv, .parquet or .json file and return its number of rows.

    Raises:
        StudyError: another kind of file, or one that cannot be written.
    """
    if file.suffix not in (".csv", ".parquet", ".json"):
        raise StudyError(f"trials are exported to a .csv, .parquet or .json file; -o was given {file}")
    frame = table(storage, config)
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


def _of_space(source: Source, config: StudyConfig, space: str) -> dict[str, Any]:
    overview = queries.overview(source, config.study_name(space), config.direction)
    counts = {word: overview.counts.get(state.name, 0) for word, state in STATES.items()}
    owners = list(map(claims.owner_in, overview.owners))
    clock = storage_room.clock(source) if owners else Clock()
    trained = sum(owner is not None and not owner.is_dead(clock) for owner in owners)
    finished = sum(counts.values())
    number, value = overview.best or (None, None)
    return {
        "name": space,
        "trials": config.trials,
        "finished": finished,
        **counts,
        "running": trained,
        "interrupted": len(owners) - trained,
        "left": max(config.trials - finished, 0),
        "best": value,
        "best_trial": number,
        "last_error": (overview.last_failure or {}).get("error"),
    }
