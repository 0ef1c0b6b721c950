"""A study on a Ray cluster of three nodes, all on this machine."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import servers
from helpers import owner_of, start, wait_for_line
from test_postgresql import PACED, SPACE, exact, running

ray = pytest.importorskip("ray", reason="Ray is not installed")

pytestmark = [
    pytest.mark.skipif("not config.getoption('--postgresql')", reason="minutes: pytest tests/faults --postgresql"),
    # Ray leaves the logs of its client's server open.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


@pytest.fixture
def url(server: servers.Server, home: Path) -> str:
    return servers.database(server.url, home)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and two more nodes of two processors each."""
    from ray.cluster_utils import Cluster

    before = set(psutil.Process().children())  # PostgreSQL's server among them
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parent / "support")]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={
        "num_cpus": 1, "object_store_memory": 80 * 2**20, "ray_client_server_port": servers.free_port(),
    })  # fmt: skip
    for _ in range(2):
        made.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    ours = [each for each in psutil.Process().children() if each not in before]
    processes = [process for each in ours for process in (each, *each.children(recursive=True))]
    made.shutdown()
    # A server that has not ended yet would be the cluster that the next test's `auto` finds.
    for process in psutil.wait_procs(processes, timeout=30)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=30)


def client(cluster: Any) -> str:
    """The cluster's address for those that are no node of it."""
    return f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}"


def test_a_node_that_is_lost_costs_no_trial(home: Path, url: str, cluster: Any) -> None:
    words = (*PACED, "--trials", "12", "--epochs", "6", "--cluster", "auto", "--workers", "4", "--storage", url)
    process = start(home, "run", "a", *words)
    wait_for_line(process, f"{SPACE}  trial", 3)
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    exact(url, 12)
    assert "nodes left; Ray places the lost workers on others" in output
    assert servers.PASSWORD not in output
    logs = [file for file in Path(cluster.head_node.get_session_dir_path()).rglob("*") if file.is_file()]
    assert len(logs) > 5
    assert not [file for file in logs if servers.PASSWORD.encode() in file.read_bytes()]


@pytest.mark.parametrize("as_client", [False, True])
def test_ctrl_c_frees_the_cluster_and_the_study_goes_on(home: Path, url: str, cluster: Any, as_client: bool) -> None:
    address = client(cluster) if as_client else "auto"
    words = (*PACED, "--trials", "8", "--epochs", "8", "--cluster", address, "--workers", "2", "--storage", url)
    process = start(home, "run", "a", *words)
    wait_for_line(process, f"{SPACE}  trial", 1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "study resume a --storage" in output
    assert f"--cluster {address}" in output
    assert "Traceback" not in output
    assert all(owner_of(trial) is None for trial in running(url))  # handed back
    process = start(home, "resume", "a", "--cluster", address, "--workers", "2", "--storage", url)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    exact(url, 8)


def test_a_client_whose_server_dies_at_its_start_is_given_another(cluster: Any) -> None:
    """As happens in Ray by itself."""
    from study.execution import cluster as cluster_room

    dead = []

    def kill_the_first() -> None:
        while not dead:
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    if {"--mode=specific-server", f"--address={cluster.address}"} <= {*process.cmdline()}:
                        process.kill()
                        dead.append(process.pid)

    killer = threading.Thread(target=kill_the_first, daemon=True)
    killer.start()
    with cluster_room._connected(client(cluster)):
        assert len(ray.nodes()) == 3
    killer.join(60)
    assert dead


def test_without_a_cluster_there_is_a_line(home: Path, url: str) -> None:
    for words, said in (
        (("--cluster", "auto", "--storage", url), "there is no Ray cluster at auto"),
        (("--cluster", "nowhere", "--storage", url), "--cluster is auto or ray://HOST:10001"),
        (("--cluster", "auto", "--storage", f"sqlite:///{home.parent}/a.db"), "an SQLite database serves one host"),
    ):
        process = start(home, "run", "a", *words)
        output, _ = process.communicate()
        assert process.returncode == 2, output
        assert said in output.splitlines()[-1]
        assert "Traceback" not in output
