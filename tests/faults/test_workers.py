"""Worker processes: exact budgets, deaths, memory, and many commands at once."""

import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from helpers import opened, owner_of, start, studies, study_table, wait_for_line
from marks import ON_SQLITE_ALONE

from study.records import OWNER
from study.storage import claims, results

TRIVIAL = ("--space", "fault_space:Trivial", "--epochs", "1", "--seeds", "1", "--sampler", "random")


def exact(home: Path, name: str, space: str, trials: int) -> list[str]:
    """The states of a study's trials, after a look that there are as many as it should have, each once."""
    rows = study_table(home, name)[space]
    assert [row[0] for row in rows] == list(range(trials))
    assert not {row[1] for row in rows} & {"RUNNING", "WAITING"}
    study = opened(home, name)
    defaults = [trial for trial in results.trials(study, space) if trial.params.get("rate") == 1e-2]
    assert [trial.number for trial in defaults] in ([0], [])
    return [row[1] for row in rows]


def workers_of(supervisor: int) -> list[psutil.Process]:
    """The worker processes of a supervisor."""
    children = psutil.Process(supervisor).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_four_workers_and_many_trivial_trials(home: Path) -> None:
    """80 of them; `FAULTS_TRIALS=200` for more."""
    trials = int(os.environ.get("FAULTS_TRIALS", "80"))
    process = start(home, "run", "a", *TRIVIAL, "--trials", str(trials), "--workers", "4")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert set(exact(home, "a", "fault_space:Trivial", trials)) <= {"COMPLETE", "PRUNED"}
    study = opened(home, "a")
    records = [results.record(trial) for trial in results.trials(study, "fault_space:Trivial")]
    assert len({kept.worker for kept in records if kept}) == 4
    assert results.finals(study)  # of the baseline, and of the winner where that is another
    assert not list((home / "a" / "checkpoints").glob("*"))


def temporary_files(home: Path) -> Path:
    """An empty folder for temporary files."""
    folder = home.parent / "tmp"
    folder.mkdir()
    return folder


def test_workers_that_are_killed_again_and_again(home: Path) -> None:
    """For a quarter of a minute; `FAULTS_SECONDS=60` for the whole one. Their temporary files are gone too."""
    temporary = temporary_files(home)
    rng, seconds = random.Random(0), float(os.environ.get("FAULTS_SECONDS", "15"))
    long = ("--epochs", str(round(seconds)), "--pruner", "none")
    process = start(home, "run", "a", *TRIVIAL, "--trials", "24", *long, "--workers", "2", TMPDIR=str(temporary))
    wait_for_line(process, "fault_space:Trivial  trial", 1)
    assert len(list(temporary.iterdir())) == 2
    killed, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(rng.uniform(2, 5))
        if process.poll() is None and (found := workers_of(process.pid)):
            rng.choice(found).kill()
            killed += 1
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert output.count("a worker was killed by SIGKILL; another takes its place") == killed >= seconds / 5
    exact(home, "a", "fault_space:Trivial", 24)
    assert list(temporary.iterdir()) == []


def test_a_trial_in_which_three_workers_died_is_given_up(home: Path) -> None:
    process = start(home, "run", "a", *TRIVIAL[2:], "--space", "fault_space:Deadly", "--trials", "3")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    states = exact(home, "a", "fault_space:Deadly", 3)
    assert states[0] == "COMPLETE"
    assert "FAIL" in states
    number = states.index("FAIL")
    reason = "3 workers died in it: killed by SIGABRT, killed by SIGABRT, killed by SIGABRT"
    assert f"fault_space:Deadly trial {number} is given up: {reason}" in output
    study = opened(home, "a")
    kept = results.record(results.trials(study, "fault_space:Deadly")[number])
    assert kept is not None
    assert kept.error == reason
    assert "Traceback" not in output


def test_a_trial_waits_for_one_whose_worker_dies(home: Path) -> None:
    """Whoever waits leaves its own trial and takes up the other, unless the one in the place of the dead is faster."""
    words = ("--space", "fault_space:LongWay", "--trials", "4", "--epochs", "2", "--seeds", "1", "--workers", "2")
    process = start(home, "run", "a", *words)
    while "a" not in studies(home):
        time.sleep(0.2)
    study = opened(home, "a")
    while len(trials := results.trials(study, "fault_space:LongWay")) < 2 or not trials[1].intermediate_values:
        assert process.poll() is None
        time.sleep(0.1)
    assert [trial.state.name for trial in trials] == ["RUNNING", "RUNNING"]
    owner = owner_of(trials[0])
    assert owner is not None
    psutil.Process(owner.process.pid).kill()
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert output.count("a worker was killed by SIGKILL; another takes its place") == 1
    assert "FAIL" not in exact(home, "a", "fault_space:LongWay", 4)


@ON_SQLITE_ALONE
def test_a_model_that_needs_more_memory_than_allowed_fails_by_itself(home: Path) -> None:
    process = start(
        home, "run", "a", *TRIVIAL[2:], "--space", "fault_space:Huge", "--trials", "2", "--memory-limit", "4GB"
    )
    output, _ = process.communicate()
    assert process.returncode == 0, output
    states = exact(home, "a", "fault_space:Huge", 2)
    assert states[0] == "COMPLETE"
    assert "FAIL" in states
    study = opened(home, "a")
    kept = results.record(results.trials(study, "fault_space:Huge")[states.index("FAIL")])
    assert kept is not None
    assert "OOM when allocating tensor" in (kept.error or "")
    assert "fault_space.py" in (kept.traceback or "")
    assert "a worker was" not in output


def test_many_commands_at_once_make_one_study(home: Path) -> None:
    words = (*TRIVIAL, "--trials", "24", "--workers", "0")
    processes = [
        start(home, *(("run", "x", *words) if index % 2 == 0 else ("resume", "x", "--workers", "0")))
        for index in range(16)
    ]
    outputs = [process.communicate()[0] for process in processes]
    codes = [process.returncode for process in processes]
    assert not any("Traceback" in output for output in outputs), outputs
    assert codes[::2].count(0) == 1, outputs
    assert set(codes) <= {0, 2}
    for code, output in zip(codes, outputs, strict=True):
        assert code == 0 or "the study 'x' exists" in output or "has no study named 'x'" in output, output
    exact(home, "x", "fault_space:Trivial", 24)
    study = opened(home, "x")
    names = [each.study_name for each in study.store.storage.get_all_studies()]
    assert sorted(names) == ["x/confirmation", "x/fault_space:Trivial", "x/finals"]
    assert results.finals(study)  # of the baseline, and of the winner where that is another


def test_workers_end_with_their_supervisor(home: Path) -> None:
    temporary = temporary_files(home)
    process = start(home, "run", "a", *TRIVIAL, "--trials", "500", "--workers", "2", TMPDIR=str(temporary))
    wait_for_line(process, "fault_space:Trivial  trial", 1)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    mapped = psutil.Process(process.pid).memory_maps()
    assert not any("tensorflow" in each.path for each in mapped)  # what watches over the workers stays small
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
    assert list(temporary.iterdir()) == []
    study = opened(home, "a")
    state = results.progress(study)["spaces"][0]
    assert (state["running"], state["interrupted"]) == (
        0,
        len(study_table(home, "a")[state["name"]]) - state["finished"],
    )
    owners = [owner_of(trial) for trial in results.trials(study, "fault_space:Trivial")[-2:]]
    assert all(owner is None or owner.is_dead(study.store.clock()) for owner in owners)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(each, marks=ON_SQLITE_ALONE) for each in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_to_the_whole_group_ends_the_epoch_of_every_worker(number: int, home: Path) -> None:
    words = ("--space", "fault_space:Dense", "--trials", "30", "--epochs", "6", "--workers", "2")
    process = start(home, "run", "a", *words)
    wait_for_line(process, "fault_space:Dense  trial", 2)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "continue with: study resume a" in output
    assert "Traceback" not in output
    study = opened(home, "a")
    running = [trial for trial in results.trials(study, "fault_space:Dense") if not trial.state.is_finished()]
    saved = {file.name for file in (home / "a" / "checkpoints").iterdir()}
    assert saved == {f"fault_space-Dense-{trial.number}.npz" for trial in running if trial.intermediate_values}
    assert all(owner_of(trial) is None for trial in running)


@ON_SQLITE_ALONE
def test_a_second_signal_ends_at_once_and_the_study_goes_on(home: Path) -> None:
    words = (*TRIVIAL, "--trials", "6", "--epochs", "400", "--workers", "2")
    process = start(home, "run", "a", *words)
    time.sleep(1)
    wait_for_line(process, "loading", 1)
    while "a" not in studies(home):
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert "continue with: study resume a" in output
    running = results.trials(opened(home, "a"), "fault_space:Trivial")
    assert {state.name for state in {trial.state for trial in running}} <= {"RUNNING"}
    deaths = [claims.deaths_in(trial.user_attrs.get(OWNER, {})) for trial in running]
    assert not any(deaths)  # they did not die of it
