"""How far a study is, asked of the database, against its trials."""

import tempfile
from pathlib import Path

import made
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from study.errors import StudyError
from study.objective import Objective
from study.storage import results, selection

STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
ROWS = st.lists(
    st.tuples(st.sampled_from(STATES), st.sampled_from([0.1, 0.5, 0.9]), st.booleans(), st.sampled_from([None, "bad"])),
    max_size=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, objective=st.sampled_from(["val_accuracy", "val_loss"]).map(Objective.of))
def test_progress_is_what_the_trials_say(
    rows: list[tuple[TrialState, float, bool, str | None]], objective: Objective
) -> None:
    trials = [
        (
            state,
            value if state == TrialState.COMPLETE else None,
            made.trial_record(error=error if state == TrialState.FAIL else None) if recorded else None,
        )
        for state, value, recorded, error in rows
    ]
    with tempfile.TemporaryDirectory() as folder:
        study = made.study(Path(folder), {"dense": trials, "cnn": []}, objective=objective)
        dense, cnn = results.progress(study)["spaces"]
        searched = results.trials(study, "dense")
        assert results.finished(study, "dense") == dense["finished"]
    counted = {word: sum(trial.state == state for trial in searched) for word, state in results.STATES.items()}
    assert {word: dense[word] for word in counted} == counted
    assert dense["finished"] == sum(counted.values())
    assert dense["left"] == study.definition.trials - dense["finished"]
    assert (dense["running"], dense["interrupted"]) == (0, sum(row[0] == TrialState.RUNNING for row in rows))
    best = next(iter(selection.ranked(searched, objective)), None)
    assert (dense["best_trial"], dense["best"]) == ((best.number, best.value) if best else (None, None))
    failed = [record for trial in searched if trial.state == TrialState.FAIL and (record := results.record(trial))]
    last = [trial for trial in searched if trial.state == TrialState.FAIL]
    assert dense["last_error"] == (failed[-1].error if last and results.record(last[-1]) else None)
    assert cnn["best"] is None
    assert cnn["finished"] == 0


def test_a_name_that_exists_is_refused_with_how_far_its_study_is(tmp_path: Path) -> None:
    study = made.study(tmp_path, {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())], "cnn": []}, trials=3)
    with pytest.raises(StudyError, match=r"'made' exists \(1 of 3 trials of dense, 0 of 3 trials of cnn\)"):
        results.refuse_existing(study.store, "made")
    results.refuse_existing(study.store, "another")
    results.refuse_existing(None, "made")
