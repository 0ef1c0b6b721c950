"""The standard streams of a program, in real processes: encodings, readers that go away, closed and full ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from study.system import streams
streams.last()
for number in range(3000):
    print("line", number, "é ✓ \\udcff")
print("an error ✓", file=sys.stderr)
sys.exit(5 if streams.lost() else 0)
"""


def run(redirection: str = "", encoding: str = "utf-8") -> tuple[int, bytes, bytes]:
    """The program under a shell: exit code, standard output, standard error."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    shell = f'set -o pipefail; "$0" -c "$1" {redirection}'
    done = subprocess.run(["bash", "-c", shell, sys.executable, PROGRAM], capture_output=True, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "encoding, first",
    [
        ("utf-8", "line 0 é ✓ \\udcff"),
        ("ascii", "line 0 \\xe9 \\u2713 \\udcff"),
        ("latin-1", "line 0 é \\u2713 \\udcff"),
        ("utf-16", "line 0 é ✓ \\udcff"),
    ],
)
def test_every_encoding_has_what_is_printed(encoding: str, first: str) -> None:
    code, output, error = run(encoding=encoding)
    lines = output.decode(encoding).splitlines()
    assert (code, lines[0], len(lines)) == (0, first, 3000)
    assert b"Traceback" not in error


def test_a_reader_that_goes_away_ends_the_output_alone() -> None:
    code, output, error = run("| head -n 1")
    assert (code, output.decode()) == (0, "line 0 é ✓ \\udcff\n")
    assert error.decode() == "an error ✓\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before(closed: str) -> None:
    code, output, error = run(closed)
    assert code == 0
    assert bool(output) == (" >&-" not in f" {closed}")
    assert error in (b"", "an error ✓\n".encode())


def test_what_a_full_disk_loses_is_known() -> None:
    code, _, error = run("> /dev/full")
    assert (code, error.decode()) == (5, "an error ✓\n")


def test_a_file_that_is_opened_later_is_not_what_others_print_to(tmp_path: Path) -> None:
    program = (
        "from study.system import streams; streams.last(); import os, sys\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w'); assert file.fileno() > 2\n"
        "os.write(1, b'from C'); print('from Python', flush=True)"
    )
    subprocess.run(["bash", "-c", '"$0" -c "$1" >&- 2>&-', sys.executable, program], check=True)
    assert (tmp_path / "file").read_text() == ""
