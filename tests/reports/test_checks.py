"""The health checks on studies made by hand: some that have the problem, and some that do not."""

from collections.abc import Callable
from typing import Any

import pytest
from made import final_record, trial_record
from optuna.trial import TrialState

from reports import checks, collect
from reports.checks import FAIL, PASS, WAITS, WARN
from reports.panels import checks as panel

COMPLETE, PRUNED, FAILED, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
Make = Callable[..., Any]


def complete(n: int, best: int = 0, **changes: Any) -> list[Any]:
    """n complete trials of different values, the best of them number `best`."""
    return [
        (COMPLETE, 0.9 if index == best else 0.5 + index / 1000,
         trial_record(values={"rate": 0.3 + index / 1000}, epochs=4, best_epoch=2,
                      history={"val_accuracy": [index / 1000, 0.5 + index / 1000]}, **changes))
        for index in range(n)
    ]  # fmt: skip


def asked(code: str, results: Any) -> checks.Outcome:
    return next(outcome for check, outcome in checks.ask_all(results) if check.code == code)


def tuned(rate: float) -> list[Any]:
    """A baseline, and a better trial with this rate."""
    return [(COMPLETE, value, trial_record(values={"rate": each})) for value, each in ((0.5, 0.4), (0.9, rate))]


@pytest.mark.parametrize(
    "code, rows, level, words",
    [
        ("S1", [(FAILED, None, trial_record(error="no"))], FAIL, "1 of 1 failed"),
        ("S1", [*complete(7), (FAILED, None, trial_record(error="no"))], WARN, "1 of 8 failed"),
        ("S1", complete(10), PASS, "0 of 10 failed"),
        ("S1", [(RUNNING, None, None)], WAITS, "no trial has ended"),
        ("S2", complete(9), WARN, "9 of 10 trials"),
        ("S2", complete(10), PASS, "10 of 10 trials"),
        ("S3", [*complete(9), (PRUNED, 0.1, trial_record())], WARN, "9 complete"),
        ("S4", complete(10, best=9), WARN, "trial 9 of 10"),
        ("S4", complete(10, best=8), PASS, "trial 8 of 10"),
        ("S4", complete(9), WAITS, "too few"),
        ("S5", tuned(0.97), WARN, "rate = 0.97 near its highest"),
        ("S5", tuned(0.01), PASS, "inside"),
        ("S5", tuned(0.5), PASS, "inside"),
        ("S5", tuned(0.97)[1:], PASS, "the winner is the baseline"),
        ("S6", [(COMPLETE, 0.9, trial_record(epochs=8, best_epoch=8))], WARN, "best epoch 8 of 8"),
        ("S6", [(COMPLETE, 0.9, trial_record(epochs=8, best_epoch=7))], PASS, "best epoch 7 of 8"),
        ("S7", complete(10), PASS, "rank correlation 1.00"),
        ("S7", complete(9), WAITS, "9 trials"),
        ("S8", [(COMPLETE, 0.9, trial_record(values={"rate": 0.3}))] * 4, WARN, "3 of 4 repeated"),
        ("S8", complete(10), PASS, "0 of 10 repeated"),
    ],
)
def test_of_a_search(make: Make, code: str, rows: list[Any], level: str, words: str) -> None:
    outcome = asked(code, collect.read(make({"dense": rows})))
    assert outcome.level == level
    assert words in outcome.text


def test_early_epochs_that_predict_nothing(make: Make) -> None:
    rows = [
        (COMPLETE, 0.5, trial_record(history={"val_accuracy": [index / 100, 0.9 - index / 100]})) for index in range(12)
    ]
    assert asked("S7", collect.read(make({"dense": rows}))).level == WARN


def test_the_scale_of_a_bound_is_the_search_s(make: Make) -> None:
    """0.02 is close to a bound of 1e-4 to 1 on a linear scale, but far from both on the logarithmic one searched."""
    declared = {"rate": {"kind": "Float", "min_value": 1e-4, "max_value": 1.0, "sampling": "log"}}
    rows = tuned(0.02)
    assert asked("S5", collect.read(make({"dense": rows}, declared=declared))).level == PASS


def finals(tuned: int, baseline: int, **changes: Any) -> list[Any]:
    """So many finals of a winner and of a baseline."""
    return [final_record(seed_index=seed, **changes) for seed in range(tuned)] + [
        final_record(role="baseline", trial=0, seed_index=seed) for seed in range(baseline)
    ]


@pytest.mark.parametrize(
    "code, tested, level, words",
    [
        ("F1", [], WAITS, "not done"),
        ("F1", finals(7, 5), WARN, "dense baseline 5 of 7"),
        ("F1", finals(7, 7), PASS, "7 seeds"),
        ("F1", finals(0, 7), WARN, "dense tuned 0 of 7"),
        ("F2", [], WAITS, "not done"),
        ("F3", [], WAITS, "not been read"),
        ("F3", [*finals(7, 7), final_record(trial=3)], WARN, "15 times, 1 of them"),
        ("F3", finals(7, 7), PASS, "14 times"),
        ("F4", [], WAITS, "not tested"),
        ("F4", finals(7, 7, errors=40), WARN, "+35.00 points"),
        ("F4", finals(7, 7, errors=6), PASS, "+1.00 points"),
    ],
)
def test_of_the_finals(make: Make, code: str, tested: list[Any], level: str, words: str) -> None:
    outcome = asked(code, collect.read(make({"dense": complete(3, best=1)}, tested, seeds=7)))
    assert outcome.level == level
    assert words in outcome.text


@pytest.mark.parametrize(
    ("seeds", "level", "words"), [(2, WARN, "intervals take 3, and 5 should do"), (3, WAITS, "not done")]
)
def test_intervals_take_three_seeds(make: Make, seeds: int, level: str, words: str) -> None:
    outcome = asked("F2", collect.read(make({"dense": []}, seeds=seeds)))
    assert outcome.level == level
    assert words in outcome.text


def errors_by_seed(*tuned: int) -> list[Any]:
    """Finals of a winner with these errors of 100, and of a baseline that has always 10."""
    return [
        final_record(role=role, trial=int(role == "tuned"), seed_index=seed, errors=errors)
        for role, counts in (("tuned", tuned), ("baseline", [10] * len(tuned)))
        for seed, errors in enumerate(counts)
    ]


def test_finalists_that_more_seeds_would_tell_apart_are_named(make: Make) -> None:
    rows = {"dense": complete(3, best=1)}
    outcome = asked("F2", collect.read(make(rows, errors_by_seed(8, 25, 5, 20, 12), seeds=5)))
    assert outcome.level == WARN
    assert "dense tuned and dense baseline take" in outcome.text
    outcome = asked("F2", collect.read(make(rows, errors_by_seed(50, 51, 50, 49, 50), seeds=5, name="apart")))
    assert outcome == (PASS, "5 per finalist")
    outcome = asked("F2", collect.read(make(rows, errors_by_seed(11, 11, 11, 11, 11), seeds=5, name="images")))
    assert outcome.level == PASS
    assert "more seeds would not tell dense tuned and dense baseline apart" in outcome.text


def test_a_baseline_that_failed_needs_no_finals(make: Make) -> None:
    rows = [(FAILED, None, trial_record(error="no")), *complete(3)]
    tested = [final_record(trial=1, seed_index=seed) for seed in range(7)]
    assert asked("F1", collect.read(make({"dense": rows}, tested))).level == PASS


def test_the_head_counts_what_passed_and_what_waits(make: Make) -> None:
    results = collect.read(make({"dense": complete(9)}))
    levels = [outcome.level for _, outcome in checks.ask_all(results)]
    looks, passes, waits = (levels.count(level) for level in (WARN, PASS, WAITS))
    assert min(looks, passes, waits) > 0
    loud, _ = panel.cards(results)
    assert loud.caption == (
        f"{looks} of {len(levels)} checks found something, {passes} passed; for {waits} there are not enough data."
    )


def test_the_worst_space_is_named_and_failed_checks_come_first(make: Make) -> None:
    rows = {"dense": complete(10), "cnn": [(FAILED, None, trial_record(error="no"))]}
    found = checks.ask_all(collect.read(make(rows)))
    assert found[0][0].code == "S1"
    assert found[0][1].text == "cnn: 1 of 1 failed"
    levels = [checks.ORDER.index(outcome.level) for _, outcome in found]
    assert levels == sorted(levels)


def test_a_check_that_breaks_fails_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(results: Any) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(checks, "CHECKS", [checks.Check("X1", "?", broken), *checks.CHECKS])
    found = checks.ask_all(collect.read(make({"dense": complete(3)})))
    assert found[0][1] == checks.Outcome(FAIL, "the check itself failed: ZeroDivisionError: oh")
    assert len(found) == len(checks.CHECKS)


def test_codes_are_unique() -> None:
    codes = [check.code for check in checks.CHECKS]
    assert len(codes) == len(set(codes))
