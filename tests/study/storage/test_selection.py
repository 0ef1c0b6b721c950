"""Which configuration wins: by the search's values, then by the confirmation runs, never by the test set."""

from pathlib import Path
from typing import Any

import made
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from study.config import Definition
from study.errors import StudyError
from study.objective import Objective
from study.records import RECORD, ConfirmationRecord
from study.storage import selection
from study.storage.selection import Candidate, Selection

VALUES = (0.90, 0.95, 0.94, 0.93, 0.80)
"""Of the trials; the last one is pruned."""


def searched(
    values: tuple[float, ...] = VALUES, parameters: tuple[int, ...] = (100,) * 5, direction: str = "maximize"
) -> list[Any]:
    """Trials of a space with configurations of their own."""
    found = []
    for number, (value, size) in enumerate(zip(values, parameters, strict=True)):
        record = made.trial_record(values={"rate": number / 10}, parameters=size)
        pruned = number == 4
        trial = create_trial(
            state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
            value=None if pruned else value,
            user_attrs={RECORD: record.to_json()},
        )
        trial.number = number
        found.append(trial)
    return found


def runs(values: dict[int, tuple[float, ...]], space: str = "dense") -> list[ConfirmationRecord]:
    return [
        made.confirmation_record(space=space, trial=trial, seed_index=index, epochs=1, curve=[value])
        for trial, scores in values.items()
        for index, value in enumerate(scores)
    ]


def chosen(
    confirmed: dict[int, tuple[float, ...]] | None = None, trials: list[Any] | None = None, **options: Any
) -> Selection:
    definition = Definition(spaces=("dense",), **options)
    return selection.select(definition, {"dense": trials or searched()}, runs(confirmed or {}))


def test_the_best_trial_wins_before_it_is_confirmed() -> None:
    found = chosen()
    assert found.winners["dense"].number == 1
    assert not found.confirmed
    assert [each.number for each in found.candidates["dense"]] == [0, 1, 2, 3]
    # Runs that are not all done change nothing.
    assert chosen({0: (0.99, 0.99), 1: (0.5,)}).winners["dense"].number == 1


def test_the_mean_of_the_confirmation_runs_decides() -> None:
    found = chosen({0: (0.90, 0.91), 1: (0.91, 0.90), 2: (0.95, 0.96), 3: (0.90, 0.90)})
    assert found.confirmed
    assert found.winners["dense"].number == 2
    assert found.winners["dense"].score == pytest.approx(0.955)


def test_a_candidate_is_judged_after_the_epoch_that_is_best_on_average() -> None:
    curves = {1: ([0.5, 0.9, 0.7], [0.5, 0.7, 0.8]), 2: ([0.9, 0.1, 0.1], [0.1, 0.1, 0.9])}
    done = [
        made.confirmation_record(trial=trial, seed_index=index, epochs=3, curve=curve)
        for trial, pair in curves.items()
        for index, curve in enumerate(pair)
    ]
    done += runs({0: (0.1, 0.1), 3: (0.1, 0.1)})
    winner = selection.select(Definition(spaces=("dense",)), {"dense": searched()}, done).winners["dense"]
    assert (winner.number, winner.scores, winner.best_epoch) == (1, (0.9, 0.7), 2)


def test_runs_of_several_lengths_are_judged_where_all_have_a_value() -> None:
    """One stopped early, of the other only the last stage counts, and a value of it is missing."""
    done = [
        made.confirmation_record(trial=1, seed_index=0, epochs=4, curve=[0.1, 0.5, 0.6, 0.7]),
        made.confirmation_record(trial=1, seed_index=1, epochs=5, curve=[None, 0.4, 0.3, 0.9]),
        *runs({0: (0.1, 0.1), 2: (0.1, 0.1), 3: (0.1, 0.1)}),
    ]
    winner = selection.select(Definition(spaces=("dense",)), {"dense": searched()}, done).winners["dense"]
    assert (winner.number, winner.scores, winner.best_epoch) == (1, (0.6, 0.4), 3)


def test_equal_candidates_leave_the_baseline_the_winner() -> None:
    assert chosen(dict.fromkeys(range(4), (0.93, 0.95))).winners["dense"].role == "baseline"


def test_a_score_that_fit_returned_has_no_epoch() -> None:
    done = [
        made.confirmation_record(
            trial=trial, seed_index=index, epochs=4 + index, curve=[0.9 if trial == 3 else 0.5], returned=True
        )
        for trial in range(4)
        for index in range(2)
    ]
    winner = selection.select(Definition(spaces=("dense",)), {"dense": searched()}, done).winners["dense"]
    assert (winner.number, winner.best_epoch) == (3, None)


def test_the_cheaper_within_one_standard_error_is_taken() -> None:
    trials = searched(parameters=(10, 1000, 500, 400, 1))
    close = {0: (0.90, 0.91), 1: (0.960, 0.964), 2: (0.958, 0.962), 3: (0.90, 0.91)}
    assert chosen(close, trials).winners["dense"].number == 2
    apart = {**close, 2: (0.930, 0.934)}
    assert chosen(apart, trials).winners["dense"].number == 1


def test_the_baseline_wins_where_nothing_is_better() -> None:
    found = chosen({0: (0.96, 0.97), 1: (0.91, 0.90), 2: (0.90, 0.91), 3: (0.90, 0.90)})
    assert found.winners["dense"].role == "baseline"
    assert found.recommended is not None
    assert found.recommended.number == 0


def test_a_pruned_baseline_may_win_only_by_its_runs() -> None:
    trials = searched()
    trials[0] = create_trial(state=TrialState.PRUNED, user_attrs={RECORD: made.trial_record().to_json()})
    trials[0].number = 0
    assert chosen(trials=trials).winners["dense"].number == 1
    confirmed = {0: (0.99, 0.99), 1: (0.9, 0.9), 2: (0.9, 0.9), 3: (0.9, 0.9)}
    assert chosen(confirmed, trials).winners["dense"].number == 0
    assert chosen({1: (0.9, 0.9), 2: (0.9, 0.9), 3: (0.9, 0.9)}, trials).winners["dense"].number == 1


def test_a_configuration_is_a_candidate_once() -> None:
    trials = searched()
    trials[1].user_attrs[RECORD] = trials[0].user_attrs[RECORD]  # the search drew the baseline again
    found = chosen(trials=trials)
    assert [each.number for each in found.candidates["dense"]] == [0, 2, 3]
    assert found.winners["dense"].role == "baseline"


def test_a_candidate_whose_runs_failed_is_out() -> None:
    definition = Definition(spaces=("dense",))
    done = runs({0: (0.9, 0.9), 2: (0.92, 0.92), 3: (0.91, 0.91)})
    waiting = selection.select(definition, {"dense": searched()}, done)
    assert not waiting.confirmed
    found = selection.select(definition, {"dense": searched()}, done, {("dense", 1)})
    assert found.confirmed
    assert found.winners["dense"].number == 2


def test_the_recommended_one_is_the_winner_among_the_winners() -> None:
    definition = Definition(spaces=("dense", "cnn"))
    trials = {"dense": searched(), "cnn": searched((0.97, 0.96, 0.96, 0.96, 0.9))}
    found = selection.select(definition, trials, [])
    assert found.recommended is not None
    assert (found.recommended.space, found.recommended.number) == ("cnn", 0)
    high = {0: (0.99, 0.99), 1: (0.9, 0.9), 2: (0.9, 0.9), 3: (0.9, 0.9)}
    low = {0: (0.91, 0.91), 1: (0.9, 0.9), 2: (0.9, 0.9), 3: (0.9, 0.9)}
    confirmed = selection.select(definition, trials, [*runs(high), *runs(low, "cnn")])
    assert confirmed.recommended is not None
    assert confirmed.recommended.space == "dense"


@given(
    scores=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    objective=st.sampled_from(["val_accuracy", "val_loss"]).map(Objective.of),
    parameters=st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
def test_a_winner_is_the_best_or_cheaper(
    scores: list[tuple[float, float]], objective: Objective, parameters: list[int]
) -> None:
    candidates = [
        Candidate("dense", trial, made.trial_record(parameters=size), pair)
        for trial, size, pair in zip(searched(), parameters, scores, strict=False)
    ]
    winner = selection.winner(candidates, objective)
    assert winner is not None
    best = min(candidates, key=lambda each: objective.rank(each.score))
    cheaper = (winner.record.parameters or 0) < (best.record.parameters or 0)
    assert cheaper or winner.score == best.score or winner.record.parameters == best.record.parameters
    assert not objective.is_better(winner.score, best.score)


def test_the_earliest_of_equals_is_the_best() -> None:
    trials = searched((0.3, 0.7, 0.2, 0.7, 0.2))
    for direction, numbers in (("maximize", [1, 3, 0, 2]), ("minimize", [2, 0, 1, 3])):
        ranked = selection.ranked(trials, Objective("val_something", direction))  # type: ignore[arg-type]
        assert [trial.number for trial in ranked] == numbers


def test_a_study_without_a_complete_trial_has_no_best(tmp_path: Path) -> None:
    study = made.study(tmp_path, {"dense": [(TrialState.PRUNED, 0.4, made.trial_record())]})
    with pytest.raises(StudyError, match="the study 'made' has no complete trial yet; 'study status made' says why"):
        selection.best(study, None)


def test_the_test_set_has_no_say(tmp_path: Path) -> None:
    rows = [(TrialState.COMPLETE, value, made.trial_record()) for value in (0.5, 0.9, 0.8)]
    finals = [
        made.final_record(role="baseline", trial=0, errors=0),
        made.final_record(trial=1, errors=50),
        made.final_record(trial=2, errors=0),
    ]
    study = made.study(tmp_path, {"dense": rows}, finals)
    best = selection.best(study, None)
    assert (best["trial"], best["test_accuracy"], best["is_baseline"]) == (1, 0.5, False)
