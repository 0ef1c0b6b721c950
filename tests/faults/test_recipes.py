"""The recipes for Slurm and Kubernetes, as far as they can be tried without either."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import servers
import typer
import yaml
from helpers import owner_of, start, wait
from test_postgresql import PACED, exact, running

from study import cli
from study.storage.database import Clock

pytestmark = pytest.mark.skipif(
    "not config.getoption('--postgresql')", reason="minutes: pytest tests/faults --postgresql"
)

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"


@pytest.fixture
def url(server: servers.Server, home: Path) -> str:
    return servers.database(server.url, home)


def worker_options() -> set[str]:
    group = typer.main.get_command(cli.app)
    return {
        flag for parameter in group.commands["worker"].params for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def test_the_kubernetes_job_is_what_kubernetes_takes() -> None:
    job = yaml.safe_load((RECIPES / "kubernetes.yaml").read_text())
    kubernetes_validate.validate(job, "1.30", strict=True)
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["study", "worker"]
    assert {word.partition("=")[0] for word in container["args"]} <= worker_options()
    broken = {**job, "spec": {**job["spec"], "parallelism": "many"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.30", strict=True)


def sbatch(home: Path, url: str) -> subprocess.Popen[str]:
    """The array's task as Slurm would start it; `scontrol` writes down what it is told."""
    tools = home.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {home.parent}/scontrol\n')
    (tools / "study").write_text(f'#!/bin/sh\nexec {sys.executable} -m study "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    tests = Path(__file__).parents[1]
    environment = {
        **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "STUDY": "a",
        "STORAGE": servers.without_password(url), "PGPASSWORD": servers.PASSWORD, "STUDY_HOME": str(home),
        "SLURM_JOB_ID": "8", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3",
        "PYTHONPATH": os.pathsep.join([str(tests / "support"), str(tests / "faults")]),
    }  # fmt: skip
    return subprocess.Popen(
        ["bash", RECIPES / "slurm.sbatch"], cwd=home.parent, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def test_the_slurm_array_works_hands_back_and_is_queued_again(home: Path, url: str) -> None:
    directives = re.findall(r"^#SBATCH (--[a-z-]+)", (RECIPES / "slurm.sbatch").read_text(), re.MULTILINE)
    assert {"--array", "--signal", "--requeue", "--cpus-per-task"} <= set(directives)
    words = (*PACED, "--trials", "4", "--epochs", "6", "--workers", "0", "--join", "1", "--storage", url)
    first = start(home, "run", "a", *words)
    wait(lambda: running(url))
    os.killpg(first.pid, signal.SIGKILL)  # the study is there; the array does the rest
    first.communicate()
    task = sbatch(home, url)
    mine = wait(lambda: [owner for trial in running(url) if (owner := owner_of(trial)) and not owner.is_dead(Clock())])
    task.send_signal(signal.SIGTERM)  # to the script alone, as `--signal=B:` says
    output, _ = task.communicate()
    assert task.returncode == 0, output
    assert (home.parent / "scontrol").read_text() == "requeue 7_3\n"
    assert mine
    assert all(owner_of(trial) is None for trial in running(url))
    task = sbatch(home, url)
    output, _ = task.communicate()
    assert task.returncode == 0, output
    exact(url, 4)
