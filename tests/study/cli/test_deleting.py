"""`study delete`: what it asks, what it frees, and when it refuses."""

import io
from pathlib import Path

import made
import pytest
from helpers import Command, opened
from optuna.trial import TrialState
from refusals import refused

from study.integrations import artifacts
from study.storage.claims import Claims
from study.storage.store import StoredStudy
from study.system.processes import Process

COMPLETE = (TrialState.COMPLETE, 0.9, made.trial_record())


def with_files(stored: StoredStudy) -> Path:
    """A model in the study's folder, which is an artifact too; returns the artifact."""
    model = stored.folder / "models" / "dense-trial1.keras"
    model.parent.mkdir(parents=True)
    model.write_bytes(bytes(1_000_000))
    finals = stored.part("finals")
    trial = finals.ask()
    artifacts.upload(stored.store.home, stored.store.storage, finals.trials[trial.number], [model])
    finals.tell(trial, 0.9)
    (artifact,) = (stored.store.home / "artifacts").iterdir()
    return artifact


def test_a_deleted_study_leaves_nothing_and_others_stay(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made.study(home, {"dense": [COMPLETE] * 2}, name="other")
    stored = made.study(home, {"dense": [COMPLETE] * 300}, name="a")
    artifact, size = with_files(stored), (home / "study.db").stat().st_size
    stored.store.storage.engine.dispose()
    other.store.storage.engine.dispose()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, output, error = command("delete", "a")
    assert (code, error) == (2, "study: 'a' was not deleted; --yes deletes it without asking\n")
    assert output.startswith("Delete a (300 trials, 1 finals, 1.")
    assert artifact.exists()

    code, output, error = command("delete", "a", "--yes")
    assert (code, error) == (0, "")
    assert output.startswith("deleted a: 1.")
    assert not artifact.exists()
    assert not (home / "a").exists()
    assert (home / "study.db").stat().st_size < size / 2
    assert len(opened(home, "other").part("dense").trials) == 2
    assert "no study named 'a': it has other" in refused(command, "delete", "a", "--yes")


@pytest.mark.parametrize("part", ["dense", "confirmation", "finals"])
def test_a_study_is_not_deleted_while_it_runs(command: Command, home: Path, part: str) -> None:
    stored = made.study(home, {"dense": [COMPLETE]})
    running = stored.part(part).ask()
    claims = Claims(stored.store, stored.definition.study_name(part), Process.current())
    claims.mark(running._trial_id)
    assert refused(command, "delete", "made", "--yes").startswith("study: 'made' is running; stop it first")
    assert opened(home, "made").part("dense").trials
    claims.hand_back()
    assert command("delete", "made", "--yes")[0] == 0


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(command: Command, home: Path) -> None:
    stored = made.study(home, {"dense": [COMPLETE]})
    artifact = with_files(stored)
    artifact.unlink()  # the first of what is deleted
    assert command("delete", "made", "--yes")[0] == 0
    assert command("status")[1].startswith("there is no study yet")
