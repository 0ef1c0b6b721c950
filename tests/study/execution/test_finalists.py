"""A configuration is trained again as its trial trained it."""

from pathlib import Path

import keras
import pytest
import staged
import tiny
from helpers import Command, opened
from made import trial_record

from study.execution.finalists import Configuration
from study.records import TUNED
from study.storage import results, selection

STAGED = ("--space", "staged:Staged", "--trials", "2", "--epochs", "2", "--seeds", "1", "--pruner", "none")


@pytest.mark.parametrize("space", ["Staged", "Stopping"])  # for a plain `fit` see test_confirmation
def test_a_final_ends_where_its_trial_was_best(command: Command, home: Path, archive: Path, space: str) -> None:
    words = ("run", "a", "--dataset", f"npz:{archive}", *STAGED, "--confirm", "2")
    code, _, error = command(*(word.replace("Staged", space) for word in words))
    assert (code, error) == (0, "")
    study = opened(home, "a")
    candidates = {each.number: each for each in selection.of(study).candidates[f"staged:{space}"]}
    runs, finals = results.confirmations(study), results.finals(study)
    assert len(runs) == 2 * len(candidates)
    for run in runs:
        # Its trial was asked for 2 epochs, of which the first stage had 1 more.
        assert run.epochs == (3 if space == "Staged" else run.epochs)
        assert len(run.curve) == (2 if space == "Staged" else run.epochs)  # the last stage counts
    for final in finals:
        best = candidates[final.trial].best_epoch
        assert best is not None
        # A final may stop earlier by itself, by validation images that it trains on; never later.
        assert final.epochs == best or (space == "Stopping" and final.epochs < best)


@pytest.mark.parametrize("space", ["Staged", "Stopping"])
def test_trained_again_with_its_own_seed_a_trial_repeats_itself(tmp_path: Path, space: str) -> None:
    from study.search.hyperparameters import TrialHyperParameters
    from study.training.epochs import EpochLog
    from study.training.fit import Training, fit

    data, hypermodel = tiny.small_images(tmp_path, 90), getattr(staged, space)()

    def trained(stop_after: int | None) -> tuple[keras.Model, EpochLog]:
        log = EpochLog()
        training = Training(hypermodel, TrialHyperParameters(), tiny.examples(data), 4, 7, stop_after=stop_after)
        return fit(training, log), log

    _, whole = trained(None)
    for stop_after in (whole.epochs - 2, whole.epochs - 1):
        _, again = trained(stop_after)
        assert again.epochs == stop_after
        for name, values in again.history.items():
            assert values == whole.history[name][:stop_after]


def test_what_was_never_trained_is_never_tested(command: Command, home: Path, archive: Path) -> None:
    words = ("--dataset", f"npz:{archive}", "--space", "staged:Folds", "--trials", "2", "--epochs", "2")
    code, _, error = command("run", "a", *words)
    assert code == 2
    assert "does not train the model that build" in error
    assert error.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*does not use its callbacks")
def test_what_is_trained_after_its_folds_is_tested(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "staged:TrainedAfterFolds", "--trials", "1", "--epochs", "2", "--seeds", "2")
    assert command("run", "a", "--dataset", f"npz:{archive}", *words)[0] == 0
    assert min(final.accuracy for final in results.finals(opened(home, "a"))) > 0.5


def test_a_fit_that_reads_validation_works_in_finals(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "staged:ReadsValidation", "--trials", "1", "--epochs", "1", "--seeds", "1")
    code, output, error = command("run", "a", "--dataset", f"npz:{archive}", *words)
    assert (code, error) == (0, "")
    assert "finals of staged:ReadsValidation watch validation images that they also train on" in output
    assert all("val_loss" in final.history for final in results.finals(opened(home, "a")))


@pytest.mark.parametrize("stop_after, seconds", [(4, 8.0), (None, 16.0)])
def test_how_long_a_training_takes_is_expected_of_its_trial(stop_after: int | None, seconds: float) -> None:
    """Which took 10 seconds for 5 epochs."""
    record = trial_record(seconds=10.0, epochs=5)
    configuration = Configuration("dense", TUNED, 1, 8, stop_after=stop_after, is_published=False, record=record)
    assert configuration.seconds == pytest.approx(seconds)
