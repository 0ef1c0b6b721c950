"""The recommended model in other formats, each run by a process of its own that does not know this package."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import Command, opened
from keras import layers
from refusals import refused

import study
from study.execution import exporting
from study.storage import results

READERS = {
    "tflite": """
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(model_path=file)
given, output = model.get_input_details()[0], model.get_output_details()[0]
model.resize_tensor_input(given["index"], x.shape)
model.allocate_tensors()
model.set_tensor(given["index"], x)
model.invoke()
found = model.get_tensor(output["index"])
""",
    "onnx": """
import onnxruntime
model = onnxruntime.InferenceSession(file)
(found,) = model.run(None, {model.get_inputs()[0].name: x})
""",
    "saved_model": """
import tensorflow
model = tensorflow.saved_model.load(file)
found = model.serve(x).numpy()
""",
}
READERS["tflite-int8"] = READERS["tflite"]
SCRIPT = """
import sys
import numpy as np
file, archive = sys.argv[1:]
with np.load(archive) as arrays:
    x, y = arrays["x_test"].astype("float32") / 255, arrays["y_test"]
{reader}
assert not [name for name in sys.modules if name.partition(".")[0] in ("study", "keras_study", "search_spaces")]
print((found.argmax(axis=1) != y).sum())
"""


@pytest.mark.parametrize("kind", exporting.ENDINGS)
def test_an_exported_model_makes_the_errors_that_are_printed(
    kind: str, finished: Path, archive: Path, command: Command, tmp_path: Path
) -> None:
    file = f"model{exporting.ENDINGS[kind]}"
    code, output, error = command("export", "a", "--model", kind, "-o", file)
    assert (code, error) == (0, "")
    script = SCRIPT.format(reader=READERS[kind])
    run = [sys.executable, "-c", script, file, str(archive)]
    errors = int(subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path).stdout)
    winner = study.load("a").best()
    final = next(
        each for each in results.finals(opened(finished, "a"))
        if (each.space, each.trial, each.seed_index) == (winner["space"], winner["trial"], 0)
    )  # fmt: skip
    accuracy, before = 100 * (1 - errors / 45), 100 * final.accuracy
    assert f", test accuracy {accuracy:.2f} % on 45 images (as a Keras model {before:.2f} %)" in output
    assert kind == "tflite-int8" or errors == final.errors


def test_mixed_precision_is_exported_in_float32(tmp_path: Path) -> None:
    """A sum of layers too, and what lies within another model."""
    inputs = keras.Input((6, 6, 1))
    flat = layers.Flatten()(inputs)
    inner = keras.Sequential([layers.Dense(36, dtype="mixed_bfloat16")])
    outputs = layers.Dense(3, "softmax", dtype="float32")(inner(flat) + flat)
    model = keras.Model(inputs, outputs)
    exporting._write(exporting._in_float32(model), "tflite", tmp_path / "model.tflite")
    x = np.random.default_rng(0).random((5, 6, 6, 1)).astype("float32")
    found = exporting._runtime("tflite", tmp_path / "model.tflite")(x)
    np.testing.assert_allclose(found, model(x), atol=0.02)
    exact = exporting._in_float32(model)(x)
    np.testing.assert_allclose(found, exact, atol=1e-6)
    assert not np.allclose(found, model(x), atol=1e-6)


def test_a_model_is_not_tested_on_other_images(archive: Path, command: Command) -> None:
    words = ("--space", "tiny:Tiny", "--trials", "1", "--epochs", "1", "--seeds", "1", "--quiet")
    assert command("run", "a", "--dataset", f"npz:{archive}", *words)[0] == 0
    with np.load(archive) as arrays:
        changed = {name: array[::-1] for name, array in arrays.items()}
    np.savez(archive, **changed)
    said = refused(command, "export", "a", "--model", "saved_model", "-o", "saved")
    assert "saved is written; it is not tested, because the data are not those of the study any more" in said
    assert Path("saved").is_dir()


@pytest.mark.parametrize(
    "words, said",
    [
        (("--model", "tflite", "-o", "model.onnx"), "--model tflite writes a .tflite file; -o was given"),
        (("--model", "saved_model", "-o", "model.keras"), "--model saved_model writes a folder, without an ending"),
        (("--model", "saved_model", "-o", "runs"), "runs exists; give another -o, or delete it"),
        (("--model", "onnx"), "--model onnx needs -o, the file, and takes no --to"),
        (("-o", "trials.csv", "--space", "dense"), "--space chooses a model"),
        (("--model", "onnx", "-o", "m.onnx", "--space", "dense"), "space must be one of"),
    ],
)
def test_bad_input_is_a_line(words: tuple[str, ...], said: str, finished: Path, command: Command) -> None:
    assert said in refused(command, "export", "a", *words)
