"""Nothing trained is thrown away: what cannot be kept beside a result costs the result nothing."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import spare
import tiny
from helpers import Command, opened

import study
from reports import collect
from reports.panels import best, gallery
from study.config import FINALS
from study.errors import StudyError
from study.records import MODEL, RECORD
from study.storage import claims, queries, results

RUN = ("--trials", "2", "--epochs", "1", "--seeds", "2", "--pruner", "none", "--quiet")
SMALLEST = (*RUN, "--trials", "1", "--seeds", "1")


def said(output: str, begins: str) -> str:
    """The one line that begins so."""
    (line,) = [line for line in output.splitlines() if line.startswith(begins)]
    return line


def test_a_model_that_cannot_be_serialised_is_tested_all_the_same(command: Command, home: Path, archive: Path) -> None:
    code, output, error = command("run", "a", "--space", "spare:Unserialisable", "--dataset", f"npz:{archive}", *RUN)
    assert (code, error) == (0, "")
    line = said(output, "the model of spare:Unserialisable ")
    assert "seed 0 cannot be kept (NotImplementedError: Object Doubled was created by passing" in line
    assert line.endswith("; the result itself is stored; this is said once")
    stored = opened(home, "a")
    finals = results.finals(stored)
    assert [final.seed_index for final in finals if final.role == "baseline"] == [0, 1]
    assert {(final.seed_index, *final.missing) for final in finals} == {(0, MODEL), (1,)}
    assert all((home / "a" / final.predictions).is_file() for final in finals)

    found = study.load("a")
    assert found.best()["model"] is None
    with pytest.raises(StudyError) as caught:
        found.best_model()
    assert "has no saved model of spare:Unserialisable: it could not be kept when it was tested (Not" in str(
        caught.value
    )
    assert "the command in the report ('study report a') trains it again" in str(caught.value)
    _, output, _ = command("best", "a")
    assert "model: -\nmodel missing: it could not be kept when it was tested (NotImplementedError" in output
    found = collect.read(stored)
    card, *_ = best.cards(found, found.spaces[0])
    assert "The model of the first of its finals could not be kept: NotImplementedError: Object Doubled" in card.caption


def test_folders_that_cannot_be_written_cost_no_final(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--space", "spare:Obstructed", "--dataset", f"npz:{archive}", *RUN)
    code, output, error = command("run", "a", *words)
    assert (code, error) == (0, "")
    for what in ("predictions", "model", "artifacts"):
        line = said(output, f"the {what} of spare:Obstructed ")
        assert "cannot be kept (" in line
    finals = results.finals(opened(home, "a"))
    assert len(finals) >= 2
    assert {name for final in finals for name in final.missing} == {"predictions", "model", "artifacts"}
    assert (home / "a" / "report.html").is_file()
    found = collect.read(opened(home, "a"))
    (card,) = gallery.cards(found, found.spaces[0])
    assert "the predictions of its finals are missing from the study's folder (" in card.caption
    assert command("resume", "a", "--quiet")[2].count("\n") == 1  # the obstacle is refused before anything begins
    for obstacle in (home / "artifacts", home / "a" / "models", home / "a" / "predictions"):
        obstacle.unlink()
    monkeypatch.setattr(spare.Obstructed, "fit", tiny.Tiny.fit)
    assert command("resume", "a", "--seeds", "3", "--quiet")[0] == 0
    assert {final.seed_index: set(final.missing) for final in results.finals(opened(home, "a"))}[2] == set()


def test_a_model_whose_file_is_gone_is_said_to_be(finished: Path) -> None:
    model = Path(study.load("a").best()["model"])
    assert study.load("a").best()["model_missing"] is None
    model.unlink()
    with pytest.raises(StudyError, match=f"no saved model of tiny:Tiny: the file {model} is gone; the command in the"):
        study.load("a").best_model()


def test_tensorboard_cannot_cost_a_trial(command: Command, home: Path, archive: Path) -> None:
    Path("logs").mkdir()
    Path("logs/a").write_text("a file, not a folder")
    words = ("--space", "tiny:Tiny", "--dataset", f"npz:{archive}", *RUN, "--seeds", "1", "--tensorboard", "logs")
    code, output, error = command("run", "a", *words)
    assert (code, error) == (0, "")
    assert "tiny-Tiny/trial-0 cannot be kept (" in said(output, "the TensorBoard log ")
    assert list(study.load("a").trials.state) == ["complete", "complete"]


@pytest.mark.parametrize("obstacle", ["weights", "folder"])
def test_weights_that_cannot_be_kept_cost_no_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    class Blocking(tiny.Tiny):
        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            shutil.rmtree(tmp_path / "untitled_project" / "models", ignore_errors=True)
            (tmp_path / "untitled_project").mkdir(exist_ok=True)
            (tmp_path / "untitled_project" / "models").write_text("a file")
            return super().fit(hp, model, *args, **kwargs)

    x, y = np.random.default_rng(0).random((60, 6, 6, 1)), np.arange(60) % 3
    space = spare.Unsaved() if obstacle == "weights" else Blocking()
    tuner = study.OptunaTuner(space, "val_accuracy", max_trials=2, pruner="none", directory=tmp_path)
    tuner.search(x[:40], y[:40], epochs=2, validation_data=(x[40:], y[40:]), verbose=0)
    assert list(tuner.study.trials.state) == ["complete", "complete"]
    line = said(capsys.readouterr().out, "the weights of ")
    why = "SystemExit: these weights are secret" if obstacle == "weights" else "File exists"
    assert f"trial 0 cannot be kept ({why})" in line or "Not a directory" in line
    with pytest.raises(StudyError, match=r"kept no weights \(.+\); train get_best_hyperparameters\(\) again"):
        tuner.get_best_models()
    assert len(tuner.get_best_hyperparameters(2)) == 2


def test_notes_cannot_cost_the_end_of_a_study(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise TypeError("another interface")

    monkeypatch.setattr("optuna_dashboard.save_note", refuse)
    code, output, error = command("run", "a", "--space", "tiny:Tiny", "--dataset", f"npz:{archive}", *SMALLEST)
    assert (code, error) == (0, "")
    assert "(TypeError: another interface)" in said(output, "the notes for optuna-dashboard cannot be written")
    assert said(output, "report: ")


def test_the_record_of_a_final_comes_before_its_files(
    command: Command, home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.execution import finals

    recorded: list[bool] = []

    def look(model: Any) -> Any:
        (running,) = claims_of_finals(home)
        recorded.append(RECORD in opened(home, "a").store.storage.get_trial(running.trial_id).user_attrs)
        raise MemoryError("too large to be copied")

    monkeypatch.setattr(finals, "published", look)
    code, output, _ = command("run", "a", "--space", "tiny:Tiny", "--dataset", f"npz:{archive}", *SMALLEST)
    assert code == 0
    assert recorded
    assert all(recorded)
    assert "(MemoryError: too large to be copied)" in said(output, "the model of ")


def claims_of_finals(home: Path) -> list[queries.Running]:
    stored = opened(home, "a")
    running = queries.under_way(stored.store, stored.definition.study_name(FINALS)).running
    assert all(claims.owner_in(each.owner) for each in running)
    return list(running)
