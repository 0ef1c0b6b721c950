"""Every construct of KerasTuner's guides draws what KerasTuner can draw; tests/studies trains them all."""

from pathlib import Path

import guides
import keras_tuner
import optuna
import pytest

from study.search.hyperparameters import TrialHyperParameters


@pytest.mark.parametrize("name", guides.SPACES)
def test_a_space_draws_what_kerastuner_can_draw(name: str) -> None:
    """The default values of what it declares, and random ones."""
    hypermodel, _ = guides.SPACES[name]
    theirs, ours = keras_tuner.HyperParameters(), TrialHyperParameters()
    for hp in (theirs, ours):
        guides.declare(hypermodel, hp)
    assert ours.values == theirs.values
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(3):
        hp = TrialHyperParameters(study.ask())
        guides.declare(hypermodel, hp)
        guides.check_values(hp.declared(), hp.values)


def test_what_a_space_returns_is_scored_as_kerastuner_scores_it(tmp_path: Path) -> None:
    for trial, record in guides.records(guides.searched(tmp_path, *guides.SPACES["returns metrics"])):
        assert trial.value == pytest.approx(record.history["val_loss"][-1] + record.values["penalty"])
    for trial, record in guides.records(guides.searched(tmp_path / "loop", *guides.SPACES["own loop"])):
        assert (trial.value, record.epochs) == (min(record.history["my_loss"]), 2)
