"""The search and its loop, with real processes and a real SQLite file."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import made
import numpy as np
import optuna
import pytest
import tiny
from helpers import Command, opened, stored_definition, study_table, trained
from optuna.trial import TrialState
from rich.console import Console
from sqlalchemy import event

import study
from study.errors import Interrupted
from study.execution import judgement, search
from study.execution.growth import Growth
from study.execution.loop import Job
from study.execution.pause import Pause
from study.execution.search import SpaceSearch
from study.execution.session import Session
from study.execution.task import Role, Task
from study.execution.trials import TrialAttempt
from study.storage import results, selection
from study.storage.claims import Claims
from study.system import machine
from study.system.processes import Process
from study.system.progress import LineDisplay
from study.system.signals import Interruption

SEARCH = ("--space", "tiny:Tiny", "--trials", "4", "--epochs", "3", "--seeds", "1")
TWO = ("--space", "tiny:TinyOther", *SEARCH)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study `a` of two spaces, beside its data."""
    return trained(tmp_path_factory.mktemp("whole"), *TWO)


@pytest.fixture
def searched(home: Path, whole: Path) -> Path:
    """A copy of that home."""
    shutil.copytree(whole, home)
    return home


def test_the_same_study_twice_gives_the_same_table(command: Command, home: Path, archive: Path, whole: Path) -> None:
    """Whether another space is searched before it or not."""
    assert command("run", "a", "--dataset", f"npz:{archive}", *SEARCH)[0] == 0
    table = study_table(whole, "a")
    assert study_table(home, "a") == {"tiny:Tiny": table["tiny:Tiny"]}
    assert [len(rows) for rows in table.values()] == [4, 4]


def test_the_baseline_is_trial_0(whole: Path) -> None:
    rows = study_table(whole, "a")["tiny:Tiny"]
    assert rows[0][5] == {"kind": "plain", "dropout": 0.1, "rate": 0.1, "batch_size": 32}
    assert [row[0] for row in rows] == [0, 1, 2, 3]


def test_the_record_of_a_trial(whole: Path) -> None:
    study = opened(whole, "a")
    for trial in results.trials(study, "tiny:Tiny"):
        kept = results.record(trial)
        assert kept is not None
        assert len(kept.history["val_accuracy"]) == kept.epochs == len(trial.intermediate_values)
        assert list(trial.intermediate_values.values()) == kept.history["val_accuracy"]
        if trial.state == optuna.trial.TrialState.COMPLETE:
            assert kept.best_epoch is not None
            assert (
                trial.value
                == kept.history["val_accuracy"][kept.best_epoch - 1]
                == max(value for value in kept.history["val_accuracy"] if value is not None)
            )
        assert kept.seed == study.definition.seed_for("tiny:Tiny", "trial", trial.number)
        assert kept.parameters
        assert kept.seconds > 0
        if kept.values["kind"] == "deep":
            assert trial.params["units[kind=deep]"] == kept.values["units"]
    table = results.table(study)
    assert len(table) == 8
    assert {"space", "number", "state", "value", "hp.rate", "hp.units"} <= set(table.columns)


def test_two_thirds_of_the_trials_end_after_their_first_epoch(command: Command, home: Path, archive: Path) -> None:
    """Judged by all before them; tests/studies has them trained by others."""
    words = ("--space", "tiny:Tiny", "--trials", "6", "--epochs", "2", "--seeds", "1", "--sampler", "random")
    assert command("run", "a", "--dataset", f"npz:{archive}", *words)[0] == 0
    trials = results.trials(opened(home, "a"), "tiny:Tiny")
    values = [trial.intermediate_values[1] for trial in trials]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in trials:
        better = sum(value > values[trial.number] for value in values[: trial.number])
        is_ended = trial.number > 0 and better >= max(1, (trial.number + 1) // 3)
        kept = results.record(trial)
        assert kept is not None
        assert (trial.state, kept.epochs) == ((TrialState.PRUNED, 1) if is_ended else (TrialState.COMPLETE, 2))


def test_the_test_images_influence_nothing_before_the_finals(
    command: Command, home: Path, tmp_path: Path, whole: Path
) -> None:
    rng = np.random.default_rng(1)
    poison = rng.integers(0, 256, (45, 6, 6, 1)).astype(np.uint8)
    poisoned = tiny.write_archive(tmp_path / "poisoned.npz", x_test=poison, y_test=rng.integers(0, 3, 45))
    assert command("run", "a", "--dataset", f"npz:{poisoned}", *SEARCH)[0] == 0
    assert study_table(home, "a")["tiny:Tiny"] == study_table(whole, "a")["tiny:Tiny"]
    best = [selection.best(opened(each, "a"), "tiny:Tiny") for each in (whole, home)]
    assert best[0]["trial"] == best[1]["trial"]
    assert best[0]["test_accuracy"] > 0.7 > best[1]["test_accuracy"]


def test_a_failing_configuration_is_a_result(command: Command, home: Path, archive: Path) -> None:
    code, output, _ = command(
        "run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Failing", "--trials", "8", "--epochs", "1",
        "--seeds", "1", "--sampler", "random",
    )  # fmt: skip
    assert code == 0
    states = [row[1] for row in study_table(home, "a")["tiny:Failing"]]
    assert len(states) == 8
    assert {"FAIL", "COMPLETE"} == set(states)
    assert "failed    RuntimeError: out of luck" in output
    assert "RuntimeError: out of luck" in command("status", "a")[1]


def test_a_diverged_trial_fails_with_its_reason(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Diverging", "--trials", "1", "--epochs", "2")
    assert study_table(home, "a")["tiny:Diverging"][0][1] == "FAIL"
    assert "Diverged: loss is" in command("status", "a")[1]


def test_a_space_that_does_not_report_the_objective(command: Command, archive: Path) -> None:
    code, _, error = command("run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:NoMetric")
    assert code == 2
    assert "report no val_accuracy (they report loss, val_loss)" in error
    assert "metrics=['accuracy']" in error


def test_an_objective_that_is_minimised(command: Command, home: Path, archive: Path) -> None:
    words = ("--dataset", f"npz:{archive}", "--objective", "val_loss", *SEARCH, "--epochs", "1")
    assert command("run", "a", *words)[0] == 0
    rows = study_table(home, "a")["tiny:Tiny"]
    complete = {row[2]: row[0] for row in rows if row[1] == "COMPLETE"}
    study = opened(home, "a")
    assert selection.best(study, None)["trial"] == complete[min(complete)]


def test_a_timeout_begins_no_trial_and_a_resume_continues(command: Command, home: Path, archive: Path) -> None:
    code, output, _ = command("run", "a", "--dataset", f"npz:{archive}", *SEARCH, "--timeout", "1s")
    assert code == 0
    rows = [row for row in study_table(home, "a")["tiny:Tiny"] if row[1] != "RUNNING"]
    assert len(rows) < 4
    assert "time limit reached after" in output
    assert command("resume", "a", "--timeout", "1h")[0] == 0
    assert study_table(home, "a")["tiny:Tiny"][: len(rows)] == rows
    assert len(study_table(home, "a")["tiny:Tiny"]) == 4


def test_what_is_under_way_at_the_timeout_continues_at_a_resume(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.Slow, "seconds", 0.3)
    long = ("--space", "tiny:Slow", "--epochs", "5", "--trials", "1", "--seeds", "1", "--dataset", f"npz:{archive}")
    assert command("run", "whole", *long)[0] == 0
    code, output, _ = command("run", "a", *long, "--timeout", "1s")
    assert code == 0
    (row,) = study_table(home, "a")["tiny:Slow"]
    assert row[1] == "RUNNING"
    reported = len(row[4])
    assert 1 <= reported < 5
    assert f"trial 0 paused after epoch {reported}; resume continues it" in output
    assert "1 interrupted" in command("status", "a")[1]
    code, output, _ = command("resume", "a", "--timeout", "1h")
    assert code == 0
    assert study_table(home, "a") == study_table(home, "whole")
    assert not list((home / "a" / "checkpoints").glob("*"))


def test_a_fit_that_cannot_be_saved_is_not_begun_for_nothing(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.Slow, "seconds", 0.3)
    words = ("--space", "tiny:SlowInStages", "--epochs", "5", "--trials", "3", "--seeds", "1", "--timeout", "1s")
    assert command("run", "a", *words, "--dataset", f"npz:{archive}")[0] == 0
    (row,) = study_table(home, "a")["tiny:SlowInStages"]
    assert row[1] == "COMPLETE", command("status", "a")[1]


def test_mixed_precision_is_an_option(command: Command, home: Path, archive: Path) -> None:
    words = ("--space", "dense", "--trials", "1", "--epochs", "1", "--seeds", "1", "--dataset", f"npz:{archive}")
    try:
        assert command("run", "a", *words, "--precision", "mixed_bfloat16")[0] == 0
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert command("run", "b", *words)[0] == 0
        assert keras.config.dtype_policy().name == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    model = keras.saving.load_model(home / "a" / "models" / "dense-trial0.keras")
    assert [layer.compute_dtype for layer in model.layers if layer.weights] == ["bfloat16", "float32"]
    with np.load(archive) as arrays:
        predicted = model.predict(arrays["x_test"].astype("float32") / 255, verbose=0)
        accuracy = np.mean(predicted.argmax(axis=1) == arrays["y_test"])
    assert accuracy == pytest.approx(study.load("a", home=home).finals.test_accuracy[0])
    loss = {name: study_table(home, name)["dense"][0][4] for name in ("a", "b")}
    assert loss["a"].keys() == loss["b"].keys()


def test_where_a_processor_computes_in_bfloat16_a_run_says_so_once(
    command: Command, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "computes_bfloat16", lambda: True)
    words = ("--trials", "1", "--epochs", "1", "--seeds", "1", "--confirm", "0", "--dataset", f"npz:{archive}")
    code, output, _ = command("run", "a", *words, "--space", "cnn", "--space", "dense")
    assert (code, output.count("--precision mixed_bfloat16")) == (0, 1), output
    assert "networks of convolutions (cnn)" in " ".join(output.split())
    code, output, error = command("resume", "a")
    assert (code, output.count("--precision")) == (0, 0), output + error


@pytest.mark.parametrize("sampler", ["qmc", "kt-grid"])  # others: test_pruners, test_oracles
def test_a_search_that_is_continued_is_as_one_in_one_go(
    command: Command, home: Path, archive: Path, sampler: str
) -> None:
    words = (
        "--dataset",
        f"npz:{archive}",
        "--space",
        "tiny:Tiny",
        "--epochs",
        "1",
        "--seeds",
        "1",
        "--sampler",
        sampler,
    )
    assert command("run", "a", *words, "--trials", "4")[0] == 0
    assert command("run", "b", *words, "--trials", "2")[0] == 0
    assert command("resume", "b", "--trials", "4")[0] == 0
    whole = study_table(home, "a")
    assert study_table(home, "b") == whole
    assert len({str(row[5]) for row in whole["tiny:Tiny"]}) == 4


def test_a_resume_may_ask_for_more(command: Command, searched: Path) -> None:
    before = study_table(searched, "a")
    assert command("resume", "a", "--trials", "5", "--seeds", "2")[0] == 0
    after = study_table(searched, "a")
    assert [len(rows) for rows in after.values()] == [5, 5]
    assert {space: rows[:4] for space, rows in after.items()} == before
    assert stored_definition(searched, "a").trials == 5
    code, _, error = command("resume", "a", "--trials", "3")
    assert code == 2
    assert "may only grow; a has 5, it was given 3" in error


def test_a_resume_with_other_data_or_another_space_is_refused(
    home: Path, command: Command, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", *SEARCH, "--trials", "1", "--epochs", "1")
    with monkeypatch.context() as patch:
        patch.setattr(tiny.Tiny, "build", tiny.TinyOther.build)
        code, _, error = command("resume", "a")
    assert (code, "the search space tiny:Tiny is not the one" in error) == (2, True)
    tiny.write_archive(archive, seed=1)
    code, _, error = command("resume", "a")
    assert (code, "the data are not those" in error) == (2, True)


def test_a_search_does_not_end_while_a_trial_is_left_behind(
    command: Command, searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner died after this process had seen to its space."""
    study = opened(searched, "a")
    plain, left = SpaceSearch.attempt, []

    def attempt(self: SpaceSearch, job: Job[bool]) -> TrialAttempt:
        if self.part == "tiny:Tiny" and not left:
            left.append(study.part("tiny:TinyOther").ask())
        return plain(self, job)

    monkeypatch.setattr(SpaceSearch, "attempt", attempt)
    assert command("resume", "a", "--trials", "5")[0] == 0
    assert len(left) == 1
    states = {row[1] for rows in study_table(searched, "a").values() for row in rows}
    assert "RUNNING" not in states


def test_a_trial_that_waits_for_nobodys_is_left_for_it(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes the place of the process that trained the earlier one."""
    words = ("--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--epochs", "3", "--seeds", "1")
    command("run", "a", *words, "--trials", "1")
    study = opened(home, "a")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    claims = Claims(study.store, "a/tiny:Tiny", Process.of(process.pid))
    claims._me = Process.of(process.pid)
    claims.mark(study.part("tiny:Tiny").ask()._trial_id)
    wait, waited = Session.wait, []

    def kill(self: Session, pause: Pause) -> None:
        waited.append(results.trials(study, "tiny:Tiny")[2].intermediate_values)
        process.communicate()
        wait(self, pause)

    monkeypatch.setattr(search, "lag_for", lambda workers: 8)
    monkeypatch.setattr(judgement, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(Session, "wait", kill)
    code, output, _ = command("resume", "a", "--trials", "4")
    assert code == 0
    assert list(waited[0]) == [1]
    ended = [line.split()[2] for line in output.splitlines() if line.startswith("tiny:Tiny  trial")]
    assert ended == ["1", "2", "3"]
    assert "RUNNING" not in {row[1] for row in study_table(home, "a")["tiny:Tiny"]}


def test_a_resume_does_not_take_back_a_budget_that_another_raised(
    command: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Session.exclusively

    def exclusively(self: Session, action: Callable[[], Any], *meanwhile: Callable[[], None]) -> Any:
        study = opened(finished, "a")
        if study.definition.trials < 4:  # in between, somebody else resumes with a larger budget
            study.definition = study.definition.grown(trials=4)
            study.save()
        return plain(self, action, *meanwhile)

    monkeypatch.setattr(Session, "exclusively", exclusively)
    assert command("resume", "a", "--trials", "3")[0] == 0
    assert stored_definition(finished, "a").trials == 4


def test_every_epoch_that_was_trained_is_reported(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may cost the last commits of the database and leave a checkpoint that is further on."""
    words = ("--dataset", f"npz:{archive}", *SEARCH, "--pruner", "none", "--trials", "1", "--epochs", "6")
    command("run", "whole", *words)
    report, interrupt = optuna.Trial.report, []

    def lost(self: optuna.Trial, value: float, step: int) -> None:
        interrupt.append(step)
        if step == 1:
            report(self, value, step)
        if step == 4:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "report", lost)
        command("run", "a", *words)
    assert interrupt == [1, 2, 3, 4]
    assert optuna.Trial.report is report
    assert command("resume", "a")[0] == 0
    assert study_table(home, "a") == study_table(home, "whole")


@pytest.mark.parametrize("looks", range(1, 4))
def test_a_trial_that_ends_while_the_budget_is_counted_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """Another process tells the study its trial whenever it likes: after any look of this one at the trials."""
    stored = made.study(tmp_path, {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())] * 2}, trials=3)
    study = stored.part("dense")
    others = [study.ask()]
    display = LineDisplay(Console(quiet=True))
    session = Session(
        task=Task(stored.store.address, stored.definition, stored.resources), role=Role(), study=stored, dataset=None,
        examples=None, hypermodels={"dense": keras_tuner.HyperModel()}, declared={"dense": None}, display=display,
        interruption=Interruption(display.warn, None), began=0.0, growth=Growth(None),
    )  # fmt: skip
    searched = SpaceSearch(session, "dense")
    monkeypatch.setattr(Claims, "free_of", lambda self, running: [])
    seen = []
    engine = stored.store.storage.engine

    def tell(*_: object) -> None:
        seen.append(1)
        if others and len(seen) >= looks:
            study.tell(others.pop(), 0.5)

    event.listen(engine, "after_cursor_execute", tell)
    assert searched.claim() is None
    event.remove(engine, "after_cursor_execute", tell)
    assert len(study.get_trials()) == 3
