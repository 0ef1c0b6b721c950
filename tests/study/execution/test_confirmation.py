"""The best trials are trained again before one of them wins."""

import signal
from pathlib import Path

import numpy as np
import pytest
from helpers import Command, opened, start, wait_for_line

from study.config import CONFIRMATION_SEEDS
from study.records import ConfirmationRecord
from study.storage import results, selection

RUN = ("--space", "tiny:Tiny", "--trials", "4", "--epochs", "3", "--seeds", "1", "--pruner", "none", "--seed", "4")
"""Tuning finds something better than the baseline."""


def runs_of(home: Path, name: str) -> list[ConfirmationRecord]:
    return results.confirmations(opened(home, name))


def without_times(runs: list[ConfirmationRecord]) -> list[dict[str, object]]:
    return sorted(
        ({**run.to_json(), "seconds": 0, "worker": ""} for run in runs), key=lambda run: (run["trial"], run["seed"])
    )


def test_the_best_trials_and_the_baseline_are_trained_again(command: Command, home: Path, archive: Path) -> None:
    code, output, error = command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--confirm", "2")
    assert (code, error) == (0, "")
    study = opened(home, "a")
    ranked = selection.ranked(results.trials(study, "tiny:Tiny"), study.definition.objective)
    expected = {0, *[trial.number for trial in ranked[:2]]}
    runs = runs_of(home, "a")
    assert {run.trial for run in runs} == expected
    assert len(runs) == len(expected) * CONFIRMATION_SEEDS
    seeds = {run.seed_index: run.seed for run in runs}
    assert all(run.seed == seeds[run.seed_index] for run in runs)  # paired
    trained = [results.record(trial) for trial in results.trials(study, "tiny:Tiny")]
    assert not set(seeds.values()) & {record.seed for record in trained if record}  # nothing was chosen by these seeds
    for run in runs:
        record = trained[run.trial]
        assert record is not None
        # The baseline is judged after its published epochs, the others after any of those that their trial had.
        assert run.epochs == (2 if run.trial == 0 else 3)
        assert run.curve == run.history["val_accuracy"][-1 if run.trial == 0 else 0 :]
    finals = results.finals(study)
    winner = selection.of(study).winners["tiny:Tiny"]
    assert {final.trial for final in finals} == {0, winner.number}
    assert {final.epochs for final in finals if final.trial} == {winner.best_epoch}
    assert output.count("confirmation  tiny:Tiny") == len(runs)
    assert command("status", "a")[1].endswith(f"confirmation: {len(runs)} runs done\n  finals: {len(finals)} done\n")


def test_without_confirmation_the_best_trial_wins(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--confirm", "0")[0] == 0
    assert runs_of(home, "a") == []
    study = opened(home, "a")
    best = selection.ranked(results.trials(study, "tiny:Tiny"), study.definition.objective)[0]
    assert selection.of(study).winners["tiny:Tiny"].number == best.number


def test_a_longer_search_confirms_what_is_new(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--confirm", "2")
    before = runs_of(home, "a")
    assert command("resume", "a", "--trials", "8")[0] == 0
    after = runs_of(home, "a")
    assert after[: len(before)] == before
    study = opened(home, "a")
    best = selection.ranked(results.trials(study, "tiny:Tiny"), study.definition.objective)[0]
    assert {0, best.number} <= {run.trial for run in after}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_confirmation_that_was_killed_continues_as_if_it_was_not(
    home: Path, command: Command, archive: Path, workers: str
) -> None:
    words = ("--dataset", f"npz:{archive}", *RUN, "--confirm", "3", "--workers", workers)
    process = start(home, "run", "whole", *words)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    process = start(home, "run", "killed", *words)
    wait_for_line(process, "confirmation  tiny:Tiny", 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert 0 < len(runs_of(home, "killed")) < len(runs_of(home, "whole"))
    assert command("resume", "killed", "--workers", workers)[0] == 0
    whole, killed = (without_times(runs_of(home, name)) for name in ("whole", "killed"))
    assert whole == killed


def test_the_kept_model_is_the_first_seed_of_each_finalist(command: Command, home: Path, archive: Path) -> None:
    import keras

    from study.paths import model_file

    command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--seeds", "3")
    with np.load(archive) as arrays:
        for final in results.finals(opened(home, "a")):
            if final.seed_index:
                continue
            model = keras.saving.load_model(home / "a" / model_file(final.space, final.trial))
            predicted = model.predict(arrays["x_test"] / 255.0, verbose=0).argmax(axis=1)
            assert (predicted == arrays["y_test"]).mean() == pytest.approx(final.accuracy)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--confirm", "-1"), "--confirm must be at least 0; it was given -1"),
        (("--confirm", "5"), "--confirm is at most the number of trials, 4; it was given 5"),
        (("--margin", "-1"), "--margin must lie in 0 to 100 percentage points; it was given -1"),
        (("--margin", "nan"), "--margin is a number; it was given nan"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_in_a_line(
    command: Command, home: Path, words: tuple[str, ...], line: str
) -> None:
    code, output, error = command("run", "a", *RUN, *words)
    assert (code, output) == (2, "")
    assert line in error
    assert error.count("\n") == 1
    assert not home.exists()
