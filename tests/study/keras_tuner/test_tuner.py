"""KerasTuner's calls on a study."""

import functools
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import optuna
import pytest
import tiny

import study
from study.errors import StudyError, StudyFailure

Arrays = tuple[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    """Images scaled as KerasTuner's guide does it, and labels: training, validation."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % tiny.CLASSES
    x = rng.integers(0, 120, (120, tiny.SIDE, tiny.SIDE, 1)).astype("float32")
    for label in range(tiny.CLASSES):
        x[y == label, 2 * label : 2 * label + 2, 1:4] += 130
    x /= 255
    return x[:80], y[:80], x[80:], y[80:]


def build_model(hp: Any) -> keras.Model:
    return tiny.compiled(
        keras.layers.Dense(hp.Int("units", 4, 16, step=4), "relu"),
        learning_rate=hp.Float("rate", 1e-3, 0.5, sampling="log", default=0.05),
    )


def searched(folder: Path, arrays: Arrays, hypermodel: Any = build_model, epochs: int = 1, **options: Any) -> Any:
    x, y, x_val, y_val = arrays
    settings = {"objective": "val_accuracy", "max_trials": 4, "directory": folder, "project_name": "guide", **options}
    tuner = study.OptunaTuner(hypermodel, **settings)
    tuner.search(x, y, epochs=epochs, validation_data=(x_val, y_val), verbose=0)
    return tuner


def test_the_calls_of_the_getting_started_guide(tmp_path: Path, arrays: Arrays, capsys: Any) -> None:
    tuner = searched(tmp_path, arrays)
    tuner.search_space_summary()
    tuner.results_summary()
    printed = capsys.readouterr().out
    assert "Default search space size: 2\nunits (Int)" in printed
    assert "Objective: val_accuracy, maximized" in printed
    assert tuner.remaining_trials == 0
    (best,) = tuner.get_best_hyperparameters()
    assert isinstance(best, keras_tuner.HyperParameters)
    values = tuner.study.best()["values"]
    assert best.values == values
    assert f"units: {values['units']}" in printed
    assert tuner.hypermodel.build(best).layers[1].units == best.get("units")
    assert tuner.report().stat().st_size > 100_000


def test_the_best_model_is_the_best_trial_after_its_best_epoch(tmp_path: Path, arrays: Arrays) -> None:
    tuner = searched(tmp_path, arrays, epochs=3, max_trials=3, pruner="none")
    models = tuner.get_best_models(3)
    trials = tuner.study.trials
    complete = trials[trials.state == "complete"].sort_values(["value", "number"], ascending=[False, True])
    assert len(models) == len(complete) == 3
    for model, value in zip(models, complete.value, strict=True):
        accuracy = np.mean(model.predict(arrays[2], verbose=0).argmax(axis=1) == arrays[3])
        assert accuracy == pytest.approx(value)


def test_a_second_search_continues_and_another_process_reads_it(tmp_path: Path, arrays: Arrays, capsys: Any) -> None:
    first = searched(tmp_path, arrays, max_trials=1).study.trials
    tuner = searched(tmp_path, arrays, max_trials=3)
    assert "Reloading the study guide" in capsys.readouterr().out
    assert tuner.study.trials.iloc[:1].equals(first[tuner.study.trials.columns])
    assert len(tuner.study.trials) == 3
    whole = searched(tmp_path / "whole", arrays, max_trials=3)
    compared = ["number", "state", "value", "hp.units", "hp.rate"]
    assert tuner.study.trials[compared].equals(whole.study.trials[compared])
    fresh = study.OptunaTuner(build_model, objective="val_accuracy", directory=tmp_path, project_name="guide")
    fresh.reload()
    assert fresh.get_best_hyperparameters()[0].values == whole.get_best_hyperparameters()[0].values
    assert len(fresh.get_best_models()) == 1
    again = study.OptunaTuner(
        build_model, objective="val_accuracy", directory=tmp_path, project_name="guide", overwrite=True
    )
    assert again.remaining_trials == 10
    with pytest.raises(StudyError, match="no study named 'guide'"):
        again.reload()


def test_images_that_are_bytes_are_fed_from_memory_and_others_by_keras(tmp_path: Path, arrays: Arrays) -> None:
    seen: list[Any] = []

    def build(hp: Any) -> keras.Model:
        hp.Float("rate", 0.01, 0.1)
        model = tiny.compiled()
        keras_fit = model.fit

        @functools.wraps(keras_fit)
        def fit(*args: Any, **kwargs: Any) -> Any:
            seen.append(type(kwargs.get("x", args[0] if args else None)))
            return keras_fit(*args, **kwargs)

        model.fit = fit
        return model

    searched(tmp_path, arrays, build, max_trials=1)
    assert not issubclass(seen.pop(), np.ndarray)
    x, y, x_val, y_val = arrays
    centred = (x * 2 - 1, y, x_val * 2 - 1, y_val)
    searched(tmp_path, centred, build, max_trials=1, project_name="centred")
    assert issubclass(seen.pop(), np.ndarray)


def test_hyperparameters_given_override_the_hypermodels(tmp_path: Path, arrays: Arrays) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("units", [8])
    fixed = searched(tmp_path, arrays, hyperparameters=hp, tune_new_entries=False, max_trials=3).study.trials
    assert set(fixed["hp.units"]) == {8}
    assert set(fixed["hp.rate"]) == {0.05}
    tuned = searched(tmp_path, arrays, hyperparameters=hp, max_trials=3, project_name="tuned").study.trials
    assert set(tuned["hp.units"]) == {8}
    assert tuned["hp.rate"].nunique() == 3
    with pytest.raises(StudyError, match="`allow_new_entries` is `False`, and the hypermodel declares rate"):
        searched(tmp_path, arrays, hyperparameters=hp, allow_new_entries=False, project_name="closed")


def test_a_metric_of_ones_own_and_callbacks(tmp_path: Path, arrays: Arrays) -> None:
    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return build_model(hp)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            model.fit(*args, **kwargs)
            return {"score": hp.get("rate")}

    objective = keras_tuner.Objective("score", direction="min")
    x, y, x_val, y_val = arrays
    tuner = study.OptunaTuner(Own(), objective=objective, max_trials=4, directory=tmp_path)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, min_delta=100.0)
    tuner.search(x, y, epochs=5, validation_data=(x_val, y_val), verbose=0, callbacks=[stop])
    trials = tuner.study.trials
    assert list(trials.value) == list(trials["hp.rate"])
    assert set(trials.epochs) == {2}  # stopped
    assert len(tuner.get_best_models(2)) == 2  # after their last epoch: no epoch logs the objective
    assert stop.best is None or not hasattr(stop, "model") or stop.model is None  # copies were used


def test_a_smaller_budget_is_met_too(tmp_path: Path, arrays: Arrays) -> None:
    searched(tmp_path, arrays, max_trials=2)
    tuner = searched(tmp_path, arrays, max_trials=1)
    assert tuner.remaining_trials == 0
    assert len(tuner.study.trials) == 2


def test_the_dtype_policy_is_the_users(tmp_path: Path, arrays: Arrays) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        searched(tmp_path, arrays, max_trials=1)
        tuner = searched(tmp_path, arrays, max_trials=2)
        assert keras.config.dtype_policy().name == tuner.study.definition.precision == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    assert tuner.get_best_models()[0].layers[1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == before.name


def test_overwriting_ends_what_was_interrupted(tmp_path: Path, arrays: Arrays) -> None:
    searched(tmp_path, arrays, max_trials=1)
    storage = study.load("guide", home=tmp_path).stored.store.storage
    optuna.delete_study(study_name="guide/finals", storage=storage)  # as far as a killed one may have come
    assert len(searched(tmp_path, arrays, max_trials=2, overwrite=True).study.trials) == 2


def test_what_is_given_by_position(tmp_path: Path, arrays: Arrays) -> None:
    x, y, x_val, y_val = arrays

    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return build_model(hp)

        def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
            return model.fit(x, y, validation_data=validation_data, **kwargs)

    def search(hypermodel: Any, *given: Any) -> None:
        name = getattr(hypermodel, "__name__", "own")
        tuner = study.OptunaTuner(hypermodel, objective="val_loss", max_trials=1, directory=tmp_path, project_name=name)
        tuner.search(*given, verbose=0)

    search(build_model, x, y, 32, 1, 0, None, 0.0, (x_val, y_val))
    search(Own(), x, y, (x_val, y_val))
    with pytest.raises(StudyError, match="the data are not those"):
        search(Own(), x, y, (x_val[:30], y_val[:30]))


@pytest.mark.parametrize(
    "options, said",
    [
        ({"objective": "val_speed"}, "Could not infer optimization direction"),
        ({"speed": 3}, "OptunaTuner takes no speed=3"),
        (
            {"max_consecutive_failed_trials": 0, "executions_per_trial": "two"},
            "max_consecutive_failed_trials must be a whole number of at least 1; it was given 0; "
            "executions_per_trial must be a whole number of at least 1; it was given 'two'",
        ),
        ({"sampler": "annealing"}, "--sampler must be one of tpe"),
        ({"tune_new_entries": False}, "need hyperparameters="),
        ({"max_trials": 0}, "max_trials must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said) as caught:
        study.OptunaTuner(build_model, **{"objective": "val_loss", "directory": tmp_path, **options})
    assert "\n" not in str(caught.value)


class Unlucky(keras_tuner.HyperModel):
    """Every configuration fails, but for as many as it is told."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.left = good

    def build(self, hp: Any) -> keras.Model:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("out of luck")
        return model.fit(*args, **kwargs)


def test_a_search_in_which_every_trial_failed_has_failed(tmp_path: Path, arrays: Arrays) -> None:
    with pytest.raises(StudyFailure) as caught:
        searched(tmp_path, arrays, Unlucky(0), max_trials=2)
    assert str(caught.value).startswith("every trial failed, 2 of 2 with RuntimeError: out of luck; ")
    assert "continues" not in str(caught.value)
    assert list(study.load("guide", home=tmp_path).trials.state) == ["fail", "fail"]


@pytest.mark.parametrize("options, most", [({}, 3), ({"max_consecutive_failed_trials": 2}, 2)])
def test_so_many_failures_in_a_row_end_the_search(
    tmp_path: Path, arrays: Arrays, options: dict[str, int], most: int
) -> None:
    with pytest.raises(StudyFailure) as caught:
        searched(tmp_path, arrays, Unlucky(1), max_trials=most + 2, **options)
    assert str(caught.value) == (
        f"{most} trials of Unlucky failed in a row, {most} of {most} with RuntimeError: out of luck; mend the cause, "
        "then search(...) continues"
    )
    assert list(study.load("guide", home=tmp_path).trials.state) == ["complete", *["fail"] * most]
    again = searched(tmp_path, arrays, Unlucky(9), max_trials=most + 2, **options)
    assert list(again.study.trials.state[1 + most :].isin(["complete", "pruned"])) == [True]


def test_a_fatal_error_ends_the_search(tmp_path: Path, arrays: Arrays) -> None:
    def build(hp: Any) -> keras.Model:
        if build_model(hp) and hp.get("units") != 4:
            raise keras_tuner.errors.FatalTypeError("not on this machine")
        return build_model(hp)

    with pytest.raises(StudyFailure, match="of build ended the study: FatalTypeError: not on this machine"):
        searched(tmp_path, arrays, build, max_trials=9)
    assert list(study.load("guide", home=tmp_path).trials.state)[-1:] == ["fail"]


def test_a_project_that_was_started_otherwise(tmp_path: Path, arrays: Arrays) -> None:
    searched(tmp_path, arrays, max_trials=1)
    with pytest.raises(StudyError, match=r"started otherwise \(sampler='tpe' then, 'random' now\)"):
        searched(tmp_path, arrays, max_trials=1, sampler="random")
    x, y, x_val, y_val = arrays
    with pytest.raises(StudyError, match="the data are not those"):
        searched(tmp_path, (x[:60], y[:60], x_val, y_val), max_trials=2)
