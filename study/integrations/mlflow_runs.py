"""A study as MLflow's experiments and runs: one experiment per space, one for the finals, one run per trial."""

import logging
import re
from datetime import datetime
from typing import Any, NamedTuple

import mlflow
from mlflow.entities import Metric, Param
from optuna.trial import FrozenTrial, TrialState

from study.config import CONFIRMATION, FINALS
from study.errors import StudyError, StudyFailure, one_line
from study.records import EVALUATION, RECORD, ConfirmationRecord, EvaluationRecord, FinalRecord, TrialRecord
from study.storage.results import FINISHED
from study.storage.store import StoredStudy

TRIAL = "study.trial"  # the tag of a run that says which trial it is
MOST_FAILURES = 10
"""Runs that may fail before the rest is not tried: a server that is gone is asked for minutes each time."""
STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


def export(study: StoredStudy, uri: str | None) -> int:
    """Write every finished trial and final that MLflow does not have yet, and return how many those are.

    Args:
        study: The study.
        uri: MLflow's tracking server or folder; None is MLflow's own default.

    Raises:
        StudyError: It cannot be written to.
        StudyFailure: It did not take some of the runs.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports every table that it creates
    failed: list[tuple[str, Exception]] = []
    trials = {part: study.part(part).get_trials(deepcopy=False) for part in study.definition.parts}
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        written = sum(_export(client, study, part, trials[part], failed) for part in trials)
    except Exception as error:  # MLflow's own, its database's, its server's
        raise StudyError(f"MLflow at {uri or 'its default'} cannot be used: {one_line(error, 300)}") from None
    if failed:
        trial, why = failed[0]
        raise StudyFailure(
            f"MLflow at {uri or 'its default'} took {written} new runs and refused {len(failed)}, the first of them "
            f"{trial}: {one_line(why, 300)}; the same command tries those again"
        )
    return written


def _export(
    client: Any, study: StoredStudy, part: str, trials: list[FrozenTrial], failed: list[tuple[str, Exception]]
) -> int:
    name = study.definition.study_name(part)
    experiment = client.get_experiment_by_name(name)
    number = experiment.experiment_id if experiment else client.create_experiment(name)
    there = _exported(client, number)
    ended = [trial for trial in trials if trial.state in FINISHED and {RECORD, EVALUATION} & trial.user_attrs.keys()]
    new = [trial for trial in ended if str(trial.number) not in there]
    written = 0
    for trial in new:
        described = DESCRIBED.get(part, _trial)(trial, study.definition.objective.name)
        try:
            _write(client, number, trial, described)
            written += 1
        except Exception as error:  # it does not cost the others their runs
            failed.append((f"{part} trial {trial.number}", error))
            if len(failed) >= MOST_FAILURES:
                raise
    return written


def _exported(client: Any, experiment: str) -> set[str | None]:
    """The trials whose runs are complete; runs of an export that was interrupted are deleted."""
    page = client.search_runs([experiment], max_results=1000)
    runs = list(page)
    while page.token:
        page = client.search_runs([experiment], max_results=1000, page_token=page.token)
        runs += page
    complete = [run for run in runs if run.info.status in STATUS.values()]
    for run in runs:
        if TRIAL in run.data.tags and run not in complete:
            client.delete_run(run.info.run_id)
    return {run.data.tags.get(TRIAL) for run in complete}


class _Run(NamedTuple):
    """A trial or final as a run; `last` are metrics of the end of its training."""

    name: str
    record: TrialRecord | ConfirmationRecord | FinalRecord | EvaluationRecord
    last: dict[str, float]
    tags: dict[str, str]


def _final(trial: FrozenTrial, objective: str) -> _Run:
    record: FinalRecord | EvaluationRecord
    if EVALUATION in trial.user_attrs:  # of a tuner's
        record = EvaluationRecord.from_json(trial.user_attrs[EVALUATION])
        last = {f"test_{name}": value for name, value in record.metrics.items() if value is not None}
    else:
        record = FinalRecord.from_json(trial.user_attrs[RECORD])
        last = {"test_accuracy": record.accuracy, "test_loss": record.loss}
    tags = {"study.space": record.space, "study.role": record.role}
    return _Run(f"{record.space} {record.role}, seed {record.seed_index}", record, last, tags)


def _confirmation(trial: FrozenTrial, objective: str) -> _Run:
    record = ConfirmationRecord.from_json(trial.user_attrs[RECORD])
    tags = {"study.space": record.space, "study.trial": str(record.trial)}
    name = f"{record.space} trial {record.trial}, seed {record.seed_index}"
    return _Run(name, record, {} if trial.value is None else {objective: trial.value}, tags)


def _trial(trial: FrozenTrial, objective: str) -> _Run:
    record = TrialRecord.from_json(trial.user_attrs[RECORD])
    last = {} if trial.value is None else {f"best_{objective}": trial.value}
    state = "excluded" if record.exceeds else trial.state.name.lower()
    tags = {"study.state": state, "study.error": record.error or record.exceeds}
    return _Run(f"trial {trial.number}", record, last, tags)


DESCRIBED = {CONFIRMATION: _confirmation, FINALS: _final}
"""How a trial of these Optuna studies is described; one of a search, by `_trial`."""


def _write(client: Any, experiment: str, trial: FrozenTrial, described: _Run) -> None:
    record, began = described.record, _milliseconds(trial.datetime_start)
    tags = {TRIAL: str(trial.number), **described.tags}
    run = client.create_run(experiment, start_time=began, run_name=described.name, tags=tags)
    metrics = [
        Metric(_name(metric), value, began, epoch)
        for metric, values in record.history.items()
        for epoch, value in enumerate(values, 1)
        if value is not None
    ]
    metrics += [Metric(metric, value, began, record.epochs) for metric, value in described.last.items()]
    params = [Param(_name(parameter), str(value)) for parameter, value in record.values.items()]
    for start in range(0, max(len(metrics), len(params)), 100):  # a call takes 100 parameters and 1,000 entities
        some = slice(start, start + 100)
        client.log_batch(run.info.run_id, metrics=metrics[some], params=params[some])
    client.set_terminated(run.info.run_id, STATUS[trial.state], _milliseconds(trial.datetime_complete))


def _name(name: str) -> str:
    """A name with the characters that MLflow takes."""
    return re.sub(r"[^\w./: -]", "_", name)


def _milliseconds(time: datetime | None) -> int:
    return 0 if time is None else round(time.timestamp() * 1000)
