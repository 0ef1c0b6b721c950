"""Other people on this machine, who may read what is not theirs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ALICE, BOB = 61001, 61002
"""Numbers of users that no machine has by name."""


def words(user: int, *command: str) -> list[str]:
    """A command as it is run by a user."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]


@contextmanager
def shared() -> Iterator[Path]:
    """A folder into which everybody may write, for the length of a test; it is skipped where nobody can be somebody
    else, or others may not start this interpreter."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root can be somebody else")
    # Not pytest's own folder: each pytest that starts closes it to others.
    with tempfile.TemporaryDirectory(prefix="study-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)
        code, said = run(ALICE, folder, "-c", "import study.api")
        if code:
            pytest.skip(f"others may not start {sys.executable}: {said}")
        yield folder


def run(user: int, folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run Python in a folder as a user, with a home folder in it: exit code, and what it printed."""
    process = start(user, folder, *arguments, **variables)
    said, _ = process.communicate()
    return process.returncode, said


def start(user: int, folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start Python in a folder as a user."""
    own = folder / f"home-of-{user}"
    if not own.exists():
        own.mkdir()
        own.chmod(0o777)
    tests = Path(__file__).parents[1]
    paths = [str(tests / "support"), str(tests / "faults"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "HOME": str(own), "PYTHONPATH": os.pathsep.join(paths), **variables}
    return subprocess.Popen(
        words(user, sys.executable, *arguments), cwd=folder, env=environment, text=True, umask=0o022,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
