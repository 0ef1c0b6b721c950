"""What a user's code prints, raises or ends, and where the output goes: nothing of it ends a study."""

from pathlib import Path

import ending
import pytest
from helpers import Command
from refusals import refused

WORDS = ("--epochs", "1", "--seeds", "1", "--confirm", "0", "--sampler", "kt-grid", "--data-dir", "data")


@pytest.mark.parametrize("space", ["ending:build", "ending:Fitted"])
def test_what_ends_a_users_code_is_a_failed_trial(command: Command, home: Path, archive: Path, space: str) -> None:
    # Nine trials: declared in fit, the kinds are drawn at random, and ten failures in a row end a search.
    code, output, error = command("run", "a", "--space", space, "--dataset", f"npz:{archive}", "--trials", "9", *WORDS)
    assert code == 0, error
    found = ending.kinds("a")
    found.pop("prints", None)  # to what pytest puts in the place of standard output
    assert all(ending.EXPECTED[kind] == row for kind, row in found.items()), found
    assert len(found) >= (3 if space == "ending:Fitted" else len(ending.KINDS) - 1)
    assert "\x1b" not in output
    page = (home / "a" / "report.html").read_text()
    assert "\x1b" not in page
    assert "\\u001b[31mred" not in page


def test_defaults_that_end_the_process(command: Command, home: Path, archive: Path) -> None:
    error = refused(command, "run", "a", "--space", "ending:defaults", "--dataset", f"npz:{archive}")
    assert "cannot build its defaults: SystemExit: usage: spaces.py FILE" in error
    train = ("train", "--space", "ending:defaults", "--values", "{}", "--epochs", "1", "--dataset", f"npz:{archive}")
    assert "cannot be trained: SystemExit: usage: spaces.py FILE" in refused(command, *train)
