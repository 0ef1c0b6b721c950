"""What a supervisor makes of the end of its workers."""

import io
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import made
import psutil
import pytest
from rich.console import Console

from study import claims, results, workers
from study import storage as storage_room
from study.claims import Process
from study.errors import StudyError
from study.progress import Display
from study.session import Task


@pytest.fixture
def dead() -> Process:
    process = subprocess.Popen([sys.executable, "-c", ""])
    found = Process.of(process.pid)
    process.wait()
    return found


class Given:
    """A study with a trial and a final under way, both of a worker that is dead."""

    def __init__(self, folder: Path, dead: Process, deaths: int) -> None:
        self.storage, self.config = made.study(folder, {"dense": []})
        self.shown = io.StringIO()
        task = Task(self.config, folder, f"sqlite:///{folder}/made.db")
        self.supervisor = workers._Supervisor(task, Display(Console(file=self.shown)))
        owner = claims.Owner(claims.host(), "", dead, Process.current(), 0.0).to_json()
        for name in self.config.study_names:
            study = storage_room.load(self.storage, name)
            trial = study.ask()
            trial.report(0.5, 1)
            trial.set_user_attr(claims.OWNER, owner | {"deaths": ["killed by SIGSEGV"] * deaths})
        context: Any = multiprocessing.get_context("spawn")
        self.worker = workers._Worker(0, context.Process(), context.Pipe()[0], dead, first=True, began_work=True)

    def states(self) -> list[str]:
        """Of the trial and of the final."""
        return [storage_room.load(self.storage, name).get_trials()[0].state.name for name in self.config.study_names]


def test_the_first_deaths_let_others_take_up_the_trial(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=1)
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["RUNNING", "RUNNING"]
    study = storage_room.load(given.storage, given.config.study_name("dense"))
    assert [trial.number for trial in claims.Claims(study, Process.current()).free()] == [0]
    assert given.shown.getvalue() == ""


def test_the_third_death_gives_up_trial_and_final(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=2)
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["FAIL", "FAIL"]
    trial = results.trials(given.storage, given.config, "dense")[0]
    kept = results.record(trial)
    assert kept is not None
    assert kept.error == "3 workers died in it: killed by SIGSEGV, killed by SIGSEGV, killed by SIGKILL"
    assert kept.seed == given.config.seed_for("dense", "trial", 0)
    (failed,) = results.failed_finals(given.storage, given.config, since=0.0)
    assert failed.user_attrs["error"] == f"final 0: {kept.error}"
    assert results.progress(given.storage, given.config)["spaces"][0]["last_error"] == kept.error


def test_a_worker_that_had_not_begun_holds_nothing(tmp_path: Path, dead: Process) -> None:
    given = Given(tmp_path, dead, deaths=2)
    given.worker.began_work = False
    given.supervisor._release(given.worker, "killed by SIGKILL")
    assert given.states() == ["RUNNING", "RUNNING"]


@pytest.mark.parametrize(
    "exit_code, said", [(-9, "killed by SIGKILL"), (-11, "killed by SIGSEGV"), (3, "ended by exit code 3")]
)
def test_how_a_worker_ended(exit_code: int, said: str) -> None:
    assert workers._how(exit_code) == said


def test_each_worker_has_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with workers._share_of_machine(1, 0):
        assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    with workers._share_of_machine(3, 0):
        assert os.environ["TF_NUM_INTRAOP_THREADS"] == "2"
        assert os.environ["OMP_NUM_THREADS"] == "2"
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ


def test_each_worker_has_a_gpu_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert workers.fitting() == 2
    seen = []
    for index in range(3):
        with workers._share_of_machine(3, index):
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert seen == ["2", "5", "2"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    with workers._share_of_machine(1, 0):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"  # one worker has what there is
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert workers.gpus() == []


def test_workers_that_suit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("joblib.cpu_count", lambda only_physical_cores: 8)
    memory = psutil.virtual_memory()
    plenty = memory._replace(available=100 * 2**30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: plenty)
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(()))
    assert workers.fitting() == workers.parse("auto") == 8
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory._replace(available=5 * 2**30))
    assert workers.fitting() == 2
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory._replace(available=0))
    assert workers.fitting() == 1
    monkeypatch.setattr("psutil.virtual_memory", lambda: plenty)
    found = [Path("/dev/nvidia0"), Path("/dev/nvidia10"), Path("/dev/nvidia2")]
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(found))
    assert workers.gpus() == ["0", "1", "2"]  # as CUDA counts those that a container was given
    assert workers.fitting() == 3
    with pytest.raises(StudyError, match="--workers must be at least 0; it was given -1"):
        workers.parse("-1")
    with pytest.raises(StudyError, match="--workers is a number or auto; it was given 'many'"):
        workers.parse("many")
