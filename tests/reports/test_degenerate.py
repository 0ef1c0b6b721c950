"""Finals without variance, without a difference, all right, all wrong, or of one class: no panel fails."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import made
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from made import final_record, keep_predictions, trial_record
from optuna.trial import TrialState

from reports import collect, numbers, page
from reports.collect import StudyResults
from reports.panels import cards_or_error, verdict
from study.records import FinalRecord, packed

IMAGES = 10
BOTH, ONE = [0, 1] * (IMAGES // 2), [0] * IMAGES
"""Labels of both classes, and of only one."""
any_guess = st.lists(st.integers(0, 1), min_size=IMAGES, max_size=IMAGES)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Two spaces that were searched, without finals."""
    rows = [(TrialState.COMPLETE, value, trial_record()) for value in (0.5, 0.6)]
    return collect.read(made.study(tmp_path_factory.mktemp("made"), {"dense": rows, "cnn": rows}))


@st.composite
def guesses(draw: st.DrawFn) -> tuple[list[int], list[list[list[int]]]]:
    """Labels, and what each seed of four finalists predicts; often the same."""
    labels = draw(st.sampled_from([BOTH, ONE]))
    plain = st.sampled_from([labels, [1 - label for label in labels], ONE])
    one = st.one_of(plain, any_guess)
    finalist = st.one_of(
        st.tuples(one, st.integers(0, 4)).map(lambda pair: [pair[0]] * pair[1]),
        st.lists(one, max_size=4),
    )
    return labels, [draw(finalist) for _ in range(4)]


def finals_of(folder: Path, labels: Sequence[int], guessed: Sequence[Sequence[Sequence[int]]]) -> list[FinalRecord]:
    """The finals of dense and cnn, tuned and baseline, with their predictions in the folder."""
    finals = []
    kinds = [(space, role) for space in ("dense", "cnn") for role in ("tuned", "baseline")]
    for (space, role), seeds in zip(kinds, guessed, strict=True):
        for seed, guess in enumerate(seeds):
            confusion = np.zeros((2, 2), dtype=int)
            np.add.at(confusion, (labels, guess), 1)
            final = final_record(
                space=space, role=role, trial=int(role == "tuned"), seed_index=seed,
                errors=int(np.not_equal(labels, guess).sum()),
                test_images=IMAGES, confusion=confusion.tolist(), predictions=f"predictions/{space}-{role}-{seed}.npz",
                correct=packed(np.equal(labels, guess)),
            )  # fmt: skip
            keep_predictions(folder, final, np.eye(2)[list(guess)] * 0.8 + 0.1, np.asarray(labels))
            finals.append(final)
    return finals


SCHEMA = json.loads(Path(page.__file__).with_name("report.schema.json").read_text())


def check(results: StudyResults) -> None:
    """No panel of a page ends in an error, and its JSON is complete."""
    parts = [part for name, part in page.PARTS.items() if name != "Search"]  # which does not depend on finals
    cards = [
        card for part in parts for name, panel in part.panels.items() for card in cards_or_error(name, panel, results)
    ]
    cards += [
        card
        for part in parts
        for name, of_space in part.of_space.items()
        for space in results.spaces
        for card in cards_or_error(name, of_space, results, space)
    ]
    assert [card.error for card in cards if card.error] == []
    values: Any = json.loads(numbers.of_study(results))
    assert values["errors"] == {}
    jsonschema.validate(values, SCHEMA)


@given(guesses())
@settings(max_examples=30, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_no_panel_fails(studied: StudyResults, made_up: tuple[list[int], list[list[list[int]]]]) -> None:
    finals = finals_of(studied.folder, *made_up)
    check(dataclasses.replace(studied, finals=finals))


@pytest.mark.parametrize("labels", [BOTH, ONE])
@pytest.mark.parametrize("wrong", [0, 5, 10])
def test_finalists_of_equal_mean(studied: StudyResults, labels: list[int], wrong: int) -> None:
    """All right, at chance, all wrong."""
    guess = [1 - label for label in labels[:wrong]] + labels[wrong:]
    results = dataclasses.replace(studied, finals=finals_of(studied.folder, labels, [[guess] * 3] * 4))
    check(results)
    found = verdict.info(results)
    assert [row.accuracy for row in found.rows] == pytest.approx([1 - wrong / IMAGES] * len(found.rows))
    assert found.comparisons
    for each in found.comparisons:
        assert (each.word, each.difference, each.p) == ("undecided", 0, 1.0)
        assert each.seeds_needed is None
        assert each.new_images is not None
        assert each.new_images.low < 0 < each.new_images.high  # 10 images without a difference show little


def test_a_constant_difference_is_no_proof(studied: StudyResults) -> None:
    """0.9 - 0.8, 0.8 - 0.7 and 0.7 - 0.6 are three floating-point numbers, and one image in 10 is one image."""
    guessed = [[[1 - label for label in BOTH[:errors]] + BOTH[errors:] for errors in (few, few + 1, few + 2)]
               for few in (1, 2, 1, 2)]  # fmt: skip
    results = dataclasses.replace(studied, finals=finals_of(studied.folder, BOTH, guessed))
    check(results)
    for each in verdict.info(results).comparisons:
        assert (each.least, each.most) == pytest.approx((each.difference, each.difference))
        assert each.word == "undecided"
