"""A store on a real PostgreSQL server."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import servers
from helpers import Command, wait
from sqlalchemy import event, text

from study.errors import StudyError
from study.storage import claims, postgresql, queries
from study.storage.address import Address
from study.storage.claims import Claims
from study.storage.store import Store
from study.system.processes import Host, Process

HOME = Path("/nowhere")


@pytest.fixture
def url(server: servers.Server, tmp_path: Path) -> str:
    """A database of the test's own."""
    return servers.database(server.url, tmp_path)


@pytest.fixture
def store(url: str) -> Store:
    created = opened(url, create=True)
    assert created is not None
    return created


@pytest.fixture
def study(store: Store) -> optuna.Study:
    return optuna.create_study(storage=store.storage, study_name="a")


def opened(url: str, **options: bool | Callable[[str], None]) -> Store | None:
    """The store of a URL; `options` are those of `Store.open`."""
    return Store.open(Address.of(HOME, url), **options)  # type: ignore[arg-type]


def exclusively(store: Store, action: Callable[[], object]) -> None:
    store.exclusively("a", action, lambda seconds: None)


def end_sessions(server: servers.Server, url: str) -> None:
    """As an administrator ends them, or a failover."""
    database = url.rpartition("/")[2]
    server.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


def test_an_empty_database_has_no_store_until_one_is_created(url: str) -> None:
    assert opened(url) is None
    assert Store.open_for_reading(Address.of(HOME, url)) is None
    assert opened(url, create=True) is not None
    assert opened(url) is not None
    assert Store.open_for_reading(Address.of(HOME, url)) is not None


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_name_of_a_postgresql_url_will_do(url: str, store: Store, kind: str) -> None:
    assert opened(url.replace("postgresql+psycopg", kind, 1)) is not None


def test_a_password_among_the_parameters_will_do(url: str, store: Store) -> None:
    plain = servers.without_password(url)
    assert opened(f"{plain}?password={servers.PASSWORD}") is not None


@pytest.mark.parametrize(
    ("change", "password", "said"),
    [
        (lambda url: url, "wr0ng", "password authentication failed"),
        (lambda url: url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1"), servers.PASSWORD, "cannot be"),
        (lambda url: url.rpartition("/")[0] + "/none", servers.PASSWORD, 'database "none" does not exist'),
    ],
)
def test_a_server_that_cannot_be_used_is_a_line(
    command: Command,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[str], str],
    password: str,
    said: str,
) -> None:
    monkeypatch.setenv("PGPASSWORD", password)
    plain = servers.without_password(url)
    for words in (("status",), ("run", "a"), ("resume", "a"), ("report", "a")):
        code, _, error = command(*words, "--storage", change(plain))
        assert code == 2
        assert error.count("\n") == 1
        assert said in error
        assert password not in error


def test_a_password_that_python_gives_is_not_said_either(url: str) -> None:
    with pytest.raises(StudyError, match="password authentication failed") as caught:
        opened(url.replace(servers.PASSWORD, "wr0ng"))
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(StudyError, match="cannot be opened") as caught:
        opened(f"{url}?sslmode=bogus&sslpassword=s3cret")
    assert servers.PASSWORD not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_is_away_is_waited_for() -> None:
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    lines: list[str] = []
    with servers.serving() as server:
        opened(server.url, create=True)
        store = opened(server.url, say=lines.append)
        assert store is not None
        study = optuna.create_study(storage=store.storage, study_name="a")
        trial = study.ask()
        server.kill()
        later = threading.Timer(2.0, server.start, kwargs={"fsync": "off"})
        later.start()
        began = time.monotonic()
        trial.report(0.5, 1)
        assert time.monotonic() - began > 1.5
        later.join()
        assert study.get_trials()[0].intermediate_values == {1: 0.5}
    assert len(lines) == 1
    assert "has not answered for" in lines[0]
    assert servers.PASSWORD not in lines[0]


def test_a_session_that_is_ended_costs_nothing(study: optuna.Study, url: str, server: servers.Server) -> None:
    trial = study.ask()
    for epoch in range(3):
        end_sessions(server, url)
        trial.report(0.5, epoch)
    study.tell(trial, 0.5)
    assert study.trials[0].intermediate_values == {0: 0.5, 1: 0.5, 2: 0.5}


def test_a_server_that_is_away_is_waited_for_by_a_process_that_knows_it() -> None:
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    with servers.serving() as server:
        assert opened(server.url, create=True) is not None
        server.kill()
        with pytest.raises(StudyError, match="cannot be opened"):
            opened(server.url)
        later = threading.Timer(1.0, server.start, kwargs={"fsync": "off"})
        later.start()
        lines: list[str] = []
        assert opened(server.url, wait_for_server=True, say=lines.append) is not None
        later.join()
        assert len(lines) == 1


def test_a_session_that_ends_while_trials_are_read_costs_nothing(
    store: Store, study: optuna.Study, url: str, server: servers.Server
) -> None:
    trial = study.ask()
    trial.report(0.5, 1)
    statements: list[str] = []

    def end(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)
        if len(statements) == 2:  # between two of those by which Optuna reads
            end_sessions(server, url)

    event.listen(store.storage.engine, "after_cursor_execute", end)
    [found] = study.get_trials()
    assert found.intermediate_values == {1: 0.5}
    assert len(statements) > 3


def test_only_one_process_is_exclusive(store: Store, url: str) -> None:
    inside, most = [0], [0]
    guard = threading.Lock()

    def action() -> None:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        with guard:
            inside[0] -= 1

    def work() -> None:
        own = opened(url)
        assert own is not None
        for _ in range(3):
            exclusively(own, action)

    in_threads(work, 4)
    assert (inside[0], most[0]) == (0, 1)


def test_a_process_that_pauses_between_two_waits_holds_no_lock(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may grant it at the very moment when the wait is given up."""
    monkeypatch.setattr(postgresql, "QUEUE", "15ms")
    monkeypatch.setattr(postgresql, "LONGEST_PAUSE", 0.02)
    mine = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()")
    held: list[int] = []

    def contend() -> None:
        own = opened(url, wait_for_server=True)
        assert own is not None
        for _ in range(10):
            own.exclusively(
                "a",
                lambda: time.sleep(0.005),
                lambda seconds: held.append(own.ask(lambda connection: connection.scalar(mine))),
            )

    in_threads(contend, 10)
    assert len(held) > 20
    assert not any(held)


def in_threads(work: Callable[[], None], number: int) -> None:
    """Do something several times at once."""
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_nothing_is_done_without_the_lock(store: Store, study: optuna.Study, url: str, server: servers.Server) -> None:
    """The session that holds it is ended: no other connection takes its place, and all is done again."""
    counts: list[int] = []

    def count() -> int:
        return int(server.ask_of(url, "SELECT count(*) FROM trials"))

    def action() -> None:
        counts.append(count())
        if len(counts) < 3:
            end_sessions(server, url)
        study.ask()

    exclusively(store, action)
    assert counts == [0, 0, 0]
    assert count() == 1


def test_a_process_that_is_silent_with_the_lock_loses_it(
    store: Store, study: optuna.Study, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "HOLD", "1s")
    begun: list[float] = []
    other = opened(url)
    assert other is not None

    def stopped() -> None:
        begun.append(time.monotonic())
        if len(begun) == 1:
            time.sleep(4)  # as a process that is stopped
        study.ask()

    thread = threading.Thread(target=lambda: exclusively(store, stopped))
    thread.start()
    wait(lambda: begun)
    exclusively(other, lambda: None)
    assert time.monotonic() - begun[0] < 3.5
    thread.join()
    assert len(begun) == 2
    assert len(study.trials) == 1


def test_leases_are_in_the_servers_time(store: Store, study: optuna.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Claims(store, "a", Process.current(), lease=60)
    study.ask()
    mine.mark(mine.under_way().running[0].trial_id)
    monkeypatch.setattr(claims, "host", lambda: Host("elsewhere"))
    clock = time.time
    for off in (-3600, 0, 3600):
        monkeypatch.setattr(time, "time", lambda off=off: clock() + off)
        found = Claims(store, "a", Process(1, 0.0))
        assert [trial.number for trial in found.held()] == [0]
    now, began = store.clock()
    assert abs(now - clock()) < 5
    assert began < now


def test_a_renewed_lease_whose_answer_was_lost_is_kept(store: Store, study: optuna.Study) -> None:
    study.ask().set_user_attr("owner", 1)
    trial_id = queries.under_way(store, "a").running[0].trial_id
    assert queries.replace_attribute(store, trial_id, "owner", "1", "2")
    assert queries.replace_attribute(store, trial_id, "owner", "1", "2")  # the same again
    assert not queries.replace_attribute(store, trial_id, "owner", "1", "3")
    assert study.trials[0].user_attrs == {"owner": 2}


def test_a_process_has_one_connection(store: Store, study: optuna.Study, url: str, server: servers.Server) -> None:
    exclusively(store, study.ask)
    assert len(study.trials) == 1
    database = url.rpartition("/")[2]
    assert server.ask(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'").strip() == "1"
