"""What trials are ranked by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.objective import DIRECTIONS, Objective

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_directions_that_need_not_be_given() -> None:
    assert Objective.of("val_accuracy").direction == "maximize"
    assert Objective.of("val_loss").direction == "minimize"
    assert Objective.of("val_loss", "minimize") == Objective("val_loss", "minimize")
    assert Objective.of("val_f1", "maximize").maximize


@pytest.mark.parametrize(
    "name, direction, said",
    [
        (
            "accuracy",
            None,
            "--objective is val_accuracy, val_loss, .*, or a metric .* it was given 'accuracy' alone",
        ),
        ("val_f1", "up", "--direction must be one of maximize, minimize; it was given 'up'"),
        ("val_accuracy", "minimize", "--direction of val_accuracy is maximize; it was given minimize"),
    ],
)
def test_what_is_no_objective(name: str, direction: str | None, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Objective.of(name, direction)


@given(FINITE, FINITE, st.sampled_from(DIRECTIONS))
def test_ranks_and_comparisons_agree(first: float, second: float, direction: str) -> None:
    objective = Objective.of("val_mine", direction)
    better = first > second if direction == "maximize" else first < second
    assert objective.is_better(first, than=second) == better
    assert (objective.rank(first) < objective.rank(second)) == better
    assert objective.best([first, second]) == (first if better else second)


def test_the_best_is_the_first_of_equals_and_none_of_nothing() -> None:
    assert Objective().best([]) is None
    assert Objective().best(iter([0.5, 0.9, 0.7])) == 0.9
