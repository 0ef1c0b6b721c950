"""Which earlier trials a trial may know about."""

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from study.search.visibility import lag_for, study_visible_to, visible_from


def test_one_worker_sees_every_earlier_trial_and_several_wait_for_few() -> None:
    assert [lag_for(workers) for workers in (0, 1, 2, 5)] == [1, 1, 8, 20]


def test_the_baseline_becomes_visible_later_with_several_workers() -> None:
    assert [visible_from(number, 1) for number in range(3)] == [1, 2, 3]
    assert [visible_from(number, 8) for number in range(3)] == [32, 9, 10]


@pytest.mark.parametrize(("number", "lag", "shown"), [(0, 1, []), (3, 1, [0, 1, 2]), (12, 8, [1, 2, 3, 4])])
def test_a_trial_sees_the_trials_before_its_lag(number: int, lag: int, shown: list[int]) -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trials([create_trial(value=0.5) for _ in range(40)])
    view = study_visible_to(study, number, lag)
    assert [trial.number for trial in view.get_trials(deepcopy=False)] == shown
    assert [trial.number for trial in view.get_trials(states=(TrialState.COMPLETE,))] == shown
    assert view.get_trials(states=(TrialState.FAIL,)) == []
    assert [trial.number for trial in view.trials] == shown
    assert view.direction == study.direction
    assert len(study.trials) == 40
