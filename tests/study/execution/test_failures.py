"""What a study does when its trials fail."""

from pathlib import Path

import keras_tuner
import pytest
import unlucky
from helpers import Command, opened, study_table

from study.storage import results

WORDS = ("--epochs", "1", "--seeds", "1", "--confirm", "0", "--sampler", "random")


def states(home: Path, space: str) -> list[str]:
    return [row[1] for row in study_table(home, "a")[space]]


def test_a_study_in_which_every_trial_failed_has_failed(command: Command, home: Path, archive: Path) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "3", *WORDS)
    code, output, error = command(*run, "--space", "tiny:AlwaysFailing")
    assert code == 1
    assert "resume" not in output
    reason = "3 of 3 with MemoryError: no memory left"
    assert error == f"study: every trial failed, {reason}; mend the cause, then start again\n"
    assert (home / "a" / "report.html").exists()
    for word in ("resume", "evaluate"):
        code, _, again = command(word, "a")
        assert (code, again) == (1, error)


def test_the_commonest_reason_is_given_and_the_last(command: Command, home: Path, archive: Path) -> None:
    code, _, error = command(
        "run", "a", "--dataset", f"npz:{archive}", "--trials", "5", "--space", "unlucky:Numbered", *WORDS
    )
    assert code == 1
    reasons = [
        kept.error for trial in results.trials(opened(home, "a"), "unlucky:Numbered") if (kept := results.record(trial))
    ]
    commonest = reasons.count("ValueError: too large")
    assert commonest > 1
    last = "" if reasons[-1] == "ValueError: too large" else f"; the last of them with {reasons[-1]}"
    assert f"every trial failed, {commonest} of 5 with ValueError: too large{last}; mend" in error


def test_a_space_in_which_all_failed_is_warned_of_beside_one_that_did_not(
    command: Command, home: Path, archive: Path
) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "10", "--quiet", *WORDS)
    code, output, error = command(*run, "--space", "tiny:AlwaysFailing", "--space", "tiny:Tiny")
    assert (code, error) == (0, "")
    said = "tiny:AlwaysFailing has no result: every trial of it failed, 10 of 10 with MemoryError: no memory left"
    assert output.splitlines().count(said) == 1
    assert states(home, "tiny:AlwaysFailing") == ["FAIL"] * 10
    assert "tiny:Tiny has no result" not in output


def test_too_many_failures_in_a_row_stop_a_study(command: Command, home: Path, archive: Path) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "12", *WORDS)
    code, _, error = command(*run, "--space", "tiny:AlwaysFailing")
    assert code == 1
    assert "10 trials of tiny:AlwaysFailing failed in a row, 10 of 10 with MemoryError: no memory left; " in error
    assert error.endswith("mend the cause, then start again\n")
    assert states(home, "tiny:AlwaysFailing") == ["FAIL"] * 10


def test_where_something_succeeded_a_resume_continues(command: Command, home: Path, archive: Path) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "12", *WORDS)
    code, _, error = command(*run, "--space", "unlucky:Failed")
    assert code == 1
    assert "10 of 10 with FailedTrialError: this one only; mend the cause, then 'study resume a' continues" in error
    assert states(home, "unlucky:Failed") == ["COMPLETE", *["FAIL"] * 10]


@pytest.mark.parametrize("error", ["FatalError", "FatalTypeError", "FatalValueError", "FatalRuntimeError"])
def test_a_fatal_error_stops_a_study_at_once(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(unlucky.Fatal, "error", getattr(keras_tuner.errors, error))
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "5", *WORDS)
    code, _, said = command(*run, "--space", "unlucky:Fatal")
    assert (code, said) == (1, f"study: trial 1 of unlucky:Fatal ended the study: {error}: the disk is gone\n")
    assert states(home, "unlucky:Fatal") == ["COMPLETE", "FAIL"]
    failed = results.record(results.trials(opened(home, "a"), "unlucky:Fatal")[1])
    assert failed is not None
    assert failed.error == f"{error}: the disk is gone"


def test_a_fatal_error_of_a_fit_stops_a_study_at_once(command: Command, home: Path, archive: Path) -> None:
    run = ("run", "a", "--dataset", f"npz:{archive}", "--trials", "5", *WORDS)
    code, _, said = command(*run, "--space", "unlucky:FatalFit", "--space", "tiny:Tiny")
    assert code == 1
    assert said == "study: trial 0 of unlucky:FatalFit ended the study: FatalValueError: the disk is gone\n"
    assert states(home, "unlucky:FatalFit") == ["FAIL"]
    assert states(home, "tiny:Tiny") == []
