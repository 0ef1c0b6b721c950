"""What commands that train show outside of this process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tiny
from helpers import Command

RUN = ("--space", "tiny:Tiny", "--trials", "2", "--epochs", "1", "--seeds", "1", "--quiet")


def test_optunas_own_command_line_lists_the_trials(command: Command, home: Path, archive: Path) -> None:
    command("run", "a", "--dataset", f"npz:{archive}", "--space", "dense", "--trials", "2", "--epochs", "1",
            "--seeds", "1", "--quiet")  # fmt: skip
    optuna_command = Path(sys.executable).parent / "optuna"
    listed = subprocess.run(
        [optuna_command, "trials", "--study-name", "a/dense", "--storage", f"sqlite:///{home}/study.db", "-f", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [trial["number"] for trial in json.loads(listed.stdout)] == [0, 1]


def in_a_process(archive: Path) -> dict[str, Any]:
    """The arguments and the environment of `study run` in a process of its own."""
    words = ["-m", "study", "run", "--dataset", f"npz:{archive}", "--data-dir", "data", *RUN[:-1], "--confirm", "0"]
    return {
        "args": [sys.executable, *words],
        "env": {
            **os.environ,
            "PYTHONPATH": str(Path(tiny.__file__).parent),
            "TERM": "xterm-256color",
            "COLUMNS": "120",
        },
    }


def test_tensorflows_noise_is_kept_out(home: Path, archive: Path) -> None:
    made = in_a_process(archive)
    made["args"].append("--quiet")
    done = subprocess.run(**made, cwd=home.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_live_display_on_a_terminal(home: Path, archive: Path) -> None:
    """On a real pseudo-terminal: bars that move, and no more lines than trials and finals afterwards."""
    import pty

    main_end, other_end = pty.openpty()
    process = subprocess.Popen(**in_a_process(archive), cwd=home.parent, stdout=other_end, stderr=other_end)
    os.close(other_end)
    chunks = []
    while True:
        try:
            chunk = os.read(main_end, 65536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(main_end)
    shown = b"".join(chunks).decode()
    assert process.wait() == 0
    for part in ("tiny:Tiny", "2/2", "trial 1, epoch", "best 0.", "finals", "left"):
        assert part in shown, part
