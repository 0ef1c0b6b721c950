"""A space is what its configurations build: one that builds others now is refused, and no other is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dependent
import keras
import keras_tuner
import numpy as np
import optuna
import pytest
import tiny
import unchanged
from helpers import Command, opened, study_table
from keras import layers, optimizers
from unchanged import Branched, Edited, Random

import study
from study.config import FINALS
from study.errors import Interrupted, SpaceChanged
from study.execution import trials
from study.execution.unchanged import Before
from study.records import FINGERPRINT, TrialRecord
from study.storage import results
from study.training.description import description, shorthand
from study.training.fit import built

RUN = ("--epochs", "2", "--seeds", "1", "--sampler", "random", "--pruner", "none", "--quiet")


def refused(command: Command, home: Path, *words: str) -> str:
    """The line of a command that is refused before it has trained anything."""
    before = study_table(home, "a")
    code, output, error = command(*words)
    assert (code, output) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith("study: the search space unchanged:")
    assert " is not the one that the study was started with (" in error
    assert "restore it or start another study" in error
    assert study_table(home, "a") == before
    return error


EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "units": ({"layer": (layers.Dense, {"units": 128, "activation": "relu"})},
              "(layer 1: Dense(units=128) was Dense(units=64)); nothing was changed"),
    "activation": ({"layer": (layers.Dense, {"units": 64, "activation": "tanh"})},
                   "(layer 1: Dense(activation=tanh) was Dense(activation=relu))"),
    "another class": ({"layer": (layers.Activation, {"activation": "relu"})},
                      "(layer 1: Activation(activation=relu) was Dense(units=64, activation=relu, "),
    "another layer": ({"more": (0.5,)}, "(layer 2: Dropout(rate=0.5) is new)"),
    "loss": ({"loss": "mse"}, "(loss: mse was sparse_categorical_crossentropy)"),
    "optimizer": ({"optimizer": optimizers.RMSprop}, "(optimizer: RMSprop(learning_rate=0.1, "),
    "optimizer's constant": ({"rate": 0.2}, "(optimizer: SGD(learning_rate=0.2) was SGD(learning_rate=0.1))"),
    "metric": ({"metrics": ("accuracy", "mse")}, "(metrics: [accuracy, mse] was [accuracy])"),
}  # fmt: skip


def test_an_edit_of_what_the_defaults_build_is_named(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--space", "unchanged:Edited", "--trials", "1", "--dataset", f"npz:{archive}", *RUN)
    assert command("run", "a", *words)[0] == 0
    for edit, (changes, words_of_it) in EDITS.items():
        with monkeypatch.context() as patch:
            for name, value in changes.items():
                patch.setattr(Edited, name, value)
            error = refused(command, home, "resume", "a", "--trials", "2", "--allow-drift", "--quiet")
            assert words_of_it in error, edit
    assert command("resume", "a", "--trials", "2", "--quiet")[0] == 0


def test_an_edit_in_a_branch_that_the_defaults_do_not_reach_is_found_by_the_best_trial(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--space", "unchanged:Branched", "--trials", "4", "--dataset", f"npz:{archive}", *RUN)
    assert command("run", "a", *words)[0] == 0
    number = study.load("a").best()["trial"]
    assert number > 0
    monkeypatch.setattr(Branched, "units", 9)
    error = refused(command, home, "resume", "a", "--trials", "6", "--seeds", "2", "--quiet")
    assert f"(trial {number}, layer 1: Dense(units=9, " in error
    assert "what is finished is kept" in error
    monkeypatch.setattr(Branched, "units", -1)
    assert f"(trial {number}, it cannot be built: ValueError: " in refused(command, home, "evaluate", "a", "--quiet")


def test_an_edit_is_found_in_a_trial_that_is_continued(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trial of the branch is complete: the one under way is the first."""
    words = ("--space", "unchanged:Branched", "--trials", "4", "--dataset", f"npz:{archive}", *RUN)
    assert command("run", "whole", *words)[0] == 0
    first = next(row[0] for row in study_table(home, "whole")["unchanged:Branched"] if row[3]["kind"] == "deep")
    report = optuna.Trial.report

    def interrupted(self: optuna.Trial, value: float, step: int) -> None:
        report(self, value, step)
        if self.number == first:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "report", interrupted)
        assert command("run", "a", *words)[0] == 130
    with monkeypatch.context() as patch:
        patch.setattr(Branched, "units", 9)
        assert f"(trial {first}, layer 1: Dense(units=9, " in refused(command, home, "resume", "a", "--quiet")
        assert f"(trial {first}, layer 1: " in refused(command, home, "resume", "a", "--quiet")  # nobody holds it
    assert command("resume", "a", "--quiet")[0] == 0
    assert study_table(home, "a") == study_table(home, "whole")


def test_an_edit_while_the_study_runs_is_found_by_the_finals(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.execution import workers

    words = ("--space", "unchanged:Branched", "--trials", "4", "--dataset", f"npz:{archive}", *RUN)
    work, sessions = workers.work, []

    def edited(session: Any) -> None:
        if sessions:
            monkeypatch.setattr(Branched, "units", 9)
        sessions.append(session)
        work(replace(session, task=replace(session.task, steps=replace(session.task.steps, finals=len(sessions) > 1))))

    monkeypatch.setattr(workers, "work", edited)
    assert command("run", "a", *words)[0] == 0
    code, _, error = command("evaluate", "a", "--quiet")
    assert code == 2
    assert ", layer 1: Dense(units=9, " in error
    assert [final.role for final in results.finals(opened(home, "a"))] == ["baseline"]  # it was trained before
    monkeypatch.setattr(Branched, "units", 8)
    monkeypatch.setattr(workers, "work", work)
    assert command("evaluate", "a", "--quiet")[0] == 0
    assert [final.role for final in results.finals(opened(home, "a"))] == ["baseline", "tuned"]
    assert len(opened(home, "a").part(FINALS).trials) == 2  # the one that was refused is made


@pytest.mark.parametrize("space", ["unchanged:Random", "described:Sub"])
def test_a_space_that_is_the_same_is_not_refused(command: Command, home: Path, archive: Path, space: str) -> None:
    """Nor one whose models are drawn at random, or are built by their fit."""
    words = ("--space", space, "--dataset", f"npz:{archive}", "--confirm", "2", *RUN, "--epochs", "1")
    assert command("run", "a", *words, "--trials", "2")[0] == 0
    keras.backend.clear_session()
    tiny.compiled(layers.Dense(3), layers.Dropout(0.1))  # Keras counts names on
    np.random.seed(1)
    code, output, error = command("resume", "a", "--trials", "3", "--seeds", "2")
    assert (code, error) == (0, ""), output
    assert command("evaluate", "a")[0] == 0


def test_a_study_of_before_is_continued_without_a_look(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--space", "unchanged:Edited", "--trials", "1", "--dataset", f"npz:{archive}", *RUN)
    with monkeypatch.context() as patch:
        patch.setattr(trials, "shorthand", lambda found: "")
        assert command("run", "a", *words)[0] == 0
    stored = opened(home, "a")
    for part in stored.definition.parts:
        old = {**stored.fingerprint, "details": {**stored.fingerprint["details"]}}
        del old["models"], old["details"]["models"]
        stored.part(part).set_user_attr(FINGERPRINT, old)
    monkeypatch.setattr(Edited, "rate", 0.2)
    code, _, error = command("resume", "a", "--trials", "2", "--quiet")
    assert (code, error) == (0, "")


def test_a_branch_is_compared_by_what_its_own_seed_builds() -> None:
    hp = keras_tuner.HyperParameters()
    hypermodel = Random()
    then = shorthand(description(built(hypermodel, hp, 3)))
    record = TrialRecord(
        values={"unused": 1}, epochs=1, best_epoch=1, parameters=1, seconds=1.0, history={}, seed=3, worker="",
        built=then,
    )  # fmt: skip
    before = Before("random", 0, hypermodel, record)
    models: list[Any] = []

    def fit(on_built: Any) -> keras.Model:
        models.append(built(hypermodel, keras_tuner.HyperParameters(), 4))
        on_built(models[-1])
        return models[-1]

    assert shorthand(description(built(hypermodel, hp, 4))) != then
    assert before.train(fit) is models[-1]
    with pytest.raises(SpaceChanged, match="trial 0, "):
        replace(before, hypermodel=unchanged.Edited()).train(fit)
    assert replace(before, record=None).train(fit) is models[-1]
    assert replace(before, hypermodel=dependent.Counter()).train(fit) is models[-1]  # it cannot be compared


def test_the_tuner_loads_no_weights_into_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(0).random((60, 6, 6, 1)), np.arange(60) % 3
    tuner = study.OptunaTuner(Edited(), "val_accuracy", max_trials=1, directory=tmp_path)
    tuner.search(x[:40], y[:40], validation_data=(x[40:], y[40:]), verbose=0)
    tuner.get_best_models()
    monkeypatch.setattr(Edited, "layer", (layers.Dense, {"units": 64, "activation": "tanh"}))  # the weights would fit
    with pytest.raises(SpaceChanged, match=r"trial 0, layer 1: Dense\(units=64, activation=tanh"):
        tuner.get_best_models()
