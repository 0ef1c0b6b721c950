"""What is found out of a space before its search: whether its trials are independent, and its finals mean something."""

from pathlib import Path

import pytest
from helpers import Command, studies, study_table

WORDS = ("--trials", "2", "--epochs", "2", "--seeds", "1", "--confirm", "0", "--sampler", "random", "--pruner", "none")


def words(space: str, archive: Path) -> tuple[str, ...]:
    return ("--space", f"dependent:{space}", "--dataset", f"npz:{archive}", *WORDS)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("SharedBase", "the layer base (Sequential) was made outside build(hp) and a trial changes it"),
        ("Folds", "fit of dependent:Folds does not train the model that build(hp) returned"),
    ],
)
def test_what_would_be_wrong_is_refused_before_anything_is_created(
    command: Command, home: Path, archive: Path, space: str, said: str
) -> None:
    code, _, error = command("run", "a", *words(space, archive))
    assert code == 2
    assert said in error
    assert "Traceback" not in error
    assert studies(home) == []
    assert not (home / "a").exists()


def test_what_other_configurations_share_is_refused_at_their_first(command: Command, home: Path, archive: Path) -> None:
    code, _, error = command("run", "a", *words("LateBase", archive), "--trials", "12")
    assert code == 2
    assert "the layer late (Dense) was made outside build(hp)" in error


@pytest.mark.parametrize("space", ["Policy", "FrozenBase"])
def test_a_study_in_two_sessions_is_one_in_one(command: Command, home: Path, archive: Path, space: str) -> None:
    assert command("run", "whole", *words(space, archive), "--epochs", "1")[0] == 0
    assert command("run", "a", *words(space, archive), "--epochs", "1", "--trials", "1")[0] == 0
    assert command("resume", "a", "--trials", "2")[0] == 0
    assert study_table(home, "a") == study_table(home, "whole")


def test_what_cannot_be_repeated_is_said(command: Command, archive: Path) -> None:
    smallest = ("--trials", "1", "--epochs", "1")
    code, output, error = command("run", "a", *words("Counter", archive), *smallest)
    assert code == 0
    said = [line for line in (output + error).splitlines() if "does not train twice alike" in line]
    assert len(said) == 1
    assert said[0].startswith("dependent:Counter ")
    code, output, error = command("run", "b", *words("Policy", archive), *smallest)
    assert "does not train twice alike" not in output + error
