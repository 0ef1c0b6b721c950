"""Studies side by side, made by hand."""

from pathlib import Path
from typing import Any

import made
import pytest
from made import final_record, trial_record
from optuna.trial import TrialState

from reports import collect, page
from reports.collect import StudyResults
from reports.panels import comparison
from study.objective import Objective

COMPLETE = TrialState.COMPLETE


def study(
    folder: Path, name: str, values: list[float], errors: int | None = None, pruned: int = 0, **options: Any
) -> StudyResults:
    """A study of `dense` with these values, then pruned trials, and a tuned winner with so many errors in 100."""
    rows: list[Any] = [(COMPLETE, value, trial_record(seconds=10)) for value in values]
    rows += [(TrialState.PRUNED, 0.1, trial_record(seconds=10))] * pruned
    best = max(range(len(values)), key=values.__getitem__) if values else 0
    finals = [] if errors is None else [final_record(trial=best, errors=errors)]
    return collect.read(made.study(folder, {"dense": rows}, finals, name=name, **options))


def test_studies_that_differ_by_their_seed_are_one_group(tmp_path: Path) -> None:
    studies = [
        study(tmp_path, f"{sampler}{seed}", [0.5, 0.6 + seed / 100], errors=10 + seed, sampler=sampler, seed=seed)
        for sampler in ("tpe", "random")
        for seed in range(3)
    ]
    found = comparison.info(studies)
    assert [group.name for group in found.groups] == ["tpe", "random"]
    tpe = found.groups[0]
    assert (tpe.studies, tpe.seeds) == (["tpe0", "tpe1", "tpe2"], [0, 1, 2])
    assert (tpe.trials, tpe.seconds) == ([2, 2, 2], [20, 20, 20])
    assert tpe.best == [0.6, 0.61, 0.62]
    assert tpe.tested == pytest.approx([0.9, 0.89, 0.88])
    assert tpe.over_trials is not None
    assert tpe.over_trials.budget == [1, 2]
    assert tpe.over_trials.median == pytest.approx([0.5, 0.61])
    assert (tpe.over_trials.low[1], tpe.over_trials.high[1]) == pytest.approx((0.605, 0.615))
    assert tpe.over_seconds is not None
    assert tpe.over_seconds.budget == [10, 20]
    assert found.unequal == []
    (contest,) = found.contests
    assert (contest.first, contest.second, contest.what, contest.seeds) == ("tpe", "random", "test accuracy", 3)
    assert (contest.difference, contest.interval, contest.p, contest.word) == (0, None, None, "undecided")


def test_a_curve_goes_as_far_as_all_of_its_studies(tmp_path: Path) -> None:
    studies = [study(tmp_path, "a", [0.1, 0.2, 0.3], seed=0), study(tmp_path, "b", [0.5], seed=1)]
    (group,) = comparison.info(studies).groups
    assert group.over_trials is not None
    assert group.over_trials.budget == [1]
    other = [study(tmp_path, "d", [0.1, 0.2, 0.3], seed=0), study(tmp_path, "e", [0.5], seed=1, pruned=4)]
    (group,) = comparison.info(other).groups
    assert group.over_trials is not None
    assert group.over_trials.budget == [1, 2, 3]
    assert group.over_trials.median == pytest.approx([0.3, 0.35, 0.4])
    assert comparison.info([study(tmp_path, "c", [])]).groups[0].over_trials is None


def test_untested_studies_are_compared_by_their_objective(tmp_path: Path) -> None:
    studies = [
        study(tmp_path, f"{sampler}{seed}", [gain + seed * step], sampler=sampler, seed=seed)
        for sampler, gain, step in (("tpe", 0.9, 0.001), ("random", 0.7, 0.002))
        for seed in range(8)
    ]
    (contest,) = comparison.info(studies).contests
    assert (contest.what, contest.seeds, contest.word) == ("val_accuracy", 8, "better")
    assert contest.interval is not None
    assert contest.difference == pytest.approx(0.2 - 0.0035)
    assert contest.interval.low < contest.difference < contest.interval.high


@pytest.mark.parametrize("seeds, has_interval", [(1, None), (2, False), (3, True)])
def test_an_interval_takes_three_pairs(tmp_path: Path, seeds: int, has_interval: bool | None) -> None:
    """With 2 there is a difference without an interval, with 1 nothing is compared."""
    studies = [
        study(tmp_path, f"{sampler}{seed}", [gain + seed * step], sampler=sampler, seed=seed)
        for sampler, gain, step in (("tpe", 0.9, 0.001), ("random", 0.7, 0.002))
        for seed in range(seeds)
    ]
    found = comparison.info(studies).contests
    assert [each.interval is not None for each in found] == ([] if has_interval is None else [has_interval])
    assert [each.word for each in found] == {1: [], 2: ["undecided"], 3: ["better"]}[seeds]


@pytest.mark.parametrize("objective", [Objective.of("val_loss"), Objective("own", "minimize")])
def test_a_smaller_loss_is_better(tmp_path: Path, objective: Objective) -> None:
    studies = [
        study(tmp_path, f"{sampler}{seed}", [loss + seed * step], sampler=sampler, seed=seed, objective=objective)
        for sampler, loss, step in (("tpe", 0.1, 0.001), ("random", 0.7, 0.002))
        for seed in range(8)
    ]
    (contest,) = comparison.info(studies).contests
    assert contest.word == "better"


def test_budgets_that_differ_are_named(tmp_path: Path) -> None:
    studies = [study(tmp_path, "a", [0.1]), study(tmp_path, "b", [0.1, 0.2, 0.3], epochs=3)]
    found = comparison.info(studies)
    assert [group.name for group in found.groups] == ["epochs 8", "epochs 3"]
    assert found.unequal == [
        "epochs per trial (3, 8)",
        "trials that ended (1 to 3, medians)",
        "seconds of training (10 to 30, medians)",
    ]
    assert "compare at equal budgets" in comparison.overview(studies)[0].caption


def test_a_study_that_repeats_another_counts_once(tmp_path: Path) -> None:
    studies = [study(tmp_path, f"tpe{copy}", [0.9]) for copy in range(6)]
    studies.append(study(tmp_path, "random", [0.7], sampler="random"))
    found = comparison.info(studies)
    assert found.groups[0].studies == ["tpe0"]
    assert found.contests == []
    assert found.repeats == [f"tpe{copy} dense" for copy in range(1, 6)]
    assert "tpe1 dense" in comparison.overview(studies)[0].caption


def test_other_images_under_the_same_name_are_not_compared(tmp_path: Path) -> None:
    studies = [
        study(tmp_path, f"{data}{seed}", [gain + seed / 1000], seed=seed, dataset=f"npz:/{data}/data.npz", data=data)
        for data, gain in (("x", 0.9), ("y", 0.7))
        for seed in range(8)
    ]
    found = comparison.info(studies)
    assert [group.name for group in found.groups] == ["data of x0", "data of y0"]
    assert found.contests == []
    assert len(comparison.curves(studies)) == 2


def test_samplers_that_drew_the_same_trials_are_named_with_the_reason(tmp_path: Path) -> None:
    """Here the values of a trial follow from its number, whatever the sampler."""
    studies = [study(tmp_path, sampler, [0.1, 0.2, 0.3], sampler=sampler) for sampler in ("tpe", "random")]
    (said,) = comparison.info(studies).alike
    assert said.startswith("tpe and random trained the same configuration in 2 of 2 trials, since a study's first 10")
    assert f"Beware: {said}" in comparison.overview(studies)[0].caption
    other = [study(tmp_path, f"other{seed}", [0.1, 0.2], sampler="qmc", seed=seed) for seed in (1, 2)]
    assert comparison.info([studies[0], *other]).alike == []  # no seed in common


def test_the_headline_has_the_words_of_a_verdict(tmp_path: Path) -> None:
    studies = [
        study(tmp_path, f"{sampler}{seed}", [0.9], errors=errors + seed % 2, sampler=sampler, seed=seed)
        for sampler, errors in (("tpe", 5), ("random", 9), ("qmc", 9))
        for seed in range(4)
    ]
    (card,) = comparison.overview(studies)
    assert card.lead == (
        "No difference of tpe from random in test accuracy was detected (4 study seeds). No difference of tpe from qmc "
        "in test accuracy was detected (4 study seeds). No difference of random from qmc in test accuracy was detected "
        "(4 study seeds)."
    )
    (told,) = comparison.overview([study(tmp_path / "more", f"{sampler}{seed}", [gain + seed * step], sampler=sampler,
                                         seed=seed)
                                   for sampler, gain, step in (("tpe", 0.9, 0.001), ("random", 0.7, 0.002))
                                   for seed in range(8)])  # fmt: skip
    assert told.lead == "tpe is better than random by 0.1965 of val_accuracy (8 study seeds)."


def test_other_data_is_not_compared(tmp_path: Path) -> None:
    studies = [study(tmp_path, f"a{seed}", [0.1], seed=seed) for seed in range(2)]
    studies += [study(tmp_path, f"b{seed}", [0.2], seed=seed, dataset="mnist") for seed in range(2)]
    found = comparison.info(studies)
    assert len(found.groups) == 2
    assert found.contests == []
    assert len(comparison.curves(studies)) == 2


def test_the_page_of_several_is_whole(tmp_path: Path) -> None:
    studies = [
        study(tmp_path, "a", [0.1, 0.2], errors=4),
        study(tmp_path, "b", []),
        study(tmp_path, "c", [0.3], seed=2),
    ]
    html = page.html_of_several(studies)
    assert "This panel could not be made" not in html
    assert "Studies a, b, c" in html
