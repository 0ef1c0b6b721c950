"""`--watch`, without anything that trains."""

from pathlib import Path

import made
import pytest
from helpers import Command
from optuna.trial import TrialState, create_trial

from study.cli import watching


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.0)


def test_every_change_is_seen_until_nobody_trains(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "QUIET_SECONDS", 1.0)
    study = made.study(home, {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())]}, trials=5)
    seen = watching.changes([study])
    assert next(seen)[0]["spaces"][0]["finished"] == 1
    study.part("dense").add_trial(create_trial(value=0.6, state=TrialState.COMPLETE))
    assert next(seen)[0]["spaces"][0]["finished"] == 2
    assert list(seen) == []  # a change of the room on the disk is none


def test_a_watched_report_ends_as_any_other(command: Command, home: Path) -> None:
    study = made.study(home, {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())]})
    code, output, error = command("report", "made", "--watch")
    assert (code, error) == (0, "")
    page = study.folder / "report.html"
    began, ended = output.splitlines()
    assert began.startswith(f"open {page.relative_to(Path.cwd())}: it is rewritten while the study runs")
    assert ended == f"report: {page.relative_to(Path.cwd())}"
    assert "data-follow" not in page.read_text(encoding="utf-8")
    assert not list(study.folder.glob("*.js"))


def test_a_watched_status_says_how_far_it_is(command: Command, home: Path) -> None:
    made.study(home, {"dense": [(TrialState.COMPLETE, 0.5, made.trial_record())]}, trials=5)
    assert command("status", "made", "--watch") == command("status", "made")
