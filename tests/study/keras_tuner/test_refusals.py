"""What a tuner refuses, or ends with, is also what KerasTuner raises: a script's `except` goes on catching it."""

import threading
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
import scripts
from keras_tuner import errors

import study.keras_tuner as ours
from study.errors import StudyError, StudyFailure

KINDS = pytest.mark.parametrize("kt", [keras_tuner, ours], ids=["theirs", "ours"])


def build_two(hp: Any) -> keras.Model:
    return scripts.compiled(scripts.network(), hp.Choice("rate", [0.1, 0.01]))


@KINDS
@pytest.mark.parametrize(
    ("kind", "name", "arguments", "said"),
    [
        (ValueError, "RandomSearch", {"hypermodel": build_two, "speed": 3}, "Unrecognized arguments"),
        (ValueError, "RandomSearch", {}, "Received `hypermodel=None`"),
        (ValueError, "RandomSearch", {"hypermodel": "build"}, "`hypermodel` argument should be either"),
        (ValueError, "GridSearch", {"hypermodel": build_two, "objective": "speed"}, "Could not infer optimization"),
        (ValueError, "Tuner", {"hypermodel": build_two, "oracle": "random"}, "Expected `oracle` argument to be"),
        (
            RuntimeError,
            "RandomSearch",
            {"hypermodel": build_two, "allow_new_entries": False},
            "`allow_new_entries` is `False`",
        ),
    ],
)
def test_arguments(kt: Any, kind: type, name: str, arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    if "allow_new_entries" in arguments:
        hp = keras_tuner.HyperParameters()
        hp.Fixed("units", 4)
        arguments = {**arguments, "hyperparameters": hp}
    with pytest.raises(kind, match=said) as caught:
        getattr(kt, name)(directory=tmp_path, **arguments)
    assert isinstance(caught.value, StudyError) == (kt is ours)


class Locked(keras.callbacks.Callback):
    """Cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def fit(returned: Any, *, raised: Exception | None = None) -> Any:
    """A hypermodel whose `fit` trains nothing."""

    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return build_two(hp)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            if raised is not None:
                raise raised
            return returned

    return Own()


@KINDS
@pytest.mark.parametrize(
    ("kind", "hypermodel", "objective", "options", "said"),
    [
        (errors.FatalTypeError, fit("good"), "val_loss", {}, r"value of HyperModel.fit\(\) to be one of float, dict"),
        (errors.FatalTypeError, fit(None), "val_loss", {}, "Did you forget to return the metrics"),
        (errors.FatalTypeError, fit({"val_loss": 1.0}), None, {}, "to be a single float when `objective` is left"),
        (errors.FatalValueError, fit({"mae": 1.0}), "val_loss", {}, "to have the specified objective, val_loss"),
        (errors.FatalRuntimeError, fit(0, raised=errors.FatalRuntimeError("no GPU")), "val_loss", {}, "no GPU"),
        (errors.FatalError, fit(0, raised=errors.FatalError("no GPU")), "val_loss", {}, "no GPU"),
        (RuntimeError, fit(0, raised=OSError("out of luck")), "val_loss", {}, "out of luck"),
        (errors.FatalTypeError, lambda hp: None, "val_loss", {}, "Expected the model-building function"),
        (errors.FatalValueError, build_two, "val_loss", {"callbacks": [Locked()]}, "should be deep-copyable"),
    ],
)
@pytest.mark.filterwarnings("ignore:fit.* does not use its callbacks")
def test_searches(
    kt: Any, kind: type, hypermodel: Any, objective: Any, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    tuner = kt.RandomSearch(hypermodel, objective, 3, max_consecutive_failed_trials=1, directory=tmp_path)
    with pytest.raises(kind, match=said) as caught:
        tuner.search(**{**scripts.DATA, **options})
    assert isinstance(caught.value, StudyError) == (kt is ours)
    if kt is ours and "callbacks" not in options:
        assert isinstance(caught.value, StudyFailure)
        assert "\n" not in str(caught.value)


@KINDS
@pytest.mark.parametrize(
    ("kind", "objective", "returned", "said"),
    [
        (errors.FatalTypeError, "val_loss", "good", r"value of Tuner.run_trial\(\) to be one of float, dict"),
        (errors.FatalTypeError, "val_loss", None, "Did you forget to return the metrics"),
        (errors.FatalTypeError, None, {"val_loss": 1.0}, "to be a single float when `objective` is left"),
    ],
)
def test_what_run_trial_returns(kt: Any, kind: type, objective: Any, returned: Any, said: str, tmp_path: Path) -> None:
    class Own(kt.RandomSearch):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            trial.hyperparameters.Boolean("a")
            return returned

    with pytest.raises(kind, match=said):
        Own(objective=objective, directory=tmp_path).search()


@KINDS
def test_a_project_of_another_algorithm(kt: Any, tmp_path: Path) -> None:
    def declared(name: str) -> Any:
        class Own(getattr(kt, name)):  # type: ignore[misc]
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
                return float(trial.hyperparameters.Boolean("a"))

        return Own

    declared("RandomSearch")(max_trials=1, directory=tmp_path).search()
    with pytest.raises(RuntimeError, match="pass `overwrite=True`"):
        declared("BayesianOptimization")(directory=tmp_path)


@KINDS
def test_what_is_deprecated(kt: Any, tmp_path: Path) -> None:
    class Own(kt.RandomSearch):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, callbacks: Any) -> None:
            assert callbacks == []  # it was given, so `run_trial` is
            loss = float(trial.hyperparameters.Boolean("a"))
            self.oracle.update_trial(trial.trial_id, {"val_loss": loss})

    with pytest.warns(DeprecationWarning, match="`logger` argument"):
        tuner = Own(objective="val_loss", max_trials=1, directory=tmp_path, logger=1)
    with pytest.warns(DeprecationWarning, match="Please remove the call"):
        tuner.search(callbacks=[])
    assert tuner.oracle.get_best_trials()[0].score == 0.0
