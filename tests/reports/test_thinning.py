"""Figures are thinned, and what matters stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reports import thinning
from study.objective import Objective

LOSS = Objective.of("val_loss")
values = st.lists(st.floats(0, 1), min_size=1, max_size=300)


@given(values, st.sampled_from([Objective(), LOSS]), st.integers(4, 100))
def test_what_improved_and_the_best_tenth_are_always_kept(values: list[float], objective: Objective, most: int) -> None:
    kept = thinning.kept(values, objective, most)
    assert kept == sorted(set(kept))
    if len(values) <= most:
        assert kept == list(range(len(values)))
        return
    signed = np.asarray(values) * (1 if objective.maximize else -1)
    improved = [index for index in range(len(values)) if index == 0 or signed[index] > signed[:index].max()]
    assert set(improved) <= set(kept)
    worst_of_best = np.sort(signed)[::-1][: len(values) // 10].min(initial=np.inf)
    assert set(np.flatnonzero(signed > worst_of_best)) <= set(kept)
    assert len(kept) <= len(improved) + len(values) // 10 + most


def test_ties_with_the_best_are_thinned() -> None:
    assert len(thinning.kept([1.0] * 10_000, Objective(), 2_000)) <= 2_001
    assert thinning.note(5, 5) == ""
    assert "1,000 of 10,000 curves" in thinning.note(1_000, 10_000, "curves")
