"""What is asked of the database in SQL."""

import optuna
from optuna.trial import TrialState

from study.records import RECORD
from study.storage import queries
from study.storage.store import Store


def test_what_has_ended_need_not_be_read_again(store: Store) -> None:
    study = optuna.create_study(storage=store.storage, study_name="a")
    assert queries.under_way(store, "a").ended_below == 0
    trials = [study.ask() for _ in range(3)]
    for number, value in ((0, 0.7), (2, 0.6)):
        trials[number].set_user_attr(RECORD, {})
        study.tell(trials[number], value)
    assert queries.under_way(store, "a").ended_below == 1
    assert queries.best(store, "a", "maximize") == (0, 0.7)
    assert queries.best(store, "a", "maximize", 1) == (2, 0.6)
    study.tell(trials[1], state=TrialState.FAIL)
    assert queries.under_way(store, "a").ended_below == 3
    study.enqueue_trial({})
    study.ask()
    study.enqueue_trial({})
    study.tell(3, state=TrialState.FAIL)
    assert queries.under_way(store, "a").ended_below == 4  # the next one waits
    assert queries.best(store, "a", "maximize", 3) is None
