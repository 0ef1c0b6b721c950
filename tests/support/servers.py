"""A real PostgreSQL server for a test: its own folder, port and processes, not run as root."""

import hashlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

USER, PASSWORD = "tuner", "pa55word-of-the-server"


def programs() -> Path | None:
    """The folder of the server's programs, of the newest version; None where it is not installed."""
    on_path = shutil.which("initdb")
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *([Path(on_path)] if on_path else [])]
    return max((file.parent for file in found), key=lambda folder: _version(folder), default=None)


def _version(folder: Path) -> float:
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return float(said.split()[2])


def free_port() -> int:
    """A port that no connection is given while the server is down: the system assigns those from 32768 on."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("", port))
            return port


class Server:
    """A server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self.folder = folder / "postgresql"
        self.folder.mkdir()
        self.host = "127.0.0.1"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL does not run as root; Debian's package brings this user.
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(self.folder, "postgres", "postgres")
            for parent in self.folder.parents:
                if parent.owner() == "root" and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
                    parent.chmod(parent.stat().st_mode | 0o111)
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        words = ["-D", self.folder / "data", "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        self._run("initdb", *words)
        secret.unlink()
        with (self.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")

    @property
    def url(self) -> str:
        """With the password."""
        return f"postgresql+psycopg://{USER}:{PASSWORD}@{self.host}:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The ID of its main process."""
        assert self._process is not None
        return self._process.pid

    def start(self, **settings: object) -> None:
        """Start it, and wait until it answers."""
        fixed = {"port": self.port, "listen_addresses": "*", "unix_socket_directories": self.folder}
        words = [f"--{name}={value}" for name, value in {**fixed, **settings}.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *words], stdout=log, stderr=log,
                cwd=self.folder, **self._user,  # type: ignore[call-overload]
            )  # fmt: skip
        end = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < end and self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        words = [self._programs / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]
        return subprocess.run(words, check=False).returncode == 0

    def kill(self) -> None:
        """SIGKILL for all of its processes, as a power cut would end them."""
        if self._process is None:
            return
        processes: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            processes.append(psutil.Process(self._process.pid))
            processes += processes[0].children(recursive=True)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(processes)
        self._process = None

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    def dump(self) -> str:
        """Everything in its databases."""
        return self._client("pg_dumpall", "--no-role-passwords")

    def ask(self, sql: str) -> str:
        """What psql says."""
        return self._client("psql", "-Atc", sql, "postgres")

    def ask_of(self, url: str, sql: str) -> str:
        """What psql says of another of its databases."""
        return self._client("psql", "-Atc", sql, url.rpartition("/")[2])

    def _client(self, program: str, *words: str) -> str:
        where = ("-h", self.host, "-p", str(self.port), "-U", USER)
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        command = [self._programs / program, *where, *words]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def _run(self, program: str, *words: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, words)], check=True, capture_output=True, cwd=self.folder,
            **self._user,  # type: ignore[call-overload]
        )  # fmt: skip


def database(server: str, home: Path) -> str:
    """The URL of a home's own database on a server; it is created where there is none."""
    name = "home_" + hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection, suppress(ProgrammingError):  # it is there
        connection.execute(text(f"CREATE DATABASE {name}"))
    return url.set(database=name).render_as_string(hide_password=False)


def without_password(url: str) -> str:
    """The same URL as `--storage` takes it: the password is in PGPASSWORD."""
    full = make_url(url)
    return URL.create(
        full.drivername, full.username, host=full.host, port=full.port, database=full.database, query=full.query
    ).render_as_string()


def hidden(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """A command without the password of its `--storage`, and the environment variable that has it."""
    taken = list(words)
    password: dict[str, str] = {}
    if "--storage" in taken and (url := make_url(taken[place := taken.index("--storage") + 1])).password:
        taken[place], password = without_password(taken[place]), {"PGPASSWORD": str(url.password)}
    return taken, password


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs as long as the block. Its folder is not one of pytest's, which another run of pytest would
    close to the server's user."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = Server(Path(folder))
        try:
            server.start(fsync="off")
            yield server
        finally:
            server.kill()
