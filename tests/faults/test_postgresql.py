"""One study, many hosts, one PostgreSQL server: a real one, which is killed too."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hosts
import psutil
import pytest
import servers
from helpers import opened_at, owner_of, start, table_of, wait, wait_for_line
from launcher import EPOCHS_FILE

from study.storage import claims, results
from study.storage.address import Address
from study.storage.store import Store

pytestmark = pytest.mark.skipif(
    "not config.getoption('--postgresql')", reason="minutes: pytest tests/faults --postgresql"
)

SPACE = "fault_space:Paced"
PACED = ("--space", SPACE, "--seeds", "1", "--sampler", "random", "--pruner", "none")


@pytest.fixture
def own_server() -> Iterator[servers.Server]:
    """A server that a test may kill."""
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    with servers.serving() as running:
        yield running


@pytest.fixture
def url(server: servers.Server, home: Path) -> str:
    """A database of the test's own."""
    return servers.database(server.url, home)


def exact(url: str, trials: int, space: str = SPACE) -> list[Any]:
    """The trials of study `a`, after a look that there are as many as there should be, each once and finished."""
    study = opened_at(Address.of(Path(), url), "a")
    found = results.trials(study, space)
    assert [trial.number for trial in found] == list(range(trials))
    assert {trial.state.name for trial in found} <= {"COMPLETE", "PRUNED"}
    assert results.finals(study)  # of the baseline, and of the winner where that is another
    for trial in found:  # each epoch's report is there, none twice
        kept = results.record(trial)
        assert kept is not None
        assert list(trial.intermediate_values) == list(range(1, kept.epochs + 1))
    return found


def running(url: str, space: str = SPACE) -> list[Any]:
    """The trials of study `a` that are under way; none where there is no study yet."""
    store = looked_at(url)
    study = None if store is None else store.studies().get("a")
    return [] if study is None else [each for each in results.trials(study, space) if not each.state.is_finished()]


STORES: dict[str, Store] = {}


def looked_at(url: str) -> Store | None:
    """The store behind a URL, by one connection however often one looks; None where there is none yet."""
    if url not in STORES and (opened := Store.open(Address.of(Path(), url))) is not None:
        STORES[url] = opened
    return STORES.get(url)


def test_one_worker_has_the_same_trial_table_as_on_sqlite(home: Path, url: str, archive: Path) -> None:
    words = ("run", "a", "--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "12", "--epochs", "3",
             "--seeds", "1")  # fmt: skip
    for more in (("--storage", f"sqlite:///{home.parent}/there.db"), ("--storage", url, "--home", f"{home}-server")):
        process = start(home, *words, *more)
        output, _ = process.communicate()
        assert process.returncode == 0, output
    tables = [table_of(opened_at(Address.of(home, each), "a")) for each in (url, f"sqlite:///{home.parent}/there.db")]
    assert tables[0] == tables[1]


def test_a_server_that_is_killed_in_the_middle_costs_waiting_and_no_trials(
    home: Path, own_server: servers.Server
) -> None:
    words = ("--trials", "16", "--epochs", "6", "--workers", "4", "--storage", own_server.url)
    process = start(home, "run", "a", *PACED, *words)
    for seconds in (3.0, 8.0):
        wait_for_line(process, f"{SPACE}  trial", 2)
        own_server.kill()
        time.sleep(seconds)
        own_server.start(fsync="off")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "has not answered for" in output
    assert servers.PASSWORD not in output
    exact(own_server.url, 16)
    assert "a worker was" not in output


def test_a_lost_hosts_trial_is_finished_by_another(home: Path, url: str, tmp_path: Path) -> None:
    hosts.need()
    epochs = tmp_path / "epochs"
    words = (*PACED, "--trials", "3", "--epochs", "8", "--workers", "1", "--join", "1", "--lease", "2s")
    lost = hosts.start(home, "run", "a", *words, "--storage", url, **{EPOCHS_FILE: str(epochs)})
    wait(lambda: any(len(trial.intermediate_values) >= 3 for trial in running(url)))
    os.killpg(lost.pid, signal.SIGKILL)
    lost.communicate()
    [left] = running(url)
    joined = hosts.start(home, "worker", "a", "--storage", url, **{EPOCHS_FILE: str(epochs)})
    output, _ = joined.communicate()
    assert joined.returncode == 0, output
    assert "nothing is left to train in a" in output
    exact(url, 3)
    # The home is shared, and the checkpoint in it: at most one epoch was trained again.
    finals = 3 + 8
    assert len(epochs.read_text().splitlines()) <= 3 * 8 + finals + 1
    assert left.number == 0


def test_a_worker_that_was_stopped_past_its_lease_leaves_its_trial_alone(home: Path, url: str) -> None:
    hosts.need()
    words = (*PACED, "--trials", "4", "--epochs", "10", "--workers", "1", "--join", "1", "--lease", "2s")
    slow = hosts.start(home, "run", "a", *words, "--storage", url)
    wait(lambda: any(len(trial.intermediate_values) >= 2 for trial in running(url)))
    stopped = [psutil.Process(slow.pid), *psutil.Process(slow.pid).children(recursive=True)]
    for process in stopped:
        process.suspend()
    other = hosts.start(home, "worker", "a", "--storage", url, "--home", f"{home}-elsewhere")
    owners = wait(lambda: [owner for trial in running(url) if (owner := owner_of(trial)) and
                           owner.host != claims.host() and len(trial.intermediate_values) > 3])  # fmt: skip
    for process in stopped:
        process.resume()
    outputs = [process.communicate()[0] for process in (slow, other)]
    assert [slow.returncode, other.returncode] == [0, 0], outputs
    assert f"{SPACE}  trial 0 was taken up by another worker" in outputs[0]
    assert "was taken up by another worker" not in outputs[1]
    found = exact(url, 4)
    worker = results.record(found[0])
    assert worker is not None
    assert owners


def test_a_host_that_is_cut_off_comes_back(home: Path, own_server: servers.Server) -> None:
    """For longer than its lease, and than a connection waits for an answer; each host has a home of its own."""
    hosts.need()
    with hosts.network(1) as near, hosts.network(2) as far:
        urls = [own_server.url.replace(own_server.host, network.here) for network in (near, far)]
        words = (*PACED, "--trials", "10", "--epochs", "12", "--workers", "1", "--join", "1", "--lease", "10s")
        first = hosts.start(home, "run", "a", *words, "--storage", urls[0], network=near.name)
        wait(lambda: running(own_server.url))
        second = hosts.start(
            home, "worker", "a", "--storage", urls[1], "--home", f"{home}-far", network=far.name
        )  # fmt: skip
        wait(lambda: len(running(own_server.url)) == 2)
        time.sleep(2)
        far.unplug()
        time.sleep(40)
        far.plug_in()
        outputs = [process.communicate()[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    exact(own_server.url, 10)
    assert all(f"{SPACE}  trial" in output for output in outputs)
    assert "has not answered for" in outputs[1]
    assert "was taken up by another worker" in outputs[1]
    assert "was taken up by another worker" not in outputs[0]


def test_sigterm_hands_the_trial_back(home: Path, url: str) -> None:
    hosts.need()
    words = (*PACED, "--trials", "2", "--epochs", "8", "--storage", url)
    first = hosts.start(home, "run", "a", *words, "--workers", "0")
    wait(lambda: any(trial.intermediate_values for trial in running(url)))
    os.killpg(first.pid, signal.SIGTERM)
    output, _ = first.communicate()
    assert first.returncode in (130, 143), output
    [left] = running(url)
    assert owner_of(left) is None
    second = hosts.start(home, "worker", "a", "--storage", url)
    output, _ = second.communicate()
    assert second.returncode == 0, output
    exact(url, 2)


def test_the_password_is_nowhere(home: Path, own_server: servers.Server) -> None:
    """Not in a file, a row, what is printed, or a process's title."""
    words = (*PACED, "--trials", "2", "--epochs", "4", "--workers", "2", "--storage", own_server.url)
    process = start(home, "run", "a", *words)
    titles = set()
    while process.poll() is None:
        if running(own_server.url):
            here = psutil.Process(process.pid)
            titles |= {" ".join(each.cmdline()) for each in [here, *here.children(recursive=True)]}
        time.sleep(0.5)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert len(titles) >= 3
    outputs = [output, *titles, own_server.log()]
    for more in (("status",), ("report", "a"), ("best", "a"), ("export", "a", "-o", "a.csv"), ("resume", "b")):
        process = start(home, *more, "--storage", own_server.url)
        outputs.append(process.communicate()[0])
    files = [file for file in home.parent.rglob("*") if file.is_file() and own_server.folder not in file.parents]
    assert len(files) > 5
    assert not [file for file in files if servers.PASSWORD.encode() in file.read_bytes()]
    assert servers.PASSWORD not in own_server.dump()
    assert not [text for text in outputs if servers.PASSWORD in text]


@pytest.mark.parametrize("commands", [6])
def test_many_commands_at_once_on_an_empty_server(home: Path, url: str, commands: int) -> None:
    words = ("--space", "fault_space:Trivial", "--epochs", "1", "--seeds", "1", "--sampler", "random",
             "--trials", "12", "--workers", "0", "--storage", url)  # fmt: skip
    processes = [start(home, "run", "a", *words) for _ in range(commands)]
    outputs = [process.communicate()[0] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0] + [2] * (commands - 1), outputs
    assert sum("the study 'a' exists" in output for output in outputs) == commands - 1
    exact(url, 12, "fault_space:Trivial")
