"""What a supervisor makes of the end of its workers."""

import io
import multiprocessing
import os
from pathlib import Path
from typing import Any

import made
import pytest
from rich.console import Console

from study.config import FINALS
from study.execution import giving_up
from study.execution import supervisor as supervising
from study.execution.supervisor import Supervisor
from study.execution.task import Role, Task
from study.storage import claims, results
from study.system.processes import Process
from study.system.progress import LineDisplay


class Given:
    """A study with a trial and a final under way, both of a worker that is dead."""

    def __init__(self, folder: Path, dead: Process, deaths: int) -> None:
        self.study = made.study(folder, {"dense": []})
        self.shown = io.StringIO()
        task = Task(self.study.store.address, self.study.definition, self.study.resources)
        display = LineDisplay(Console(file=self.shown))
        self.supervisor = Supervisor(task, Role(), display, lambda began: None)
        owner = claims.Owner(claims.host(), "", dead, Process.current(), 0.0).to_json()
        for part in self.study.definition.parts:
            trial = self.study.part(part).ask()
            trial.report(0.5, 1)
            trial.set_user_attr(claims.OWNER, owner | {"deaths": ["killed by SIGSEGV"] * deaths})
        context: Any = multiprocessing.get_context("spawn")
        pipe = context.Pipe()[0]
        self.worker = supervising._Worker(0, context.Process(), pipe, dead, True, folder / "scratch", is_ready=True)

    def states(self) -> list[str]:
        """Of the trial and of the final."""
        return [self.study.load(part).get_trials()[0].state.name for part in ("dense", FINALS)]


def test_the_first_deaths_let_others_take_up_the_trial(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=1)
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["RUNNING", "RUNNING"]
    others = claims.Claims(given.study.store, given.study.definition.study_name("dense"), Process.current())
    assert [trial.number for trial in others.free_of(others.under_way().running)] == [0]
    assert given.shown.getvalue() == ""


def test_the_third_death_gives_up_trial_and_final(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=2)
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["FAIL", "FAIL"]
    kept = results.record(results.trials(given.study, "dense")[0])
    assert kept is not None
    assert kept.error == "3 workers died in it: killed by SIGSEGV, killed by SIGSEGV, killed by SIGKILL"
    assert kept.seed == given.study.definition.seed_for("dense", "trial", 0)
    (failed,) = results.failures(given.study, FINALS)
    assert failed.user_attrs["error"] == f"finals 0: {kept.error}"
    assert results.progress(given.study)["spaces"][0]["last_error"] == kept.error


def test_a_worker_that_had_not_begun_holds_nothing(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=2)
    given.worker.is_ready = False
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["RUNNING", "RUNNING"]


def test_a_checkpoint_that_cannot_be_deleted_is_said(
    tmp_path: Path, dead: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be in an object store: what that raises is an error of a file."""
    given = Given(tmp_path, dead, deaths=2)

    def refuse(file: Path) -> None:
        raise OSError(5, "the store is away")

    monkeypatch.setattr(giving_up, "remove", refuse)
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["FAIL", "FAIL"]
    assert "dense-0.npz cannot be deleted (the store is away)" in given.shown.getvalue().replace("\n", "")


@pytest.mark.parametrize(
    "exit_code, said", [(-9, "killed by SIGKILL"), (-11, "killed by SIGSEGV"), (3, "ended by exit code 3")]
)
def test_how_a_worker_ended(exit_code: int, said: str) -> None:
    assert supervising._how(exit_code) == said


def test_each_worker_has_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with supervising._share_of_machine(1, 0):
        assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    with supervising._share_of_machine(3, 0):
        assert os.environ["TF_NUM_INTRAOP_THREADS"] == "2"
        assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ


def test_each_worker_has_a_gpu_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    seen = []
    for index in range(3):
        with supervising._share_of_machine(3, index):
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert seen == ["2", "5", "2"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    with supervising._share_of_machine(1, 0):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"  # one worker has what there is
