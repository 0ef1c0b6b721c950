"""Options that need a package which only an extra of this project installs."""

import importlib.util

from study.errors import StudyError

NEEDED = {  # option -> the package that it needs, and the extra that installs it
    "--sampler gp": ("torch", "gp"),
    "--storage postgresql": ("psycopg", "postgres"),
    "--home URL": ("upath", "objects"),
    "--cluster": ("ray", "ray"),
    "--tensorboard": ("tensorboard", "tensorboard"),
    "--to mlflow": ("mlflow", "mlflow"),
    "--model tflite": ("ai_edge_litert", "export"),
    "--model tflite-int8": ("ai_edge_litert", "export"),
    "--model onnx": ("onnxruntime", "export"),
    "study dashboard": ("optuna_dashboard", "dashboard"),
    "notes": ("optuna_dashboard", "dashboard"),
}


def is_installed(option: str) -> bool:
    """Whether the package that an option needs is installed; True where it needs none."""
    return option not in NEEDED or importlib.util.find_spec(NEEDED[option][0]) is not None


def check(option: str) -> None:
    """Raise a `StudyError` that says how to install the package that an option needs, where it is missing."""
    if not is_installed(option):
        package, extra = NEEDED[option]
        raise StudyError(f"{option} needs {package}: pip install 'keras-study[{extra}]', or leave it out")
