"""What this project can do with packages that it does not bring."""

import importlib.util

from study.errors import StudyError

NEEDED = {
    "--sampler gp": ("torch", "gp"),
    "--storage postgresql": ("psycopg", "postgres"),
    "--home URL": ("upath", "objects"),
    "--cluster": ("ray", "ray"),
    "--tensorboard": ("tensorboard", "tensorboard"),
    "--to mlflow": ("mlflow", "mlflow"),
    "notes": ("optuna_dashboard", "dashboard"),
}
"""Option -> the package that it needs, and the extra that brings it."""


def is_installed(option: str) -> bool:
    """Whether the package that an option needs is there; True where it needs none."""
    return option not in NEEDED or importlib.util.find_spec(NEEDED[option][0]) is not None


def check(option: str) -> None:
    """Refuse an option whose package is not there, before anything is begun.

    Raises:
        StudyError: saying how to get it.
    """
    if not is_installed(option):
        package, extra = NEEDED[option]
        raise StudyError(f"{option} needs {package}: pip install 'keras-study[{extra}]', or leave it out")
