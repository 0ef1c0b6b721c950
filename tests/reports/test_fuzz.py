"""Studies whose searches, confirmations and finals came out in every way: no panel of a page ends in an error, and its
JSON keeps to the schema. The suite draws a share; for all:

    FUZZ_FINALS=2000 pytest -n 0 tests/reports/test_fuzz.py
"""

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import made
import numpy as np
import optuna
import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState, create_trial

from reports import checks, collect, numbers, page
from reports.collect import SpaceResults, StudyResults
from reports.panels import cards_or_error, comparison
from study.config import CONFIRMATION_SEEDS
from study.objective import Objective
from study.records import BASELINE, RECORD, TUNED, ConfirmationRecord, FinalRecord, finite, packed
from study.storage import selection
from study.storage.selection import Candidate

SPACES = ("dense", "cnn", "m:Own")
STATES = (*[TrialState.COMPLETE] * 6, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
SCHEMA = json.loads(Path(page.__file__).with_name("report.schema.json").read_text())
VALIDATOR = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
OBJECTIVES = (Objective(), Objective.of("val_loss"))
BROKEN = (math.nan, math.inf)


@dataclass
class Chance:
    """Draws that need not be shrunk."""

    random: np.random.Generator

    def is_one_in(self, n: int) -> bool:
        return bool(self.random.integers(n) == 0)

    def of(self, *choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def number(self, low: float = 0.0) -> float:
        """A share, seldom one that JSON does not know."""
        return self.of(*BROKEN) if self.is_one_in(40) else round(float(self.random.uniform(low, 1)), 2)


def trial(chance: Chance, number: int, objective: Objective) -> FrozenTrial:
    """A trial of a search, with a record wherever one is stored."""
    state = chance.of(*STATES)
    has_model = state in (TrialState.COMPLETE, TrialState.PRUNED) or chance.is_one_in(2)
    epochs = int(chance.random.integers(1, 4)) if has_model else 0
    curve = [finite(chance.number()) for _ in range(epochs)]
    known = [value for value in curve if value is not None]
    if state == TrialState.COMPLETE and not known:
        state = TrialState.FAIL
    best = None if not known else objective.best(known)
    values = {"rate": 0.1 * (1 + number % 7), "kind": "plain"}
    record = made.trial_record(
        values={} if state == TrialState.FAIL and chance.is_one_in(4) else values,
        epochs=epochs,
        best_epoch=None if best is None else curve.index(best) + 1,
        returned=chance.is_one_in(8),
        parameters=int(chance.random.integers(1, 4)) if has_model else None,
        history={objective.name: curve},
        error="ValueError: <b>no</b>" if state == TrialState.FAIL else None,
    )
    stores = state in (TrialState.COMPLETE, TrialState.PRUNED) or chance.is_one_in(2)
    return create_trial(
        state=state,
        value=best if state == TrialState.COMPLETE else None,
        params=values,
        distributions=made.DISTRIBUTIONS,
        intermediate_values={index: value for index, value in enumerate(curve, 1) if value is not None},
        user_attrs={RECORD: record.to_json()} if stores else {},
    )


def searched(chance: Chance, objective: Objective, trials: int) -> list[FrozenTrial]:
    """The trials of a space."""
    study = optuna.create_study(direction=objective.direction)
    study.add_trials([trial(chance, number, objective) for number in range(trials)])
    return study.get_trials(deepcopy=False)


def confirmed(chance: Chance, candidates: Sequence[Candidate], how: str) -> list[ConfirmationRecord]:
    """The confirmation runs of some candidates: all, some, none, or those of broken numbers."""
    runs = []
    for candidate in candidates:
        for index in range(CONFIRMATION_SEEDS):
            if how == "none" or (how == "some" and chance.is_one_in(2)):
                continue
            epochs = int(chance.random.integers(1, 4))
            run = made.confirmation_record(
                space=candidate.space, trial=candidate.number, seed_index=index, epochs=epochs
            )
            curve = [
                None if how == "broken" and chance.is_one_in(2) else finite(chance.number()) for _ in range(epochs)
            ]
            runs.append(replace(run, curve=curve, returned=chance.is_one_in(8), history={}))
    return runs


def guess(chance: Chance, how: str, labels: NDArray[np.int64], outputs: int, before: NDArray[np.int64]) -> Any:
    """What a model says of each image."""
    match how:
        case "right":
            return labels
        case "wrong":
            return (labels + 1) % outputs
        case "one answer":
            return np.zeros_like(labels)
        case "as before":
            return before
        case "one off":
            return np.where(
                np.arange(len(labels)) == chance.random.integers(len(labels)), (labels + 1) % outputs, labels
            )
    sure = 0.9 if how == "mostly right" else 0.5
    return np.where(chance.random.random(len(labels)) < sure, labels, chance.random.integers(0, outputs, len(labels)))


def final(
    chance: Chance, folder: Path, winner: tuple[str, str, int], seed: int, labels: Any, guessed: Any, shape: Any
) -> FinalRecord:
    """One final, whose predictions are in the folder or are not."""
    classes, outputs = shape
    confusion = np.zeros((classes, outputs), dtype=int)
    np.add.at(confusion, (labels, guessed), 1)
    space, role, number = winner
    record = made.final_record(
        space=space, role=role, trial=number, seed_index=seed, seed=5 + seed, test_images=len(labels),
        errors=int((labels != guessed).sum()), correct=packed(labels == guessed), confusion=confusion.tolist(),
        loss=chance.number(), calibration_error=chance.number(), seconds=chance.random.uniform(0, 9),
        validation=chance.of(None, chance.number(), chance.number()),
        epochs=chance.of(1, 2), parameters=chance.of(1, 2, 10**9), history=chance.of({}, {"loss": [None]}),
        predictions=f"predictions/{space.replace(':', '-')}-{role}-{number}-{seed}.npz",
    )  # fmt: skip
    if chance.is_one_in(12):
        return record
    probabilities = np.eye(outputs)[guessed] * 0.8 + 0.2 / outputs
    if chance.is_one_in(20):  # as of a model whose weights are not numbers any more: the first class is its answer
        probabilities = np.where(guessed[:, None] == 0, np.nan, probabilities)
    made.keep_predictions(folder, record, probabilities, labels)
    if chance.is_one_in(20):
        file = folder / record.predictions
        file.write_bytes(file.read_bytes()[: int(chance.random.integers(0, 400))])
    return record


WAYS = ("any", "mostly right", "one off", "as before", "right", "wrong", "one answer")


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """What a study is like; the rest follows from its `seed`."""
    return {
        "seed": draw(st.integers(0, 2**32 - 1)),
        "spaces": draw(st.lists(st.sampled_from(SPACES), min_size=1, max_size=3, unique=True)),
        "trials": draw(st.sampled_from([6, 5, 4, 3, 2, 1, 0])),
        "objective": draw(st.sampled_from(OBJECTIVES)),
        "confirm": draw(st.integers(0, 3)),
        "confirmed": draw(st.sampled_from(["all", "all", "all", "all", "some", "none", "broken"])),
        "seeds": draw(st.sampled_from([5, 3, 10, 4, 6, 7, 8, 9, 2, 1])),
        "tested": draw(st.sampled_from(["all", "all", "all", "all", "all", "some", "more", "none"])),
        "images": draw(st.sampled_from([200, 50, 10, 3, 2, 1])),
        "classes": draw(st.sampled_from([2, 2, 3, 43])),
        "outputs": draw(st.integers(0, 2)),
        "labels": draw(st.sampled_from(["any", "any", "one"])),
        "ways": draw(st.lists(st.sampled_from(WAYS), min_size=2, max_size=6)),
        "named": draw(st.booleans()),
        "margin": draw(st.sampled_from([0.0, 0.2, 100.0])),
    }


def results_of(base: StudyResults, asked: dict[str, Any]) -> StudyResults:
    """The results of such a study."""
    chance = Chance(np.random.default_rng(asked["seed"]))
    definition = replace(
        base.definition, spaces=tuple(asked["spaces"]), objective=asked["objective"], confirm=asked["confirm"],
        seeds=asked["seeds"], margin=asked["margin"],
    )  # fmt: skip
    trials = {name: searched(chance, asked["objective"], asked["trials"]) for name in asked["spaces"]}
    before = selection.select(definition, trials, [])
    candidates = [each for found in before.candidates.values() for each in found]
    failed = {(each.space, each.number) for each in candidates if chance.is_one_in(6)}
    chosen = selection.select(definition, trials, confirmed(chance, candidates, asked["confirmed"]), failed)
    event(f"{len(chosen.winners)} winners, {'confirmed' if chosen.confirmed else 'not confirmed'}")
    shutil.rmtree(base.folder / "predictions", ignore_errors=True)
    spaces = []
    for name in asked["spaces"]:
        winner = chosen.winners.get(name)
        best = None if winner is None else winner.trial
        spaces.append(SpaceResults(name, trials[name], asked["objective"], best, made.RATE_AND_KIND))
    finals = finals_of(chance, base.folder, asked, chosen)
    classes = [f"<b>{label}</b>" for label in range(asked["classes"])] if asked["named"] else []
    return replace(base, definition=definition, spaces=spaces, selection=chosen, finals=finals, classes=classes)


def finals_of(chance: Chance, folder: Path, asked: dict[str, Any], chosen: selection.Selection) -> list[FinalRecord]:
    """The finals of each space's baseline and winner, and perhaps of a winner that was replaced."""
    classes, images = asked["classes"], asked["images"]
    outputs = classes + asked["outputs"]
    labels = chance.random.integers(0, classes, images) if asked["labels"] == "any" else np.zeros(images, np.int64)
    finals, guessed = [], labels
    for name, winner in chosen.winners.items():
        finalists = {(name, BASELINE, 0), (name, winner.role, winner.number)}
        if asked["tested"] == "more":
            finalists.add((name, TUNED, 17))
        for finalist in sorted(finalists):
            ways = asked["ways"] if chance.is_one_in(3) else [chance.of(*asked["ways"])]
            for seed in range(asked["seeds"]):
                if asked["tested"] == "none" or (asked["tested"] == "some" and chance.is_one_in(2)):
                    continue
                guessed = guess(chance, chance.of(*ways), labels, outputs, guessed)
                finals.append(final(chance, folder, finalist, seed, labels, guessed, (classes, outputs)))
    return finals


def problems(results: StudyResults) -> list[str]:
    """What is wrong with the page of a study, with its JSON, and with those that compare it with another."""
    several = [results, replace(results, definition=replace(results.definition, name="other"))]
    cards = [card for part in page.sections(results) for card in part.cards]
    cards += [card for name, panel in comparison.PANELS.items() for card in cards_or_error(name, panel, several)]
    found = [f"{card.title}: {card.error}" for card in cards if card.error]
    found += [outcome.text for _, outcome in checks.ask_all(results) if "the check itself failed" in outcome.text]
    page.html(results, library="plotly.js")
    values = json.loads(numbers.of_study(results))
    found += [f"{part}: {why}" for part, why in values["errors"].items()]
    compared = json.loads(numbers.of_several(several))
    found += [f"{part}: {why}" for part, why in compared["errors"].items()]
    errors = [jsonschema.exceptions.best_match(VALIDATOR.iter_errors(each)) for each in (values, compared)]
    found += [f"{each.json_path}: {each.message}" for each in errors if each is not None]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """A stored study of which everything else is replaced."""
    return collect.read(made.study(tmp_path_factory.mktemp("made"), {"dense": []}))


@given(studies())
@settings(
    max_examples=int(os.environ.get("FUZZ_FINALS", "30")),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
def test_no_panel_ends_in_an_error(base: StudyResults, asked: dict[str, Any]) -> None:
    assert problems(results_of(base, asked)) == []
