"""Trainings that remember more than weights, killed with SIGKILL and resumed, against some that never were."""

import signal
from pathlib import Path
from typing import Any, NamedTuple

import kills
import numpy as np
import pytest
from helpers import studies, study_table
from marks import ON_SQLITE_ALONE

pytestmark = ON_SQLITE_ALONE
HELD = ("StateVariables", "Annealed", "Unbuilt")
NOT_HELD = {
    "LateOptimizer": "the optimizer adam (Adam) makes its variables while the model trains",
    "Counter": "Counter.fit.<locals>.scale.seen changes while the model trains",
}
"""Trainings that are continued, and those that start again, with what is said of them. For more of them, which are
interrupted without a kill, see tests/study/training."""
TRIALS, EPOCHS = 2, 3
DEFINITION = (
    *(word for name in (*HELD, *NOT_HELD) for word in ("--space", f"state_space:{name}")),
    "--trials", str(TRIALS), "--epochs", str(EPOCHS), "--seeds", "1", "--confirm", "0", "--pruner", "none",
    "--sampler", "random",
)  # fmt: skip
IN_SEARCH, IN_FINALS = f"after report:{EPOCHS + 1}", "after checkpoints:2"
"""When a process dies: in the second trial that it trains, or in a final."""
MOST_IN_FINALS = 2


class Killed(NamedTuple):
    """A study and what was killed of it."""

    whole: Path
    broken: Path
    said: str
    """All that was printed."""
    times: int


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A study without a kill, and the same one with many."""
    folder = tmp_path_factory.mktemp("studies")
    whole, broken = folder / "whole", folder / "killed"
    assert _run(whole, "")[0] == 0
    said, in_search, in_finals = "", 0, 0
    while True:
        begun = kills.NAME in studies(broken)
        searched = begun and all(_is_done(rows) for rows in study_table(broken, kills.NAME).values())
        in_finals, in_search = in_finals + searched, in_search + (not searched)
        moment = IN_SEARCH if not searched else IN_FINALS if in_finals <= MOST_IN_FINALS else ""
        code, output = _run(broken, moment)
        said += output
        if code == 0:
            return Killed(whole, broken, said, in_search + in_finals - 1)
        assert code == -signal.SIGKILL, output


def _is_done(rows: list[Any]) -> bool:
    return len(rows) == TRIALS and all(row[1] == "COMPLETE" for row in rows)


def _run(home: Path, moment: str) -> tuple[int, str]:
    """Begin the study, or go on with it."""
    words = ("resume", kills.NAME) if kills.NAME in studies(home) else ("run", kills.NAME, *DEFINITION)
    process = kills.command(home, *words, "--workers", "0", moment=moment)
    output, _ = process.communicate()
    return process.returncode, output


@pytest.mark.parametrize("name", [*HELD, *NOT_HELD])
def test_what_was_killed_ends_as_it_would_have(killed: Killed, name: str) -> None:
    space = f"state_space:{name}"
    assert killed.times > len(HELD) + len(NOT_HELD)
    one, other = (study_table(home, kills.NAME)[space] for home in (killed.whole, killed.broken))
    assert one == other
    assert len({str(row[4]) for row in one}) == TRIALS
    finals = [
        {key: final for key, final in kills._finals(home).items() if key[0] == space}
        for home in (killed.whole, killed.broken)
    ]
    assert finals[0].keys() == finals[1].keys()
    assert finals[0]
    for key, (numbers, predictions) in finals[0].items():
        assert finals[1][key][0] == numbers
        assert all(np.array_equal(finals[1][key][1][kind], array) for kind, array in predictions.items())


def test_what_starts_again_is_said_by_name(killed: Killed) -> None:
    lines = {line for line in killed.said.splitlines() if "no checkpoint is kept" in line}
    assert {line.partition(": ")[2].partition(";")[0].partition(": ")[0] for line in lines} == set(NOT_HELD.values())
    assert "cannot be used" not in killed.said
