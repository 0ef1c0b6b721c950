"""The numbers of the panels, on studies made by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from made import final_record, trial_record
from optuna.trial import TrialState

from reports import collect
from reports.panels import confusion, learning_curves, provenance, search, trial_table, verdict

COMPLETE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
Make = Callable[..., Any]

TRIALS = [(COMPLETE, 0.8, trial_record()), (COMPLETE, 0.9, trial_record()), (PRUNED, 0.5, trial_record(epochs=1))]


def tuned_and_baseline(tuned: list[int], baseline: list[int]) -> list[Any]:
    """Finals with so many errors in 100, by seed."""
    finals = [final_record(seed_index=seed, errors=errors) for seed, errors in enumerate(tuned)]
    finals += [
        final_record(role="baseline", trial=0, seed_index=seed, errors=errors, validation=0.8)
        for seed, errors in enumerate(baseline)
    ]
    return finals


def test_the_verdict_by_hand(make: Make) -> None:
    finals = tuned_and_baseline([4, 5, 6, 4, 5, 6, 5, 5], [10, 11, 12, 9, 10, 13, 11, 12])
    found = verdict.info(collect.read(*make({"dense": TRIALS}, finals)))
    best, other = found.rows
    assert (best.finalist, best.seeds, best.trials) == ("dense tuned", 8, 3)
    assert best.accuracy == pytest.approx(0.95)
    assert best.errors_per_10000 == pytest.approx(500)
    assert best.optimism == pytest.approx(0.0)
    assert other.optimism == pytest.approx(0.8 - 0.89)
    (comparison,) = found.comparisons
    assert comparison.difference.interval.estimate == pytest.approx(0.06)
    assert comparison.difference.p == pytest.approx(2 / 2**8)
    assert comparison.word == "better"
    assert "dense tuned has the highest mean test accuracy on digits: 95.00 %" in found.sentence
    assert "It is better than dense baseline." in found.sentence
    assert found.test_evaluations == 16


def test_three_seeds_cannot_tell(make: Make) -> None:
    found = verdict.info(collect.read(*make({"dense": TRIALS}, tuned_and_baseline([4, 5, 6], [10, 11, 12]))))
    assert found.comparisons[0].difference.p == pytest.approx(2 / 8)
    assert "not distinguishable from dense baseline with so many seeds" in found.sentence


def test_only_seeds_that_both_have_are_paired(make: Make) -> None:
    found = verdict.info(collect.read(*make({"dense": TRIALS}, tuned_and_baseline([4, 5, 6], [10, 11]))))
    assert found.comparisons[0].seeds == 2


def test_one_seed_has_the_interval_of_one_model(make: Make) -> None:
    found = verdict.info(collect.read(*make({"dense": TRIALS}, tuned_and_baseline([10], []))))
    assert found.rows[0].interval.low == pytest.approx(0.8256, abs=1e-4)
    assert found.comparisons == []


def test_finals_of_a_winner_that_was_replaced_count_as_tests_only(make: Make) -> None:
    finals = [*tuned_and_baseline([4], [10]), final_record(trial=2, errors=0)]
    found = verdict.info(collect.read(*make({"dense": TRIALS}, finals)))
    assert found.rows[0].accuracy == pytest.approx(0.96)
    assert found.test_evaluations == 3


def test_winners_of_spaces_are_compared_with_each_other(make: Make) -> None:
    finals = tuned_and_baseline([4, 5], [10, 11])
    finals += [final_record(space="cnn", errors=errors, seed_index=seed) for seed, errors in enumerate([1, 2])]
    found = verdict.info(collect.read(*make({"dense": TRIALS, "cnn": TRIALS}, finals)))
    pairs = [(each.first, each.second) for each in found.comparisons]
    assert pairs == [("dense tuned", "dense baseline"), ("dense tuned", "cnn tuned")]
    assert found.rows[0].finalist == "cnn tuned"
    assert all(each.adjusted_p >= each.difference.p for each in found.comparisons)


def test_learning_curves_draw_the_best_last(make: Make) -> None:
    (space,) = collect.read(*make({"dense": [*TRIALS, (FAIL, None, trial_record(error="no"))]})).spaces
    curves = learning_curves.info(space, "val_accuracy")
    assert [(curve.trial, curve.kind) for curve in curves] == [(0, "complete"), (2, "pruned"), (1, "best")]
    assert curves[-1].values == [0.5, 0.9]


def test_the_confusion_is_summed_over_seeds(make: Make) -> None:
    (found,) = confusion.info(collect.read(*make({"dense": TRIALS}, tuned_and_baseline([10, 20], [30]))))
    assert found.counts == [[100, 0], [30, 70]]
    assert found.recalls == pytest.approx([1.0, 0.7])
    assert confusion.Confusion("it", 1, [[3, 1], [0, 0]]).recalls == [0.75, None]
    assert found.seeds == 2


def test_importances_are_hidden_below_twenty_complete_trials(make: Make) -> None:
    rows = [(COMPLETE, 0.5 + index / 100, trial_record()) for index in range(19)]
    results = collect.read(*make({"dense": rows, "cnn": [*rows, *rows]}))
    assert [search.info(space).shares == {} for space in results.spaces] == [True, False]
    cards = {card.title: card for card in search.cards(results)}
    assert cards["dense: importances"].figure is None
    assert "Shown from 20 complete trials on; there are 19" in cards["dense: importances"].caption
    assert cards["cnn: importances"].figure is not None


def test_the_trial_table_has_every_trial(make: Make) -> None:
    rows = [*TRIALS, (FAIL, None, trial_record(error="no luck", best_epoch=None)), (RUNNING, None, None)]
    (space,) = collect.read(*make({"dense": rows})).spaces
    found = trial_table.info(space)
    assert [row.state for row in found] == ["complete", "complete", "pruned", "fail", "running"]
    assert found[3].error == "no luck"
    assert found[4].epochs is None


def test_provenance(make: Make) -> None:
    found = provenance.info(collect.read(*make({"dense": TRIALS}, tuned_and_baseline([1], [2]), seed=7)))
    assert found["config seed"] == 7
    assert found["keras"] == "3"
    assert found["data fingerprint (SHA-256)"] == "abc"
    assert found["tests of a model on the test set"] == 2
