"""What a page begins with, for studies made by hand."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Command
from made import final_record, keep_predictions, trial_record
from optuna.trial import TrialState

from reports import collect, page
from reports.panels import p_value, verdict
from reports.panels.verdict import Verdict
from reports.statistics import BETTER, TIED, UNDECIDED, WORSE
from study.records import FinalRecord, packed

Make = Callable[..., Any]
IMAGES = 10_000


def trials(baseline: float, *others: float) -> list[Any]:
    """Complete trials with these values."""
    return [(TrialState.COMPLETE, value, trial_record()) for value in (baseline, *others)]


TUNED, UNTUNED = trials(0.8, 0.9), trials(0.85, 0.7)
"""Spaces whose winner is trial 1, or the baseline; the first one's is recommended."""


def finals(
    role: str, wrong: Sequence[range], space: str = "dense", images: int = IMAGES, **changes: Any
) -> list[FinalRecord]:
    """The finals of a finalist: the images that each seed misclassifies."""
    found = []
    for seed, errors in enumerate(wrong):
        correct = np.ones(images, dtype=bool)
        correct[errors] = False
        found.append(
            final_record(
                space=space, role=role, trial=int(role == "tuned"), seed_index=seed, errors=len(errors),
                test_images=images, correct=packed(correct), predictions=f"predictions/{space}-{role}{seed}.npz",
                **changes,
            )
        )  # fmt: skip
    return found


def spans(*counts: int, start: int = 0) -> list[range]:
    """So many errors for each seed, all from an image on."""
    return [range(start, start + count) for count in counts]


GOOD, LATER = spans(198, 200, 202, 199, 201), spans(199, 201, 200, 202, 198)
"""2 % errors, on the same images."""
POOR = spans(298, 300, 302, 299, 301)
OTHER = spans(198, 200, 202, 199, 201, start=5_000)
"""2 % errors, on other images than `GOOD`."""


def read(make: Make, tested: list[FinalRecord], rows: dict[str, list[Any]] | None = None, **options: Any) -> Verdict:
    return verdict.info(collect.read(make(rows or {"dense": TUNED}, tested, **options)))


def words(found: Verdict) -> dict[tuple[str, str], str]:
    return {(each.first, each.second): each.word for each in found.comparisons}


def test_a_winner_that_is_better(make: Make) -> None:
    found = read(make, finals("tuned", GOOD, loss=0.1) + finals("baseline", POOR, validation=0.8))
    assert found.recommended == "dense tuned"
    row, other = found.rows
    assert (row.finalist, row.seeds, row.test_images, row.trials) == ("dense tuned", 5, IMAGES, 2)
    assert (row.accuracy, row.errors_per_10000) == pytest.approx((0.98, 200))
    assert (row.loss, row.calibration_error, row.epochs) == pytest.approx((0.1, 0.02, 2))
    assert (row.optimism, other.optimism) == pytest.approx((0.95 - 0.98, 0.8 - 0.97))
    assert (row.least, row.most) == pytest.approx((0.9798, 0.9802))
    assert row.these_images is not None
    assert row.new_images is not None
    # The images, of which 2 % are difficult, vary much more than the trainings.
    assert row.these_images.high - row.these_images.low == pytest.approx(2 * 2.776 * 0.0001581 / 5**0.5, rel=1e-3)
    assert (row.new_images.low, row.new_images.high) == pytest.approx((0.97706, 0.98257), abs=5e-5)
    (comparison,) = found.comparisons
    assert (comparison.difference, comparison.least, comparison.most) == pytest.approx((0.01, 0.01, 0.01))
    assert (comparison.word, comparison.seeds_needed, comparison.images_needed) == (BETTER, None, None)
    assert comparison.p == comparison.adjusted_p
    assert (comparison.medians.only_first, comparison.medians.only_second) == (100, 0)
    assert found.sentence == (
        "dense tuned is recommended: 98.00 % mean test accuracy on digits (95 % interval for new images: 97.71 to "
        "98.26 %), 10,000 test images, 5 seeds. It was chosen by val_accuracy, 0.9000, not by the "
        "test. It is better than dense baseline by 1.00 points (95 % interval 0.81 to 1.19)."
    )
    assert found.test_evaluations == 10


def test_a_winner_that_is_worse_than_its_baseline_is_told_first(make: Make, command: Command, tmp_path: Path) -> None:
    stored = make({"dense": TUNED}, finals("tuned", POOR) + finals("baseline", GOOD))
    found = verdict.info(collect.read(stored))
    assert [row.finalist for row in found.rows] == ["dense tuned", "dense baseline"]
    assert words(found) == {("dense tuned", "dense baseline"): WORSE}
    first, *_ = found.sentence.split(". ")
    assert first.startswith(
        "The test contradicts validation, which recommends dense tuned: it is worse than dense baseline by 1.00 "
        "points (95 % interval 0.81 to 1.19): 97.00 % mean test accuracy on digits"
    )
    assert first in page.html(collect.read(stored))
    told = json.loads(command("best", "made", "--json", "--home", str(tmp_path))[1])
    assert (told["trial"], told["verdict"]) == (1, found.sentence)


def test_finalists_that_err_on_the_same_images_are_tied(make: Make) -> None:
    found = read(make, finals("tuned", GOOD) + finals("baseline", LATER))
    assert words(found) == {("dense tuned", "dense baseline"): TIED}
    assert found.comparisons[0].margin == 0.002
    assert found.sentence.endswith("It is tied with dense baseline (within the margin of 0.20 points).")


def test_a_difference_within_the_margin_says_so(make: Make) -> None:
    tested = finals("tuned", GOOD) + finals("baseline", POOR)
    found = read(make, tested, margin=1.5)
    assert words(found) == {("dense tuned", "dense baseline"): BETTER}
    assert found.sentence.endswith(
        "It is better than dense baseline by 1.00 points (95 % interval 0.81 to 1.19) (less than the margin of 1.50 "
        "points)."
    )


def test_the_margin_is_at_least_one_image(make: Make) -> None:
    tested = finals("tuned", spans(2, 2, 2), images=100) + finals("baseline", spans(2, 2, 2), images=100)
    (comparison,) = read(make, tested).comparisons
    assert comparison.margin == 0.01
    assert comparison.word == UNDECIDED  # 3 of 100 more images may differ


def test_where_more_seeds_would_decide_the_command_is_given(make: Make) -> None:
    """The seeds differ by more than the finalists do."""
    tested = finals("tuned", spans(150, 200, 250, 190, 210)) + finals("baseline", spans(220, 280, 200, 260, 240))
    found = read(make, tested)
    (comparison,) = found.comparisons
    assert comparison.word == UNDECIDED
    needed = comparison.seeds_needed
    assert needed is not None
    assert 5 < needed < 40
    assert comparison.images_needed is None
    assert found.sentence.endswith(
        f"It scored 0.40 points higher than dense baseline, which may be chance (adjusted p {comparison.p:.3f}); "
        f"if it stays so, about {needed} seeds would settle it. To train more seeds: {found.command}"
    )
    assert found.command is not None
    assert shlex.split(found.command)[:5] == ["study", "resume", "made", "--seeds", str(needed)]


def test_where_no_seeds_would_decide_it_says_how_many_images_would(make: Make) -> None:
    """They err on different images, and about equally often."""
    found = read(make, finals("tuned", GOOD) + finals("baseline", OTHER))
    (comparison,) = found.comparisons
    assert (comparison.word, comparison.seeds_needed) == (UNDECIDED, None)
    assert comparison.images_needed is not None
    assert 20_000 < comparison.images_needed < 100_000
    assert found.sentence.endswith(
        f"; if it stays so, about {comparison.images_needed:,} test images would settle it, and more seeds would not."
    )


def test_comparisons_are_adjusted_together(make: Make) -> None:
    """18 images that only the winner misclassifies against 36: p is 0.014, which five comparisons make 0.07."""
    pair = finals("tuned", [range(200)] * 5) + finals("baseline", [range(18, 236)] * 5)
    (alone,) = read(make, pair, name="alone").comparisons
    assert alone.p == alone.adjusted_p == pytest.approx(0.0143, abs=2e-4)
    assert alone.word == BETTER
    others = [each for space in ("cnn", "paper") for role in ("tuned", "baseline")
              for each in finals(role, [range(200)] * 5, space)]  # fmt: skip
    together = read(make, pair + others, {"dense": TUNED, "cnn": TUNED, "paper": TUNED}).comparisons
    assert len(together) == 5
    assert together[0].p == alone.p
    assert together[0].adjusted_p == pytest.approx(5 * 0.0143, abs=1e-3)
    assert together[0].word == UNDECIDED


def test_what_is_compared(make: Make) -> None:
    """Each tuned winner with its baseline, and the recommended finalist with the other winners."""
    rows = {"dense": TUNED, "cnn": TUNED, "paper": UNTUNED}
    tested = [each for space in ("dense", "cnn") for each in finals("tuned", GOOD, space)]
    tested += [each for space in rows for each in finals("baseline", POOR, space)]
    found = read(make, tested, rows)
    assert words(found) == {
        ("dense tuned", "dense baseline"): BETTER,
        ("cnn tuned", "cnn baseline"): BETTER,
        ("dense tuned", "cnn tuned"): TIED,
        ("dense tuned", "paper baseline"): BETTER,
    }
    assert all(each.p is not None and each.adjusted_p is not None and each.adjusted_p >= each.p
               for each in found.comparisons)  # fmt: skip
    assert "cnn tuned is better than cnn baseline by 1.00 points (95 % interval 0.81 to 1.19)." in found.statements
    assert (
        found.statements[-1]
        == "Tuning found nothing better than the baseline of paper in 2 trials, of which 2 were complete."
    )


def test_the_recommended_finalist_is_first_and_the_others_follow_by_accuracy(make: Make) -> None:
    rows = {"dense": TUNED, "cnn": trials(0.85, 0.86)}
    tested = finals("tuned", spans(300, 300, 300)) + finals("baseline", spans(400, 400, 400))
    tested += finals("tuned", spans(100, 100, 100), "cnn") + finals("baseline", spans(200, 200, 200), "cnn")
    found = read(make, tested, rows)
    assert [row.finalist for row in found.rows] == ["dense tuned", "cnn tuned", "cnn baseline", "dense baseline"]
    assert "which recommends dense tuned: it is worse than cnn tuned by 2.00 points" in found.sentence


def test_a_winner_that_is_the_baseline_is_one_finalist(make: Make) -> None:
    stale = finals("tuned", POOR)  # of a trial that won before
    found = read(make, finals("baseline", GOOD) + stale, {"dense": UNTUNED})
    assert found.recommended == "dense baseline"
    assert [row.finalist for row in found.rows] == ["dense baseline"]
    assert found.comparisons == []
    assert found.sentence.endswith(
        "Tuning found nothing better than the baseline in 2 trials, of which 2 were complete."
    )


@pytest.mark.parametrize("seeds, shown", [(1, "–"), (2, "range 97.00 to 98.00 %")])
def test_one_or_two_seeds_have_no_interval(make: Make, seeds: int, shown: str) -> None:
    tested = finals("tuned", spans(200, 300)[:seeds]) + finals("baseline", spans(300, 320)[:seeds])
    results = collect.read(make({"dense": TUNED}, tested))
    found = verdict.info(results)
    assert [(row.these_images, row.new_images) for row in found.rows] == [(None, None)] * 2
    cells = dict(zip(verdict.COLUMNS, verdict.cells(found.rows[0]), strict=True))
    assert (cells["On these images"], cells["For new images"]) == (shown, "–")
    (comparison,) = found.comparisons
    assert (comparison.these_images, comparison.new_images, comparison.p, comparison.adjusted_p) == (None,) * 4
    assert (comparison.word, comparison.seeds_needed) == (UNDECIDED, 5)
    assert "study resume made --seeds 5" in found.sentence
    assert ("(range 97.00 to 98.00 %)" in found.sentence) == (seeds == 2)
    assert "interval" not in found.sentence
    assert len(verdict.cards(results)) == 3


def test_only_seeds_that_both_have_are_paired(make: Make) -> None:
    found = read(make, finals("tuned", GOOD) + finals("baseline", POOR[:3]))
    assert found.comparisons[0].seeds == 3
    assert read(make, finals("tuned", GOOD), name="alone").comparisons == []


def test_a_recommended_finalist_that_was_not_tested_yet(make: Make) -> None:
    found = read(make, finals("baseline", GOOD))
    assert found.sentence.startswith("The recommended finalist has not been tested yet. To continue: study resume made")
    assert [row.finalist for row in found.rows] == ["dense baseline"]


def test_finals_of_a_winner_that_was_replaced_count_as_tests_only(make: Make) -> None:
    tested = [*finals("tuned", GOOD), *finals("baseline", POOR), final_record(trial=2, errors=0)]
    found = read(make, tested, {"dense": trials(0.8, 0.9, 0.7)})
    assert found.rows[0].accuracy == pytest.approx(0.98)
    assert found.test_evaluations == 11


@pytest.mark.parametrize(
    "p, text", [(1.0, "1.000"), (0.0496, "0.050"), (0.0005, "0.001"), (1e-20, "< 0.001"), (None, "–")]
)
def test_no_p_is_printed_as_nothing(p: float | None, text: str) -> None:
    assert p_value(p) == text


def predicted(labels: Any, wrong: list[int], sure: float = 0.9) -> Any:
    """Probabilities of two classes (n, 2) that misclassify the images `wrong`."""
    right = np.eye(2)[labels] * (2 * sure - 1) + (1 - sure)
    right[wrong] = right[wrong][:, ::-1]
    return right


def test_the_ensemble_averages_probabilities(make: Make) -> None:
    """Three models that misclassify different images: their ensemble misclassifies none."""
    labels = np.arange(100) % 2
    misread = {"tuned": [range(1), range(1, 3), range(3, 6)], "baseline": [range(10, 15 + seed) for seed in range(3)]}
    tested = [each for role, wrong in misread.items() for each in finals(role, wrong, images=100)]
    stored = make({"dense": TUNED}, tested)
    for final in tested:
        wrong = list(misread[final.role][final.seed_index])
        keep_predictions(stored.folder, final, predicted(labels, wrong), labels)
    found = verdict.info(collect.read(stored))
    ensembles = {row.finalist: row for row in found.rows if row.models}
    assert [row.models for row in found.rows] == [0, 0, 3, 3]
    assert ensembles["dense tuned, ensemble"].accuracy == 1.0
    assert ensembles["dense baseline, ensemble"].accuracy == pytest.approx(0.94)
    new = ensembles["dense baseline, ensemble"].new_images
    assert new is not None
    assert new.low == pytest.approx(0.8752, abs=1e-4)  # Wilson's
    assert ensembles["dense tuned, ensemble"].these_images is None
    assert ensembles["dense tuned, ensemble"].parameters == 333
    assert "dense tuned is recommended: 98.00 % mean test accuracy" in found.sentence
    (comparison,) = found.comparisons
    assert (comparison.medians.only_first, comparison.medians.only_second) == (6, 2)
    assert comparison.medians.p == pytest.approx(2 * (1 + 8 + 28) / 2**8)


def test_without_predictions_there_is_no_ensemble(make: Make) -> None:
    tested = finals("tuned", spans(1, 2, 3), images=100)
    stored = make({"dense": TUNED}, tested)
    labels = np.arange(100) % 2
    keep_predictions(stored.folder, tested[0], predicted(labels, [0]), labels)
    whole = (stored.folder / tested[0].predictions).read_bytes()
    broken = whole[:200] + bytes(len(whole) - 200)
    for damage in (b"no archive", b"", whole[:100], whole[:-30], broken):
        (stored.folder / tested[1].predictions).write_bytes(damage)
        assert [row.models for row in verdict.info(collect.read(stored)).rows] == [0]
