"""Objects that worker processes cannot find: what notebooks and scripts define."""

import os
import subprocess
import sys
from pathlib import Path

import tiny

SPACE = """
import keras, study
class Cell(__import__("keras_tuner").HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model
def build(hp):
    return Cell().build(hp)
class Stop(keras.callbacks.EarlyStopping):
    pass
"""
"""What a notebook defines in a cell."""


TRY = """
def start(**options):
    try:
        study.run("a", dataset="npz:tiny.npz", data_dir="data", trials=1, epochs=1, seeds=1, confirm=0, workers=1,
                  quiet=True, **options)
    except study.StudyError as error:
        print(error)
"""


def run(folder: Path, *words: str, text: str | None = None) -> tuple[int, str, str]:
    """Python in a folder: exit code, standard output, standard error."""
    tiny.write_archive(folder / "tiny.npz")
    environment = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent)}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, input=text
    )
    return done.returncode, done.stdout, done.stderr


def test_what_a_notebook_defines_cannot_be_found_by_workers(tmp_path: Path) -> None:
    """No process begins, so the program ends although worker processes could not even import its main module."""
    each = "start(spaces=[Cell])\nstart(spaces={'mine': Cell()})\nstart(spaces=build)\nstart(spaces=lambda hp: None)\n"
    each += "start(spaces=['tiny:Tiny'], callbacks=Stop())\n"
    code, output, _ = run(tmp_path, "-c", SPACE + TRY + each)
    assert code == 0
    lines = output.splitlines()
    for line, name in zip([*lines[:3], lines[4]], ["Cell", "Cell", "build", "Stop"], strict=True):
        assert line == (
            f"worker processes cannot import {name}, which this notebook or session defines; put it into a module, or "
            "give workers=0"
        )
    assert lines[3].startswith("a search space's name consists of") or "must be picklable" in lines[3]
    assert len(lines) == 5
    assert not (tmp_path / "runs").exists()


def test_a_script_from_standard_input_cannot_be_imported_again(tmp_path: Path) -> None:
    code, output, _ = run(tmp_path, "-", text=SPACE + TRY + "start(spaces=[Cell])\n")
    assert code == 0
    (line,) = output.splitlines()
    assert line.endswith("or give workers=0")


def test_a_script_without_its_guard_is_told_once(tmp_path: Path) -> None:
    """Each worker process would start the study again; that is seen in the first one."""
    (tmp_path / "mine.py").write_text(SPACE + TRY + "start(spaces=['tiny:Tiny'])\n")
    code, output, error = run(tmp_path, "mine.py")
    assert (code, "Traceback" in error) == (0, False)  # TensorFlow says more, where a script imports it
    (line,) = output.splitlines()
    assert line == (
        "each worker process imports this script, which starts the study again; put what starts it under "
        "'if __name__ == \"__main__\":', or give workers=0"
    )


def test_a_class_under_the_guard_is_not_found(tmp_path: Path) -> None:
    guarded = 'if __name__ == "__main__":\n    class Guarded(Cell):\n        pass\n    start(spaces=[Guarded])\n'
    (tmp_path / "mine.py").write_text(SPACE + TRY + guarded)
    code, output, error = run(tmp_path, "mine.py")
    assert (code, "Traceback" in error) == (0, False)  # TensorFlow says more, where a script imports it
    (line,) = output.splitlines()
    assert line.startswith("a worker process cannot import what was given as an object (AttributeError: ")
    assert line.endswith("; define it at the top of a module, or give workers=0")
