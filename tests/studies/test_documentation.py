"""Every block of the documentation is run: its Python as it stands, its commands with the amounts cut down."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
import tiny
from helpers import Command

ROOT = Path(__file__).parents[2]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


SERVER = "postgresql+psycopg://tuner@db.example/studies"


CLUSTER = re.compile(r"--cluster auto --workers .*|--workers \d+ --join \d+")
"""Cut down to this machine; tests/faults has a cluster."""


AMOUNTS = {"--trials": "1", "--epochs": "1", "--seeds": "1", "--confirm": "0"}


MORE = {"--trials": "2"}
"""Of a resume, which has a larger budget."""


@pytest.mark.filterwarnings("default")  # as a user's own Python has them
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(
    page: Path, command: Command, home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    tiny.write_archive(home.parent / "images.npz", side=16, channels=3, images=48)
    monkeypatch.syspath_prepend(home.parent)
    names: dict[str, object] = {}
    ran = 0
    whole = page.read_text()
    if SERVER in whole:
        url = servers.without_password(servers.database(request.getfixturevalue("server").url, home))
        monkeypatch.setenv("PGPASSWORD", servers.PASSWORD)
        whole = CLUSTER.sub("--workers 0", whole.replace(SERVER, url))
    for kind, text in BLOCK.findall(whole):
        ran += 1
        named = re.match(r"# file: (\S+)\n", text)
        if kind == "sh":
            for words in commands(text):
                run(words, command)
        elif named:
            (home.parent / named[1]).write_text(text)
        else:
            exec(compile(text, f"{page.name}, block {ran}", "exec"), names)
    assert ran


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block, cut down to seconds; data that would be downloaded are digits."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        amounts = MORE if words[:2] == ["study", "resume"] else AMOUNTS
        cut: list[str] = []
        for word in words:
            last = cut[-1] if cut else ""
            if last == "--manual-dir":
                cut.pop()
            elif last == "--dataset" and not word.startswith("npz:"):
                cut.append("digits")
            else:
                cut.append(amounts.get(last, word))
        if words[:2] == ["study", "run"]:
            cut += [each for option, amount in AMOUNTS.items() if option not in cut for each in (option, amount)]
        yield cut


def run(words: list[str], command: Command) -> None:
    if words[0] == "python":
        subprocess.run([sys.executable, *words[1:]], check=True)
        return
    assert words[0] == "study", words
    code, _, error = command(*words[1:])
    assert code == 0, f"{shlex.join(words)}: {error}"
