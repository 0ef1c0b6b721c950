"""KerasTuner's tuner of anything."""

from pathlib import Path
from typing import Any

from study.keras_tuner.tuner import Tuner

__all__ = ["BaseTuner"]


class BaseTuner(Tuner):
    """A tuner whose subclasses bring `run_trial`: it may build and train anything, such as models of scikit-learn.

    The arguments are KerasTuner's; `**kwargs` are those of `Tuner`. `get_best_models` needs the subclass's own
    `load_model` where the models are not Keras's.
    """

    def __init__(
        self,
        oracle: Any,
        hypermodel: Any = None,
        directory: str | Path | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            oracle, hypermodel, directory=directory, project_name=project_name, overwrite=overwrite, **kwargs
        )
