"""The driver of a hyperparameter optimisation study for Keras image classifiers.

From Python: `study.run`, `study.resume`, `study.load`, and `study.OptunaTuner` in the place of a KerasTuner tuner.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.api import Study, load, resume, run
    from study.data.given import Data
    from study.errors import StudyError, StudyFailure
    from study.keras_tuner import OptunaTuner

__version__ = "0.1.0"
__all__ = ["Data", "OptunaTuner", "Study", "StudyError", "StudyFailure", "load", "resume", "run"]

_ROOMS = {"Data": "data.given", "OptunaTuner": "keras_tuner", "StudyError": "errors", "StudyFailure": "errors"}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: `study --help` waits for none of it."""
    if name not in __all__ and name != "keras_tuner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    room = _ROOMS.get(name, "api")
    if room != "errors":
        from study.system import packages

        packages.check()
    if name == "keras_tuner":
        return importlib.import_module("study.keras_tuner")
    return getattr(importlib.import_module(f"study.{room}"), name)
