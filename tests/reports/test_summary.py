"""The first screen: what it says, for studies made by hand."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
from made import confirmation_record, final_record, trial_record
from optuna.trial import TrialState

from reports import collect
from reports.collect import StudyResults
from reports.panels import best, dataset, duration, summary
from study.paths import model_file
from study.storage.claims import Claims
from study.system.processes import Process

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
Make = Callable[..., Any]
TRIALS = [(COMPLETE, 0.8, trial_record()), (COMPLETE, 0.9, trial_record()), (PRUNED, 0.5, trial_record(epochs=1))]


def finals(tuned: list[int], baseline: list[int]) -> list[Any]:
    """Finals, one for each number of errors on 100 test images; each has a seed of its own."""
    return [
        final_record(role=role, trial=trial, seed_index=seed, errors=errors)
        for role, trial, counts in (("tuned", 1, tuned), ("baseline", 0, baseline))
        for seed, errors in enumerate(counts)
    ]


def read(make: Make, rows: list[Any], *arguments: Any, **options: Any) -> StudyResults:
    return collect.read(make({"dense": rows}, *arguments, **options))


@pytest.mark.parametrize(
    "rows, tested, options, why, words",
    [
        (TRIALS, [], {}, "To continue", []),
        (TRIALS, finals([2] * 3, [30] * 3), {}, "To continue", []),  # 3 of 10 trials
        (
            TRIALS,
            finals([2] * 3, [30] * 3),
            {"trials": 3},
            "To continue the search, 6 trials in each space instead of 3",
            ["--trials", "6"],
        ),
        (TRIALS, finals([2] * 2, [3] * 2), {"trials": 3}, "To train more seeds", ["--seeds", "5"]),
    ],
)
def test_the_next_step(
    make: Make, rows: list[Any], tested: list[Any], options: dict[str, Any], why: str, words: list[str]
) -> None:
    results = read(make, rows, tested, **options)
    step = summary.next_step(results)
    assert step is not None
    assert step.why == why
    assert step.command.split() == ["study", "resume", "made", *words, "--home", str(results.study.store.home)]
    assert [command.text for command in summary.cards(results)[0].commands] == [step.command]


def test_a_page_made_while_the_study_runs_says_so(make: Make) -> None:
    stored = make({"dense": TRIALS})
    claims = Claims(stored.store, "made/dense", Process.current())
    claims.mark(stored.part("dense").ask()._trial_id)
    results = collect.read(stored)
    step, card = summary.next_step(results), summary.cards(results)[0]
    assert step is not None
    assert step == ("It is running. To see how far it is", f"study status made --home {stored.store.home}")
    assert re.search(r"3 of 10 trials have ended, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC", card.statements[-1])
    claims.hand_back()
    assert summary.next_step(collect.read(stored)) == ("To continue", f"study resume made --home {stored.store.home}")


def test_where_every_trial_failed_there_is_no_next_step(make: Make) -> None:
    results = read(make, [(FAIL, None, trial_record(error="no", best_epoch=None))])
    assert summary.next_step(results) is None
    (card,) = summary.cards(results)
    assert card.lead.startswith("Every trial failed")


def test_the_finalists_are_bars_on_one_scale_with_the_recommended_one_last(make: Make) -> None:
    _, card = summary.cards(read(make, TRIALS, finals([2, 3, 4], [10, 11, 12])))
    assert [(bar.name, bar.value, bar.chosen) for bar in card.bars] == [
        ("dense baseline", "89.00 %", False),
        ("dense tuned", "97.00 %", True),
    ]
    for bar in card.bars:
        assert 0 <= bar.low < bar.middle < bar.high <= 1
        assert bar.note.endswith(" %")
    assert card.bars[0].middle < card.bars[1].middle


def test_with_two_seeds_a_bar_is_their_range(make: Make) -> None:
    _, card = summary.cards(read(make, TRIALS, finals([2, 4], [10])))
    assert [bar.note for bar in card.bars] == ["1 seed", "range 96.00 to 98.00 %"]
    assert "There are intervals from 3 seeds on" in card.caption


def test_the_data_are_described_by_their_fingerprint(make: Make) -> None:
    results = read(make, TRIALS, finals([1], [2]))
    parts = {
        "x_train": "90x6x5x3 uint8 0123",
        "y_train": "90 int64 01",
        "x_test": "30x6x5x3 uint8 4",
        "validation": "15 int64 a",
    }
    described = dataclasses.replace(results, fingerprint={"details": {"data": parts}})
    assert dataset.info(described) == (75, 15, 30, [6, 5, 3], 2, True, [])
    (card,) = dataset.cards(described)
    assert (
        card.caption == "digits: 120 images, 75 training, 15 validation and 30 test; 6 × 5 pixels, colour; 2 classes."
    )
    assert dataset.cards(results)[0].caption == "digits; 2 classes."


def test_everything_that_was_trained_is_counted(make: Make) -> None:
    rows = [*TRIALS, (FAIL, None, trial_record(error="no", best_epoch=None))]
    results = read(make, rows, finals([1], [2]), [confirmation_record()])
    found = summary.spent(results)
    assert found == ({"complete": 2, "pruned": 1, "failed": 1}, 1, 2, 4 * 1.5 + 2.0 + 2 * 2.0)
    (card,) = summary.cost(results)
    assert card.caption == (
        "4 trials (2 complete, 1 pruned, 1 failed), 1 confirmation run (winners trained again) and 2 finals (trained "
        "and tested) in 1 search space: 12.0 s of training on 1 worker."
    )


def test_the_model_is_loaded_from_its_file_where_it_is_kept(make: Make) -> None:
    results = read(make, TRIALS, finals([1], [2]))
    assert best.load(results) is None
    file = results.folder / model_file("dense", 1)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    code = best.load(results)
    assert code is not None
    assert f"keras.models.load_model({str(file)!r})" in code
    compile(code, "page", "exec")


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.0 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s"), (3599.7, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
