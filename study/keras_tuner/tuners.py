"""KerasTuner's four tuners by their names, and the study's own."""

from typing import Any

import keras_tuner

from study.config import GRID, Definition
from study.keras_tuner import arguments
from study.keras_tuner.arguments import Search
from study.keras_tuner.tuner import Tuner

__all__ = ["BayesianOptimization", "GridSearch", "Hyperband", "OptunaTuner", "RandomSearch", "SklearnTuner", "Tuner"]
SklearnTuner = keras_tuner.SklearnTuner


class RandomSearch(Tuner):
    """KerasTuner's random search, which does not repeat a configuration; the defaults are its first trial.

    The arguments are KerasTuner's; `**kwargs` are those of `Tuner`, and `sampler` and `pruner` as for
    `study run --sampler` and `--pruner`: by default every trial is finished, as in KerasTuner.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        sampler: str = "kt-random",
        pruner: str = "none",
        **kwargs: Any,
    ) -> None:
        search = Search(
            objective=objective, max_trials=max_trials, sampler=sampler, pruner=pruner, seed=seed,
            hyperparameters=hyperparameters, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial, max_consecutive_failed_trials=max_consecutive_failed_trials,
        )  # fmt: skip
        super().__init__(search, hypermodel, **kwargs)


class BayesianOptimization(Tuner):
    """KerasTuner's Bayesian optimisation with a Gaussian process.

    The arguments are KerasTuner's; `**kwargs` are those of `Tuner`, and `pruner` as for `study run --pruner`.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = 10,
        num_initial_points: int | None = None,
        alpha: float = 1e-4,
        beta: float = 2.6,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        pruner: str = "none",
        **kwargs: Any,
    ) -> None:
        search = Search(
            objective=objective, max_trials=max_trials, sampler="kt-bayesian", pruner=pruner, seed=seed,
            settings={"num_initial_points": num_initial_points, "alpha": alpha, "beta": beta},
            hyperparameters=hyperparameters, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial, max_consecutive_failed_trials=max_consecutive_failed_trials,
        )  # fmt: skip
        super().__init__(search, hypermodel, **kwargs)


class GridSearch(Tuner):
    """KerasTuner's grid search: every combination once, in its order; without `max_trials` until the grid is exhausted.

    The arguments are KerasTuner's; `**kwargs` are those of `Tuner`, and `pruner` as for `study run --pruner`.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        pruner: str = "none",
        **kwargs: Any,
    ) -> None:
        search = Search(
            objective=objective, max_trials=max_trials, sampler=GRID, pruner=pruner, seed=seed,
            hyperparameters=hyperparameters, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial, max_consecutive_failed_trials=max_consecutive_failed_trials,
        )  # fmt: skip
        super().__init__(search, hypermodel, **kwargs)


class Hyperband(Tuner):
    """Hyperband's budget with successive halving within each trial: as many configurations as KerasTuner draws for
    `max_epochs`, `factor` and `hyperband_iterations`, each trained for up to `max_epochs`; one in `factor` passes each
    of the epochs 1, factor, factor^2, and so on. Nothing is trained twice.

    The arguments are KerasTuner's; `**kwargs` are those of `Tuner`, and `sampler` as for `study run --sampler`.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int | None = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        sampler: str = "kt-random",
        **kwargs: Any,
    ) -> None:
        search = Search(
            objective=objective, sampler=sampler, seed=seed,
            hyperparameters=hyperparameters, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial, max_consecutive_failed_trials=max_consecutive_failed_trials,
            **arguments.hyperband(max_epochs, factor, hyperband_iterations),
        )  # fmt: skip
        super().__init__(search, hypermodel, **kwargs)


class OptunaTuner(Tuner):
    """A tuner with KerasTuner's calls and Optuna's samplers and pruners.

    >>> tuner = study.OptunaTuner(build_model, objective="val_accuracy", max_trials=20)  # doctest: +SKIP
    >>> tuner.search(x, y, epochs=5, validation_data=(x_val, y_val))  # doctest: +SKIP
    >>> tuner.get_best_hyperparameters()[0], tuner.get_best_models()[0]  # doctest: +SKIP

    Args:
        hypermodel: A HyperModel, or a function `build(hp)`.
        objective: A metric's name (KerasTuner infers the direction of Keras's own), `keras_tuner.Objective`, or a list
            of these, whose sum counts; None is the number that `HyperModel.fit` returns, minimised.
        max_trials: Finished trials, those of earlier calls included; None searches until the space is exhausted.
        sampler: As for `study run --sampler`; `kt-bayesian` is KerasTuner's BayesianOptimization.
        pruner: As for `study run --pruner`; `none` finishes every trial, as KerasTuner does.
        seed: Every random number follows from it; None is 0.
        hyperparameters: Declared before the hypermodel's own, which they override.
        tune_new_entries: Tune what only the hypermodel declares; otherwise it has its default.
        allow_new_entries: Let the hypermodel declare more than `hyperparameters`.
        max_retries_per_trial: Train a trial that raised so many times more, with other seeds.
        max_consecutive_failed_trials: So many failed trials, one after the other, end the search with an exception.
        **kwargs: Those of `Tuner`: `directory`, `project_name`, `overwrite`, `executions_per_trial`, and so on.

    Raises:
        StudyError: what cannot be used.
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = 10,
        sampler: str = Definition.sampler,
        pruner: str = Definition.pruner,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        **kwargs: Any,
    ) -> None:
        search = Search(
            objective=objective, max_trials=max_trials, sampler=sampler, pruner=pruner, seed=seed,
            hyperparameters=hyperparameters, tune_new_entries=tune_new_entries, allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial, max_consecutive_failed_trials=max_consecutive_failed_trials,
        )  # fmt: skip
        super().__init__(search, hypermodel, **kwargs)
