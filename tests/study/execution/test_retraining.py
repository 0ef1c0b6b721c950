"""One configuration trained outside of a study."""

import shlex
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers import Command, opened

from reports import collect
from reports.panels import best
from study.errors import StudyError
from study.execution import retraining
from study.storage.predictions import STEPS


def test_the_report_s_command_gives_the_model_that_was_tested(command: Command, home: Path, archive: Path) -> None:
    """Its probabilities on the test images are those of the winner's first final."""
    words = ["--dataset", f"npz:{archive}", "--space", "tiny:Tiny", "--trials", "3", "--epochs", "2", "--seeds", "2"]
    assert command("run", "a", *words, "--seed", "3", "--split-seed", "4", "--quiet")[0] == 0
    results = collect.read(opened(home, "a"))
    found = best.info(results, results.spaces[0])
    assert found is not None
    code, output, error = command(*shlex.split(found.command)[1:], "--test", "-o", "again.keras")
    assert (code, error) == (0, "")
    model = keras.saving.load_model("again.keras")
    final, _ = results.finals_of_winner("tiny:Tiny")
    assert output.splitlines() == [
        f"model: again.keras ({model.count_params():,} parameters)",
        f"test accuracy: {100 * final.accuracy:.2f} % ({final.errors} errors in 45)",
    ]
    (kept,) = results.predictions_of([final])
    with np.load(archive) as arrays:
        images = arrays["x_test"].astype("float32") / 255
    np.testing.assert_allclose(np.asarray(model(images)), kept.probabilities, rtol=0, atol=0.5 / STEPS)


@pytest.mark.parametrize("text", ["", "units=3", "[1]", '{"units": [1, 2]}', '{"units": null}', "{'units': 3}"])
def test_values_that_are_no_values(text: str) -> None:
    with pytest.raises(StudyError, match="--values is a JSON object"):
        retraining.parse(text)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"--values": '{"depth": 3}'}, "the search space tiny:Tiny has no depth with these --values"),
        ({"--values": '{"units": 8}'}, "has no units"),  # it is there where kind is deep
        ({"--values": '{"batch_size": -1}'}, "this configuration of tiny:Tiny cannot be trained"),
        ({"--values": '{"batch_size": 2.5}'}, "this configuration of tiny:Tiny cannot be trained"),
        ({"--space": "tiny:None_"}, "None_"),
        ({"--epochs": "0"}, "--epochs must be at least 1"),
        ({"--seed": "-1"}, "--seed must lie in"),
        ({"-o": "model.h5"}, "saved to a .keras file; -o was given"),
        ({"-o": "tiny.npz/model.keras"}, "cannot be written"),
    ],
)
def test_bad_input_is_one_line(command: Command, archive: Path, changes: dict[str, str], words: str) -> None:
    options = {"--space": "tiny:Tiny", "--dataset": f"npz:{archive}", "--values": "{}", "--epochs": "1"} | changes
    given: list[Any] = [word for pair in options.items() for word in pair]
    code, output, error = command("train", *given)
    assert (code, output) == (2, "")
    assert words in error
    assert error.count("\n") == 1
    assert not list(Path().glob("*.keras"))


def test_a_model_that_cannot_be_saved_leaves_its_weights(command: Command, archive: Path) -> None:
    words = ("--space", "spare:Unserialisable", "--dataset", f"npz:{archive}", "--values", "{}", "--epochs", "1")
    code, output, error = command("train", *words, "-o", "mine.keras")
    assert (code, output) == (1, "")
    assert error.count("\n") == 1
    assert "the model cannot be saved as mine.keras (NotImplementedError: Object Doubled" in error
    assert "its weights are kept: " in error
    assert Path("mine.weights.h5").is_file()
    assert not Path("mine.keras").exists()
