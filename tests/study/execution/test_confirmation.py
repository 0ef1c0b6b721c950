"""The best trials are trained again before one of them wins."""

from pathlib import Path

import numpy as np
import pytest
from helpers import Command, opened

from study.config import CONFIRMATION_SEEDS
from study.records import ConfirmationRecord
from study.storage import results, selection

RUN = ("--space", "tiny:Tiny", "--trials", "4", "--epochs", "3", "--seeds", "1", "--pruner", "none", "--seed", "4")
"""Tuning finds something better than the baseline."""


def runs_of(home: Path, name: str) -> list[ConfirmationRecord]:
    return results.confirmations(opened(home, name))


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

    assert command("resume", "a", "--trials", "6")[0] == 0  # a longer search confirms what is new
    after = runs_of(home, "a")
    assert after[: len(runs)] == runs
    study = opened(home, "a")
    best = selection.ranked(results.trials(study, "tiny:Tiny"), study.definition.objective)[0]
    assert {0, best.number} <= {run.trial for run in after}


def test_without_confirmation_the_best_trial_wins(command: Command, home: Path, archive: Path) -> None:
    assert command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--trials", "3", "--confirm", "0")[0] == 0
    assert runs_of(home, "a") == []
    study = opened(home, "a")
    best = selection.ranked(results.trials(study, "tiny:Tiny"), study.definition.objective)[0]
    assert selection.of(study).winners["tiny:Tiny"].number == best.number


def test_the_kept_model_is_the_first_seed_of_each_finalist(command: Command, home: Path, archive: Path) -> None:
    import keras

    from study.paths import model_file

    command("run", "a", "--dataset", f"npz:{archive}", *RUN, "--trials", "3", "--seeds", "2")
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
