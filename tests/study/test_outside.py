"""A HyperModel from outside, unchanged."""

from pathlib import Path

import tiny
from helpers import Command, study_table


def test_kerastuners_resnet_runs(command: Command, home: Path) -> None:
    """Its loss wants one-hot labels, its hyperparameters are conditional, its classes are called `classes`."""
    archive = tiny.write_archive(home.parent / "colour.npz", images=48, channels=3, side=16)
    space = "keras_tuner.applications:HyperResNet"
    code, output, error = command(
        "run", "resnet", "--space", space, "--dataset", f"npz:{archive}", "--trials", "2", "--epochs", "1",
        "--seeds", "1", "--seed", "8",  # whose second configuration is not the deepest
    )  # fmt: skip
    assert (code, error) == (0, ""), output
    rows = study_table(home, "resnet")[space]
    assert [row[1] for row in rows] == ["COMPLETE", "COMPLETE"]
    assert rows[0][5]["version"] == "v2"
    assert (home / "resnet" / "models" / "keras_tuner.applications-HyperResNet.keras").is_file()
