"""A study's model in the formats of other runtimes, tested again as they run it."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from study.config import ARRAYS, DATA
from study.data import datasets
from study.errors import StudyError, one_line
from study.storage.store import StoredStudy
from study.system import files
from study.system.signals import contained
from study.training.parts import parts
from study.training.prediction import probabilities

ENDINGS = {"saved_model": "", "tflite": ".tflite", "tflite-int8": ".tflite", "onnx": ".onnx"}
"""How the name of a model's file ends, by format; a SavedModel is a folder."""

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""What a runtime makes of images (n, height, width, channels): probabilities (n, classes)."""


class Exported(NamedTuple):
    """A model that was written."""

    bytes: int
    test_images: int | None
    """None where it was not tested: the data were given in Python."""
    errors: int | None
    """Test images whose most probable class is wrong."""


def check(kind: str, file: Path) -> None:
    """Refuse a name that is not one of the format's, and a folder that is there already.

    Raises:
        StudyError: saying so.
    """
    ending = ENDINGS[kind]
    if file.suffix != ending:
        what = f"a {ending} file" if ending else "a folder, without an ending"
        raise StudyError(f"--model {kind} writes {what}; -o was given {file}")
    if not ending and file.exists():
        raise StudyError(f"{file} exists; give another -o, or delete it")


def export(study: StoredStudy, model: keras.Model, kind: str, file: Path) -> Exported:
    """Write a model by Keras's own exporters, and test what was written with the runtime of its format.

    Args:
        study: Whose model it is.
        model: As it was saved.
        kind: One of `ENDINGS`. Models that compute in mixed precision are written in float32; `tflite-int8` keeps the
            weights in 8 bits (dynamic range quantisation) and computes in float32.
        file: Where it is written, see `check`.

    Raises:
        StudyError: Keras cannot export it, the file cannot be written, or the test images cannot be read; what was
            written is kept.
    """
    check(kind, file)
    try:
        with contained(), warnings.catch_warnings(action="ignore"):
            _write(_in_float32(model), kind, file)
    except OSError as error:
        raise StudyError(f"{file} cannot be written ({error.strerror or error}); give another -o") from None
    except Exception as error:  # whatever a converter raises
        raise StudyError(f"Keras cannot export this model as {kind}: {one_line(error, 300)}") from error
    size = files.size(file) if file.is_dir() else file.stat().st_size
    if study.definition.dataset in (ARRAYS, DATA):
        return Exported(size, None, None)
    dataset = datasets.of(study.definition, study.resources)
    if dataset.parts != study.fingerprint.get("details", {}).get("data"):
        raise StudyError(f"{file} is written; it is not tested, because the data are not those of the study any more")
    images = dataset.test()
    try:
        with warnings.catch_warnings(action="ignore"):
            run = _runtime(kind, file)
            found = probabilities(lambda part, training: run(np.asarray(part)), images)  # as a model is called
    except Exception as error:  # whatever a runtime raises
        raise StudyError(f"{file} is written, but its runtime cannot run it: {one_line(error, 300)}") from error
    return Exported(size, len(images), int((found.argmax(axis=1) != images.y).sum()))


def _write(model: keras.Model, kind: str, file: Path) -> None:
    if kind == "saved_model":
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=files.mine(), dir=file.parent) as own:
            draft = Path(own) / file.name
            model.export(draft, format="tf_saved_model", verbose=False)
            draft.rename(file)
        return
    model(keras.ops.zeros((1, *model.input_shape[1:])))  # Keras writes ONNX of models that were called
    options: dict[str, Any] = {"format": "onnx"} if kind == "onnx" else {"format": "litert"}
    if kind == "tflite-int8":
        import tensorflow as tf

        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
    files.write_whole(file, lambda draft: model.export(draft, verbose=False, **options))


def _in_float32(model: keras.Model) -> keras.Model:
    """The model, or one with its weights whose layers all compute in float32."""
    if all(each.compute_dtype == "float32" for each in parts(model) if isinstance(each, keras.layers.Layer)):
        return model

    def in_float32(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):  # an operation, such as a sum
            return layer
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    found = keras.models.clone_model(model, clone_function=in_float32, recursive=True)
    found.set_weights(model.get_weights())
    return found


def _runtime(kind: str, file: Path) -> Run:
    """What runs a file as its users do, without Keras."""
    if kind == "saved_model":
        import tensorflow as tf

        served = tf.saved_model.load(str(file))
        return lambda images: np.asarray(served.serve(images))
    if kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file))
        name = session.get_inputs()[0].name
        return lambda images: np.asarray(session.run(None, {name: images})[0])
    return _interpreter(file)


def _interpreter(file: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file))
    given, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.resize_tensor_input(given, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given, images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output))

    return run
