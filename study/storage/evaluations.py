"""The finals of a tuner's study: any Keras model, evaluated by its objective's metric."""

from typing import TYPE_CHECKING

from optuna.trial import TrialState, create_trial

from study.config import FINALS
from study.records import CONDITIONS, EVALUATION, Conditions, EvaluationRecord
from study.storage import results
from study.storage.store import StoredStudy

if TYPE_CHECKING:
    import pandas


def evaluations(study: StoredStudy) -> list[EvaluationRecord]:
    """The finals that are done."""
    attributes = [trial.user_attrs for trial in results.trials(study, FINALS)]
    return [EvaluationRecord.from_json(each[EVALUATION]) for each in attributes if EVALUATION in each]


def conditions(study: StoredStudy) -> Conditions | None:
    """On what they are tested; None before any was asked for."""
    stored = study.part(FINALS).user_attrs.get(CONDITIONS)
    return None if stored is None else Conditions.from_json(stored)


def keep_conditions(study: StoredStudy, wanted: Conditions) -> None:
    """Store on what they are tested."""
    study.part(FINALS).set_user_attr(CONDITIONS, wanted.to_json())


def keep(study: StoredStudy, record: EvaluationRecord) -> None:
    """Store a final, unless another process has stored the same one meanwhile."""

    def add() -> None:
        if key(record) not in map(key, evaluations(study)):
            attributes = {EVALUATION: record.to_json()}
            final = create_trial(state=TrialState.COMPLETE, value=record.value, user_attrs=attributes)
            study.part(FINALS).add_trial(final)

    study.exclusively(add)


def key(record: EvaluationRecord) -> tuple[int, int]:
    """Which final it is: the finalist's trial, and the number of its seed."""
    return record.trial, record.seed_index


def table(study: StoredStudy) -> "pandas.DataFrame":
    """A row for each final: finalist, trial, seed, the metric by its name, epochs, seconds, parameters."""
    import pandas

    found, tested = evaluations(study), conditions(study)
    metric = "value" if tested is None else tested.metric
    columns = ["finalist", "trial", "seed_index", "seed", metric, "epochs", "seconds", "parameters"]
    rows = [
        (each.role, each.trial, each.seed_index, each.seed, each.value, each.epochs, each.seconds, each.parameters)
        for each in sorted(found, key=key)
    ]
    return pandas.DataFrame(rows, columns=columns)
