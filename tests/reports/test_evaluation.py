"""What is said of a tuner's finals, and the panels that show them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import made
import numpy as np
import pytest
from optuna.trial import TrialState

from reports import checks, collect, page
from reports.collect import StudyResults
from reports.panels import confusion, evaluation, residuals, verdict
from study.config import ARRAYS
from study.objective import Objective
from study.records import PREDICTED, Conditions, EvaluationRecord
from study.storage import evaluations, predictions

SCHEMA = json.loads(Path(page.__file__).with_name("report.schema.json").read_text())
MAE, ACCURACY = Objective("val_mae", "minimize"), Objective("val_accuracy", "maximize")


def conditions(**changes: Any) -> Conditions:
    values: dict[str, Any] = {
        "data": {"x_test": "100x3 float32 0123456789abcdef"}, "options": {}, "metric": "mae", "margin": None,
        "examples": 100, "seeds": 3, "joined": True, "seen": False,
    }  # fmt: skip
    return Conditions(**{**values, **changes})


def record(role: str, seed_index: int, value: float, **changes: Any) -> EvaluationRecord:
    values: dict[str, Any] = {
        "space": "build", "role": role, "trial": int(role == "tuned"), "values": {"rate": 0.1}, "validation": 0.5,
        "seed_index": seed_index, "seed": 7 + seed_index, "epochs": 2, "parameters": 111, "seconds": 1.0,
        "history": {"loss": [1.0, 0.5]}, "metrics": {"mae": value}, "value": value, "confusion": None,
        "predictions": None, "worker": "here:1",
    }  # fmt: skip
    return EvaluationRecord(**{**values, **changes})


def results(
    make: Any, tuned: list[float], baseline: list[float], objective: Objective = MAE, changes: Any = None,
    **tested: Any,
) -> StudyResults:  # fmt: skip
    """A tuner's study whose trial 1 won, with these finals."""
    first, second = (0.9, 0.5) if not objective.maximize else (0.5, 0.9)
    history = {objective.name: [first, second]}
    rows = [(TrialState.COMPLETE, value, made.trial_record(history=history)) for value in (first, second)]
    stored = make({"build": rows}, dataset=ARRAYS, objective=objective)
    metric = objective.name.removeprefix("val_")
    evaluations.keep_conditions(stored, conditions(metric=metric, seeds=len(tuned), **tested))
    for role, values in (("tuned", tuned), ("baseline", baseline)):
        for index, value in enumerate(values):
            evaluations.keep(stored, record(role, index, value, **(changes or {})))
    return collect.read(stored)


def told(found: StudyResults) -> tuple[str, str]:
    info = evaluation.info(found)
    assert info is not None
    assert info.comparison is not None
    return info.comparison.word, verdict.info(found).sentence


def test_a_smaller_error_is_better_by_a_paired_interval_over_trainings(make: Any) -> None:
    found = results(make, [0.30, 0.31, 0.29], [0.40, 0.42, 0.41])
    word, sentence = told(found)
    assert word == "better"
    assert found.study.part("finals").direction.name == "MINIMIZE"  # for Optuna's tools
    assert found.study.part("finals").best_value == 0.29
    # Differences -0.10, -0.11, -0.12: Student's t with 2 degrees of freedom reaches 4.303 * 0.01 / sqrt(3) = 0.0248.
    expected = "It is better than build baseline by 0.11 (95 % interval over trainings 0.08516 to 0.1348, p 0.003)."
    assert expected in sentence
    assert sentence.startswith("build tuned reached mae 0.3 on the test data (95 % interval over trainings 0.2752 to")
    assert "100 examples, 3 seeds" in sentence
    assert evaluation.LIMIT in sentence
    assert "0.9" not in sentence  # the trial's


def test_where_the_test_contradicts_validation_that_comes_first(make: Any) -> None:
    word, sentence = told(results(make, [0.30, 0.31, 0.29], [0.40, 0.42, 0.41], ACCURACY))
    assert word == "worse"
    assert sentence.startswith("The test contradicts validation, which chose build tuned: it is worse than")


@pytest.mark.parametrize(
    "objective, margin, word",
    [
        (MAE, None, "undecided"),  # nobody said what does not matter
        (MAE, 0.02, "tied"),
        (MAE, 0.001, "undecided"),
        (ACCURACY, None, "tied"),  # one of 100 examples
        (Objective("val_auc", "maximize"), None, "undecided"),  # no share of examples
    ],
)
def test_tied_takes_a_margin(make: Any, objective: Objective, margin: float | None, word: str) -> None:
    found = results(make, [0.900, 0.901, 0.900, 0.902], [0.901, 0.900, 0.901, 0.901], objective, margin=margin)
    assert told(found)[0] == word


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_have_a_range_and_decide_nothing(make: Any, seeds: int) -> None:
    found = results(make, [0.1, 0.2][:seeds], [0.5, 0.6][:seeds])
    word, sentence = told(found)
    assert word == "undecided"
    assert "interval" not in sentence
    assert ("range 0.1 to 0.2" in sentence) == (seeds == 2)
    assert sentence.endswith("To train more seeds: tuner.finals(x_test, y_test, seeds=5) in Python")


def test_undecided_says_how_many_seeds_would_settle_it(make: Any) -> None:
    # Mean 0.06 and standard deviation 0.05. With 8 pairs an unlucky mean (20 %) has t = 2.55 and p = 0.038; with 7,
    # t = 2.33 and p = 0.058.
    _, sentence = told(results(make, [0.30, 0.40, 0.31], [0.36, 0.41, 0.42]))
    assert "No difference from build baseline was detected (-0.06, " in sentence
    assert "about 8 seeds would settle it" in sentence
    assert sentence.endswith("To train more seeds: tuner.finals(x_test, y_test, seeds=8) in Python")


def test_equal_finals_have_no_interval(make: Any) -> None:
    word, sentence = told(results(make, [0.5] * 3, [0.5] * 3, ACCURACY))
    assert word == "undecided"
    assert "range 0.5 to 0.5" in sentence


def test_before_the_finals_the_page_says_how_to_make_them(make: Any) -> None:
    stored = make({"build": [(TrialState.COMPLETE, 0.9, made.trial_record())]}, dataset=ARRAYS)
    found = collect.read(stored)
    assert verdict.info(found).sentence == (
        "No finalist has been tested yet. To train baseline and winner again and test them: "
        "tuner.finals(x_test, y_test) in Python"
    )
    assert {check.code: outcome.level for check, outcome in checks.ask_all(found)}["F1"] == checks.WAITS


def test_a_baseline_that_won_is_compared_with_nothing(make: Any) -> None:
    stored = make({"build": [(TrialState.COMPLETE, 0.9, made.trial_record())]}, dataset=ARRAYS)
    evaluations.keep_conditions(stored, conditions())
    for seed in range(3):
        evaluations.keep(stored, record("baseline", seed, 0.1 * seed))
    sentence = verdict.info(collect.read(stored)).sentence
    assert "Tuning found nothing better than the baseline in 1 trial." in sentence


def test_a_final_is_stored_once(make: Any) -> None:
    found = results(make, [0.1], [0.2])
    evaluations.keep(found.study, record("tuned", 0, 0.7))
    assert [each.value for each in evaluations.evaluations(found.study)] == [0.1, 0.2]


def test_checks_count_seeds_and_tests(make: Any) -> None:
    found = results(make, [0.1, 0.2, 0.3], [0.5, 0.6])
    outcomes = {check.code: outcome for check, outcome in checks.ask_all(found)}
    assert outcomes["F1"] == (checks.WARN, "build baseline 2 of 3")
    assert outcomes["F3"] == (checks.PASS, "read 5 times")
    assert outcomes["F2"].level == checks.WARN


def written(found: StudyResults, folder: Path) -> dict[str, Any]:
    """The numbers of its page, on which no panel failed."""
    page.write([found.study], folder / "report.html")
    sections = page.sections(found)
    assert not [card for section in sections for card in section.cards if card.error]
    values: dict[str, Any] = json.loads((folder / "report.json").read_text())
    jsonschema.validate(values, SCHEMA)
    assert values["errors"] == {}
    return values | {"titles": [card.title for section in sections for card in section.cards]}


def test_a_regression_has_residuals_and_nothing_of_images(make: Any, tmp_path: Path) -> None:
    found = results(make, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7], changes={"predictions": "predictions/one.npz"})
    targets = np.linspace(0, 1, 3000)
    arrays = {"targets": targets, "predictions": targets + np.where(targets < 0.5, 1.0, np.nan)}
    predictions.write_arrays(found.folder / "predictions" / "one.npz", arrays)
    values = written(found, tmp_path)
    assert values["titles"].count("build: how far are predictions off?") == 1
    assert not any("image" in title or "confused" in title for title in values["titles"])
    assert "test images" not in (tmp_path / "report.html").read_text()
    tuned, baseline = values["residuals"]
    assert (tuned["finalist"], tuned["examples"]) == ("build tuned", 1500)
    assert tuned["mean"] == tuned["root_mean_square"] == pytest.approx(1.0)
    assert {**baseline, "finalist": ""} == {**tuned, "finalist": ""}


def test_predictions_that_are_gone_or_could_not_be_kept(make: Any, tmp_path: Path) -> None:
    found = results(make, [0.1], [0.2], changes={"missing": {PREDICTED: "no room"}})
    (card,) = residuals.cards(found, found.spaces[0])
    assert card.caption == "Nothing can be shown: predictions are missing (no room)."
    gone = replace(found, evaluations=[replace(each, missing={}, predictions="p.npz") for each in found.evaluations])
    (card,) = residuals.cards(gone, gone.spaces[0])
    assert card.caption == "Nothing can be shown: predictions are missing (their file is gone)."


def test_a_classifier_has_the_confusion_matrix_of_its_seeds(make: Any, tmp_path: Path) -> None:
    counts = [[40, 10], [5, 45]]
    found = results(make, [0.85, 0.86, 0.85], [0.5, 0.6, 0.7], ACCURACY, changes={"confusion": counts})
    values = written(found, tmp_path)
    (matrix,) = values["confusion"]
    assert matrix["counts"] == [[120, 30], [15, 135]]
    assert "build tuned: which classes are confused?" in values["titles"]
    mixed = replace(found, evaluations=[*found.evaluations[1:], replace(found.evaluations[0], confusion=None)])
    assert confusion.cards(mixed, mixed.spaces[0]) == []
