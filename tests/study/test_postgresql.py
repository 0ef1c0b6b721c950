"""A storage on a real PostgreSQL server."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import servers
from helpers import Command, wait
from optuna.storages import BaseStorage
from sqlalchemy import event, text

from study import claims, cli, extras, postgresql
from study import storage as storage_room
from study.claims import Claims, Process
from study.errors import StudyError

PLACE = Path("/nowhere")


@pytest.fixture
def url(server: servers.Server, tmp_path: Path) -> str:
    """A database of the test's own."""
    return servers.database(server.url, tmp_path)


@pytest.fixture
def storage(url: str) -> BaseStorage:
    created = storage_room.open_storage(url, create=True)
    assert created is not None
    return created


def exclusively(storage: BaseStorage, url: str, action: Callable[[], object]) -> None:
    storage_room.exclusively(storage, PLACE, url, "a", action, lambda seconds: None)


def end_sessions(server: servers.Server, url: str) -> None:
    """As an administrator ends them, or a failover."""
    database = url.rpartition("/")[2]
    server.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


def test_an_empty_database_has_no_storage_until_one_is_created(url: str) -> None:
    assert storage_room.open_storage(url) is None
    assert storage_room.open_database(url) is None
    assert storage_room.open_storage(url, create=True) is not None
    assert storage_room.open_storage(url) is not None
    assert storage_room.open_database(url) is not None


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_name_of_a_postgresql_url_will_do(url: str, storage: BaseStorage, kind: str) -> None:
    assert storage_room.open_storage(url.replace("postgresql+psycopg", kind, 1)) is not None


@pytest.mark.parametrize("part", ["{user}:{password}@host/db", "{user}@host/db?password={password}"])
def test_a_url_is_shown_without_its_password(part: str) -> None:
    shown = storage_room.shown_url("postgresql://" + part.format(user="me", password="s3cret"))
    assert "s3cret" not in shown
    assert shown.startswith("postgresql://me:***@host/db")


@pytest.mark.parametrize(
    ("url", "hidden", "password"),
    [
        ("postgresql://u:p@h/db", "postgresql://u@h/db", "p"),
        ("postgres://u:a/b@h:5/db?x=c@d", "postgres://u@h:5/db?x=c@d", "a/b"),
        ("postgresql+psycopg://u:a?b@h", "postgresql+psycopg://u@h", "a?b"),
        ("postgresql://u:p%40s@s@h/db", "postgresql://u@h/db", "p@s@s"),
        ("postgresql://h/db?user=u&password=p&x=1", "postgresql://h/db?user=u&password=&x=1", "p"),
        ("postgresql://u@h/db?x=a:b@c", None, None),
        ("mysql://u:p@h/db", None, None),
    ],
)
@pytest.mark.parametrize("form", ["--storage {}", "--storage={}"])
def test_a_password_is_cut_out_of_the_arguments(
    url: str, hidden: str | None, password: str | None, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(sys, "orig_argv", ["python", "study", "status", *form.format(url).split()])
    monkeypatch.setattr("os.execv", lambda program, words: begun.append(words))
    monkeypatch.setenv("PGPASSWORD", "")
    cli._hide_passwords()
    if hidden is None:
        assert not begun
    else:
        assert begun == [["python", "study", "status", *form.format(hidden).split()]]
        assert os.environ["PGPASSWORD"] == password


def test_a_password_that_takes_the_url_apart_is_refused_unsaid() -> None:
    with pytest.raises(StudyError, match="write it as %40") as caught:
        storage_room.shown_url("postgresql://me:s3@cret@host/db")
    assert "cret" not in str(caught.value)


def test_the_driver_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.NEEDED, "--storage postgresql", ("no_such_package", "postgres"))
    with pytest.raises(StudyError, match=r"pip install 'keras-study\[postgres\]'"):
        storage_room.open_storage("postgresql://me@host/db")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace(servers.PASSWORD, "wr0ng"), "password authentication failed"),
        (lambda url: url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1"), "cannot be"),
        (lambda url: url.rpartition("/")[0] + "/none", 'database "none" does not exist'),
    ],
)
def test_a_server_that_cannot_be_used_is_a_line(
    command: Command, url: str, change: Callable[[str], str], said: str
) -> None:
    for words in (("status",), ("run", "a"), ("resume", "a"), ("report", "a")):
        code, _, error = command(*words, "--storage", change(url))
        assert code == 2
        assert error.count("\n") == 1
        assert said in error
        assert "wr0ng" not in error
        assert servers.PASSWORD not in error


def test_a_password_on_the_command_line_is_in_no_process_title(url: str) -> None:
    words = [sys.executable, "-m", "study", "worker", "a", "--wait", f"--storage={url}"]
    with subprocess.Popen(words) as process:
        title = Path(f"/proc/{process.pid}/cmdline")
        wait(lambda: b"study" in title.read_bytes() and servers.PASSWORD.encode() not in title.read_bytes())
        time.sleep(1)
        assert process.poll() is None  # it could log in, and waits for the study
        assert b"tuner@127.0.0.1" in title.read_bytes()
        process.kill()


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    lines: list[str] = []
    with servers.serving(tmp_path) as server:
        storage_room.open_storage(server.url, create=True)
        storage = storage_room.open_storage(server.url, waiting=lines.append)
        assert storage is not None
        study = optuna.create_study(storage=storage, study_name="a")
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
    assert "does not answer since" in lines[0]
    assert servers.PASSWORD not in lines[0]


def test_a_session_that_is_ended_costs_nothing(storage: BaseStorage, url: str, server: servers.Server) -> None:
    study = optuna.create_study(storage=storage, study_name="a")
    trial = study.ask()
    for epoch in range(3):
        end_sessions(server, url)
        trial.report(0.5, epoch)
    study.tell(trial, 0.5)
    assert study.trials[0].intermediate_values == {0: 0.5, 1: 0.5, 2: 0.5}


def test_a_server_that_is_away_is_waited_for_by_whoever_knows_it(tmp_path: Path) -> None:
    if servers.programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    with servers.serving(tmp_path) as server:
        assert storage_room.open_storage(server.url, create=True) is not None
        server.kill()
        with pytest.raises(StudyError, match="cannot be opened"):
            storage_room.open_storage(server.url)
        later = threading.Timer(1.0, server.start, kwargs={"fsync": "off"})
        later.start()
        lines: list[str] = []
        assert storage_room.open_storage(server.url, known=True, waiting=lines.append) is not None
        later.join()
        assert len(lines) == 1


def test_a_session_that_ends_while_trials_are_read_costs_nothing(
    storage: BaseStorage, url: str, server: servers.Server
) -> None:
    study = optuna.create_study(storage=storage, study_name="a")
    trial = study.ask()
    trial.report(0.5, 1)
    engine = storage_room._engine(storage)
    statements: list[str] = []

    def end(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)
        if len(statements) == 2:  # between two of those by which Optuna reads
            end_sessions(server, url)

    event.listen(engine, "after_cursor_execute", end)
    [found] = study.get_trials()
    assert found.intermediate_values == {1: 0.5}
    assert len(statements) > 3


def test_only_one_process_is_exclusive(storage: BaseStorage, url: str) -> None:
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
        own = storage_room.open_storage(url)
        assert own is not None
        for _ in range(3):
            exclusively(own, url, action)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside[0], most[0]) == (0, 1)


def test_who_pauses_between_two_waits_holds_no_lock(
    storage: BaseStorage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may grant it at the very moment when the wait is given up."""
    monkeypatch.setattr(postgresql, "QUEUE", "15ms")
    monkeypatch.setattr(postgresql, "LONGEST_PAUSE", 0.02)
    mine = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()")
    held: list[int] = []

    def contend() -> None:
        own = storage_room.open_storage(url, known=True)
        assert own is not None
        for _ in range(10):
            storage_room.exclusively(
                own, PLACE, url, "a", lambda: time.sleep(0.005),
                lambda seconds: held.append(storage_room.ask(own, lambda connection: connection.scalar(mine))),
            )  # fmt: skip

    threads = [threading.Thread(target=contend) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) > 20
    assert not any(held)


def test_nothing_is_done_without_the_lock(storage: BaseStorage, url: str, server: servers.Server) -> None:
    """The session that holds it is ended: no other connection takes its place, and all is done again."""
    study = optuna.create_study(storage=storage, study_name="a")
    counts: list[int] = []

    def count() -> int:
        return int(server.ask_of(url, "SELECT count(*) FROM trials"))

    def action() -> None:
        counts.append(count())
        if len(counts) < 3:
            end_sessions(server, url)
        study.ask()

    exclusively(storage, url, action)
    assert counts == [0, 0, 0]
    assert count() == 1


def test_who_is_silent_with_the_lock_loses_it(storage: BaseStorage, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "HOLD", "1s")
    study = optuna.create_study(storage=storage, study_name="a")
    begun: list[float] = []
    other = storage_room.open_storage(url)
    assert other is not None

    def stopped() -> None:
        begun.append(time.monotonic())
        if len(begun) == 1:
            time.sleep(4)  # as a process that is stopped
        study.ask()

    thread = threading.Thread(target=lambda: exclusively(storage, url, stopped))
    thread.start()
    wait(lambda: begun)
    exclusively(other, url, lambda: None)
    assert time.monotonic() - begun[0] < 3.5
    thread.join()
    assert len(begun) == 2
    assert len(study.trials) == 1


def test_leases_are_in_the_servers_time(storage: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(storage=storage, study_name="a")
    mine = Claims(study, Process.current(), lease=60)
    mine.mark(study.ask()._trial_id)
    monkeypatch.setattr(claims, "host", lambda: "elsewhere")
    clock = time.time
    for off in (-3600, 0, 3600):
        monkeypatch.setattr(time, "time", lambda off=off: clock() + off)
        found = Claims(study, Process(1, 0.0))
        assert [trial.number for trial in found.held()] == [0]
    now, began = storage_room.clock(storage)
    assert abs(now - clock()) < 5
    assert began < now


def test_a_renewed_lease_whose_answer_was_lost_is_kept(storage: BaseStorage) -> None:
    from study import queries

    study = optuna.create_study(storage=storage, study_name="a")
    trial = study.ask()
    trial.set_user_attr("owner", 1)
    assert queries.replace_attribute(storage, trial._trial_id, "owner", "1", "2")
    assert queries.replace_attribute(storage, trial._trial_id, "owner", "1", "2")  # the same again
    assert not queries.replace_attribute(storage, trial._trial_id, "owner", "1", "3")
    assert study.trials[0].user_attrs == {"owner": 2}


def test_a_process_has_one_connection(storage: BaseStorage, url: str, server: servers.Server) -> None:
    study = optuna.create_study(storage=storage, study_name="a")
    exclusively(storage, url, study.ask)
    assert len(study.trials) == 1
    database = url.rpartition("/")[2]
    assert server.ask(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'").strip() == "1"
