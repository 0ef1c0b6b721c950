"""A study as MLflow's experiments and runs: one experiment a space, one for the finals, a run a trial."""

import logging
import re
from datetime import datetime
from typing import Any

import mlflow
from mlflow.entities import Metric, Param
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from study import results
from study import storage as storage_room
from study.config import StudyConfig
from study.errors import StudyError, one_line
from study.records import RECORD, FinalRecord, TrialRecord

TRIAL = "study.trial"
"""The tag of a run that says which trial it is."""
STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


def export(storage: BaseStorage, config: StudyConfig, uri: str | None) -> int:
    """Write every finished trial and final that is not there yet, and return how many those are.

    Args:
        storage: Where the study is stored.
        config: The study.
        uri: MLflow's tracking server or folder; None is MLflow's own default.

    Raises:
        StudyError: it cannot be written to.
    """
    try:
        return _export(storage, config, uri)
    except mlflow.MlflowException as error:
        raise StudyError(f"MLflow at {uri or 'its default'} cannot be used: {one_line(error, 300)}") from None


def _export(storage: BaseStorage, config: StudyConfig, uri: str | None) -> int:
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it creates
    client = mlflow.MlflowClient(tracking_uri=uri)
    written = 0
    for study_name in config.study_names:
        experiment = client.get_experiment_by_name(study_name)
        number = experiment.experiment_id if experiment else client.create_experiment(study_name)
        runs = _runs(client, number)
        for run in runs:
            if TRIAL in run.data.tags and run.info.status not in STATUS.values():  # of an export that was interrupted
                client.delete_run(run.info.run_id)
        there = {run.data.tags.get(TRIAL) for run in runs if run.info.status in STATUS.values()}
        study = storage_room.load(storage, study_name)
        for trial in study.get_trials(deepcopy=False, states=results.FINISHED):
            if RECORD in trial.user_attrs and str(trial.number) not in there:
                _write(client, number, trial, final=study_name == config.finals_name, objective=config.objective)
                written += 1
    return written


def _runs(client: Any, experiment: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _write(client: Any, experiment: str, trial: FrozenTrial, *, final: bool, objective: str) -> None:
    record: TrialRecord | FinalRecord
    if final:
        record = FinalRecord.from_json(trial.user_attrs[RECORD])
        name = f"{record.space} {record.role}, seed {record.seed_index}"
        last = {"test_accuracy": record.accuracy, "test_loss": record.loss}
        tags = {"study.space": record.space, "study.role": record.role}
    else:
        record = TrialRecord.from_json(trial.user_attrs[RECORD])
        name = f"trial {trial.number}"
        last = {} if trial.value is None else {f"best_{objective}": trial.value}
        tags = {"study.state": trial.state.name.lower(), "study.error": record.error or ""}
    began = _milliseconds(trial.datetime_start)
    run = client.create_run(experiment, start_time=began, run_name=name, tags={TRIAL: str(trial.number), **tags})
    metrics = [
        Metric(_name(metric), value, began, epoch)
        for metric, values in record.history.items()
        for epoch, value in enumerate(values, 1)
        if value is not None
    ]
    metrics += [Metric(metric, value, began, record.epochs) for metric, value in last.items()]
    params = [Param(_name(parameter), str(value)) for parameter, value in record.values.items()]
    for start in range(0, max(len(metrics), 1), 500):  # a call takes 1,000 entities
        client.log_batch(run.info.run_id, metrics=metrics[start : start + 500])
    for start in range(0, len(params), 100):
        client.log_batch(run.info.run_id, params=params[start : start + 100])
    client.set_terminated(run.info.run_id, STATUS[trial.state], _milliseconds(trial.datetime_complete))


def _name(name: str) -> str:
    """A name with the characters that MLflow takes."""
    return re.sub(r"[^\w./: -]", "_", name)


def _milliseconds(time: datetime | None) -> int:
    return 0 if time is None else round(time.timestamp() * 1000)
