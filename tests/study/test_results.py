"""How far a study is, asked of the database, against its trials."""

import tempfile
from pathlib import Path

import made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from study import results

STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
ROWS = st.lists(
    st.tuples(st.sampled_from(STATES), st.sampled_from([0.1, 0.5, 0.9]), st.booleans(), st.sampled_from([None, "bad"])),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, objective=st.sampled_from(["val_accuracy", "val_loss"]))
def test_progress_is_what_the_trials_say(
    rows: list[tuple[TrialState, float, bool, str | None]], objective: str
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
        storage, config = made.study(Path(folder), {"dense": trials, "cnn": []}, objective=objective)
        dense, cnn = results.progress(storage, config)["spaces"]
        searched = results.trials(storage, config, "dense")
    counted = {word: sum(trial.state == state for trial in searched) for word, state in results.STATES.items()}
    assert {word: dense[word] for word in counted} == counted
    assert dense["finished"] == sum(counted.values())
    assert dense["left"] == config.trials - dense["finished"]
    assert (dense["running"], dense["interrupted"]) == (0, sum(row[0] == TrialState.RUNNING for row in rows))
    best = results.best_trial(searched, config)
    assert (dense["best_trial"], dense["best"]) == ((best.number, best.value) if best else (None, None))
    failed = [record for trial in searched if trial.state == TrialState.FAIL and (record := results.record(trial))]
    last = [trial for trial in searched if trial.state == TrialState.FAIL]
    assert dense["last_error"] == (failed[-1].error if last and results.record(last[-1]) else None)
    assert cnn["best"] is None
    assert cnn["finished"] == 0
