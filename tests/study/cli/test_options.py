"""Options that several commands take."""

from pathlib import Path

import pytest
import servers
from helpers import Command
from refusals import refused, tree

PASSWORD = "s3cret"
COMMANDS = (
    ("run", "a"), ("resume", "a"), ("evaluate", "a"), ("worker", "a"), ("report", "a"), ("status",), ("best", "a"),
    ("export", "a", "-o", "a.csv"),
)  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@h/db",
        f"postgres://u:{PASSWORD}@h/db",
        f"postgresql+psycopg://u:{PASSWORD}@h/db",
        f"postgres://u:a/{PASSWORD}@h:5/db?x=c@d",
        f"postgresql+psycopg://u:a?{PASSWORD}@h",
        f"postgresql://u:p%40{PASSWORD}@{PASSWORD}@h/db",
        f"postgresql://h/db?user=u&password={PASSWORD}&x=1",
        f"postgresql+psycopg://u@h/db?password={PASSWORD}",
        f"postgresql://u@h/db?pass%77ord={PASSWORD}",
    ],
)
@pytest.mark.parametrize("form", ["--storage {}", "--storage={}"])
def test_a_password_in_a_url_is_refused_and_not_repeated(command: Command, home: Path, url: str, form: str) -> None:
    before = tree(home.parent)
    error = refused(command, "status", *form.format(url).split())
    assert error.startswith("study: --storage has a password")
    assert "PGPASSWORD" in error
    assert "~/.pgpass" in error
    assert PASSWORD not in error
    assert tree(home.parent) == before


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_refuses_it(command: Command, home: Path, words: tuple[str, ...]) -> None:
    error = refused(command, *words, "--storage", f"postgresql://u:{PASSWORD}@h/db")
    assert "put it in the environment variable PGPASSWORD or in the file ~/.pgpass" in error
    assert PASSWORD not in error
    assert not home.exists()


@pytest.mark.parametrize("url", ["sqlite:///none/a:b@c.db", "mysql://u:p@h/db", "oracle9://u:p@h/db"])
def test_a_url_of_another_kind_is_not_taken_for_one(command: Command, url: str) -> None:
    assert "PGPASSWORD" not in command("status", "--storage", url)[2]


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_server_takes_the_password_from_where_it_is_not_seen(
    command: Command, home: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    url = servers.without_password(servers.database(server.url, home))
    assert "no password supplied" in refused(command, "status", "--storage", url)
    if where == "environment":
        monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)
    else:
        file = home.parent / "passwords"
        file.write_text(f"*:*:*:{servers.USER}:{servers.PASSWORD}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
    assert command("status", "--storage", url) == (0, "there is no study yet; 'study run' starts one\n", "")
