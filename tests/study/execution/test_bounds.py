"""Models that are larger than a study allows are not trained."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import keras_tuner
import pytest
import tiny
from helpers import Command, opened, study_table
from optuna.trial import TrialState

import study
from study.records import TrialRecord
from study.storage import results

RUN = ("--space", "tiny:Tiny", "--epochs", "2", "--seeds", "1", "--seed", "4", "--quiet")


@pytest.fixture
def archive(home: Path) -> str:
    return f"npz:{tiny.write_archive(home.parent / 'tiny.npz')}"


def records(home: Path, space: str = "tiny:Tiny") -> list[tuple[TrialState, TrialRecord]]:
    found = []
    for trial in results.trials(opened(home, "a"), space):
        record = results.record(trial)
        assert record is not None
        found.append((trial.state, record))
    return found


def test_no_model_above_the_limit_is_trained(command: Command, home: Path, archive: str) -> None:
    run = ("run", "a", "--dataset", archive, *RUN, "--trials", "12", "--max-parameters", "0.2k")
    assert command(*run, "--workers", "0")[0] == 0
    excluded = [(state, record) for state, record in records(home) if record.exceeds]
    assert 0 < len(excluded) < 12
    for state, record in excluded:
        assert state == TrialState.PRUNED
        assert (record.epochs, record.history) == (0, {})
        assert record.parameters is not None
        assert record.exceeds == f"{record.parameters} parameters, where 200 are allowed"
    assert all(record.parameters <= 200 for _, record in records(home) if record.epochs and record.parameters)
    assert set(opened(home, "a").part("tiny:Tiny").trials[0].constraints) == {"parameters"}
    once = study_table(home, "a")
    # The same in two sittings.
    again = ("run", "b", *run[2:], "--trials", "5", "--confirm", "0")
    assert command(*again)[0] == 0
    assert command("resume", "b", "--trials", "12", "--workers", "0")[0] == 0
    assert study_table(home, "b") == once


def test_a_sampler_learns_from_what_was_excluded(command: Command, home: Path, archive: str) -> None:
    words = ("--space", "tiny:Shrinking", "--epochs", "1", "--seeds", "1", "--trials", "30", "--quiet")
    assert command("run", "a", "--dataset", archive, *words, "--max-multiply-adds", "400")[0] == 0
    excluded = [bool(record.exceeds) for _, record in records(home, "tiny:Shrinking")]
    assert fmean(excluded[1:10]) > 1.5 * fmean(excluded[10:])  # the first are drawn at random


def test_a_baseline_above_the_limit_is_no_finalist(home: Path, archive: str) -> None:
    found = study.run(
        "a", spaces={"shrinking": tiny.Shrinking()}, dataset=archive, trials=6, epochs=1, seeds=2,
        max_parameters=900, quiet=True,
    )  # fmt: skip
    assert set(found.finals["role"]) == {"tuned"}
    assert found.finals["parameters"].max() <= 900
    first = found.trials.iloc[0]
    assert (first["state"], first["error"]) == ("excluded", "1,603 parameters, where 900 are allowed")
    page = (home / "a" / "report.html").read_text()
    assert "excluded because their models are too large" in page


@pytest.mark.parametrize(("trials", "drawn"), [("20", 10), ("4", 4)])
def test_a_limit_that_nothing_meets_ends_the_study(
    trials: str, drawn: int, command: Command, home: Path, archive: str
) -> None:
    run = ("run", "a", "--dataset", archive, *RUN, "--trials", trials, "--max-parameters", "100")
    for words in (run, ("resume", "a", "--workers", "0")):
        code, _, error = command(*words)
        assert code == 1
        assert error.splitlines()[-1] == (
            f"study: every trial failed or was excluded, {drawn} of {drawn} were too large, the smallest with 111 "
            "parameters, where 100 are allowed; mend the cause, then start again"
        )
        assert len(records(home)) == drawn


def test_a_space_that_is_too_large_leaves_the_others(command: Command, home: Path, archive: str) -> None:
    """With several workers, the others' trials are neither stopped nor waited for."""
    spaces = ("--space", "tiny:Wide", "--space", "tiny:Shrinking", "--epochs", "1", "--seeds", "1")
    bounds = ("--max-parameters", "900", "--trials", "12", "--workers", "2")
    code, output, _ = command("run", "a", "--dataset", archive, *spaces, *bounds)
    assert code == 0
    assert "the first 10 configurations are all too large" in output
    assert "the search ends after 10 trials instead of 12" in output
    assert "tiny:Wide has no result: every trial of it failed or was excluded, 10 of 10 were too large" in output
    assert len(records(home, "tiny:Shrinking")) == 12
    assert {final.space for final in results.finals(opened(home, "a"))} == {"tiny:Shrinking"}
    excluded = [record for _, record in records(home, "tiny:Shrinking") if record.exceeds]
    said = json.loads(command("status", "a", "--json")[1])["spaces"][1]
    assert said["excluded"] == len(excluded) > 0


class Deferred(keras_tuner.HyperModel):
    """Models that are built when they are called first; a convolution of whatever size has no multiply-adds then."""

    def build(self, hp: Any) -> keras.Model:
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(hp.Int("units", 3, 40, default=40))])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["accuracy"])
        return model


@pytest.mark.parametrize("limit", ["max_parameters", "max_multiply_adds"])
def test_models_that_are_built_when_they_are_called_are_excluded_after_an_epoch(
    limit: str, home: Path, tmp_path: Path
) -> None:
    found = study.run(
        "a", spaces={"deferred": Deferred()}, dataset=f"npz:{tiny.write_archive(tmp_path / 'tiny.npz')}", trials=5,
        epochs=2, seeds=1, pruner="none", quiet=True, **{limit: 800},
    )  # fmt: skip
    large = found.trials["hp.units"] * (37 if limit == "max_parameters" else 36) > 800
    assert 0 < large.sum() < 5
    assert ((found.trials["state"] == "excluded") == large).all()
    assert (found.trials["epochs"][large] == 1).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("small", "--max-parameters is a number such as 100000, 100k or 2.5M; it was given 'small'"),
        ("0", "--max-parameters must be at least 1; it was given 0"),
    ],
)
def test_a_limit_that_is_none(given: str, said: str, command: Command, home: Path) -> None:
    code, _, error = command("run", "a", "--max-parameters", given)
    assert (code, error) == (2, f"study: {said}\n")
    assert not home.exists()
