"""Small scripts of the kinds that people write with KerasTuner. Each gets the module that it would import and a folder,
and returns what it ends with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

Script = Callable[[Any, Path], Any]
FEATURES, CLASSES, EXAMPLES = 4, 3, 36
rng = np.random.default_rng(0)
Y = np.arange(EXAMPLES) % CLASSES
X = (rng.normal(size=(EXAMPLES, FEATURES)) + 2 * np.eye(CLASSES, FEATURES)[Y]).astype("float32")
TRAIN, HELD_OUT = (X[:24], Y[:24]), (X[24:], Y[24:])
DATA = {"x": X[:24], "y": Y[:24], "validation_data": HELD_OUT, "epochs": 1, "verbose": 0}

scripts: dict[str, Script] = {}
"""By name."""


def script(function: Script) -> Script:
    scripts[function.__name__] = function
    return function


def compiled(model: keras.Model, rate: float = 0.01, **options: Any) -> keras.Model:
    settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(optimizer=keras.optimizers.Adam(rate), run_eagerly=True, **settings)
    return model


def network(*hidden: Any) -> keras.Model:
    return keras.Sequential([keras.Input((FEATURES,)), *hidden, layers.Dense(CLASSES, "softmax")])


def build_model(hp: Any) -> keras.Model:
    units = hp.Int("units", min_value=4, max_value=16, step=4)
    return compiled(network(layers.Dense(units, "relu")), hp.Choice("learning_rate", [1e-2, 1e-3]))


def best(tuner: Any) -> Any:
    return tuner.get_best_hyperparameters(num_trials=1)[0]


@script
def random_search(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        build_model, objective="val_accuracy", max_trials=2, executions_per_trial=1, directory=folder, project_name="a"
    )
    tuner.search_space_summary()
    tuner.search(*TRAIN, epochs=1, validation_data=HELD_OUT, verbose=0)
    tuner.results_summary()
    model = tuner.hypermodel.build(best(tuner))
    history = model.fit(*TRAIN, epochs=1, verbose=0)
    return best(tuner), history.history, isinstance(tuner, kt.Tuner)


@script
def arguments_by_position(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(build_model, "val_loss", 2, 1, directory=str(folder))
    tuner.search(X, Y, 12, 1, 0, None, 0.25)
    return best(tuner), tuner.remaining_trials


@script
def bayesian_with_its_numbers(kt: Any, folder: Path) -> Any:
    tuner = kt.BayesianOptimization(
        build_model, "val_accuracy", max_trials=3, num_initial_points=2, alpha=1e-3, beta=2.0, seed=7, directory=folder
    )
    tuner.search(**DATA)
    return best(tuner), tuner.get_best_models(num_models=2)


@script
def hyperband_without_epochs(kt: Any, folder: Path) -> Any:
    tuner = kt.Hyperband(
        build_model, objective="val_accuracy", max_epochs=2, factor=3, hyperband_iterations=1, directory=folder,
        project_name="intro_to_kt",
    )  # fmt: skip
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)
    tuner.search(*TRAIN, validation_split=0.2, callbacks=[stop], verbose=0)
    model = tuner.hypermodel.build(best(tuner))
    return model, tuner.get_best_models()[0].evaluate(*HELD_OUT, verbose=0)


@script
def grid_without_max_trials(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        kind = hp.Choice("kind", ["plain", "deep"])
        with hp.conditional_scope("kind", ["deep"]):
            hp.Boolean("bias")
        return compiled(network(), hp.Choice("rate", [0.1, 0.01]) if kind else 0)

    tuner = kt.GridSearch(build, objective="val_loss", directory=folder)
    tuner.search(**DATA)
    trials = [tuner.oracle.trials[each].hyperparameters.values for each in tuner.oracle.start_order]
    return [str(sorted(each.items())) for each in trials], tuner.remaining_trials


@script
def batch_size_in_fit(kt: Any, folder: Path) -> Any:
    class Own(kt.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return build_model(hp)

        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            return model.fit(
                *args, batch_size=hp.Choice("batch_size", [8, 16]), shuffle=hp.Boolean("shuffle"), **kwargs
            )

    hypermodel = Own(name="own")
    tuner = kt.RandomSearch(hypermodel, objective="val_accuracy", max_trials=2, directory=folder, overwrite=True)
    tuner.search(**DATA)
    hp = best(tuner)
    hypermodel.fit(hp, hypermodel.build(hp), *TRAIN, verbose=0)
    return hp


@script
def several_executions(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        build_model, objective="val_loss", max_trials=2, executions_per_trial=2, directory=folder
    )  # fmt: skip
    tuner.search(**DATA)
    return tuner.oracle.get_best_trials()[0].score, tuner.get_best_models()


@script
def trials_of_the_oracle(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(build_model, objective="val_accuracy", max_trials=2, directory=folder)
    tuner.search(**DATA)
    rows = []
    for trial in tuner.oracle.get_best_trials(num_trials=2):
        assert tuner.oracle.get_trial(trial.trial_id).score == trial.score
        loss = trial.metrics.get_best_value("val_loss"), trial.metrics.get_history("loss")[0].value
        rows.append((trial.trial_id, trial.hyperparameters.values, trial.score, loss, trial.status, trial.best_step))
        trial.summary()
    assert rows[0][2] >= rows[1][2]
    return (
        sorted(rows, key=lambda row: row[0]),
        sorted(tuner.oracle.trials),
        tuner.oracle.objective.name,
        tuner.oracle.objective.direction,
    )


@script
def the_best_k_models(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(build_model, objective="val_accuracy", max_trials=3, directory=folder)
    tuner.search(**DATA)
    models, scores = tuner.get_best_models(num_models=3), [each.score for each in tuner.oracle.get_best_trials(3)]
    for model, score in zip(models, scores, strict=True):
        assert abs(model.evaluate(*HELD_OUT, verbose=0)[1] - score) < 1e-5
    return models, tuner.get_best_hyperparameters(3)


@script
def logs_for_tensorboard(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(build_model, objective="val_accuracy", max_trials=2, directory=folder / "search")
    tuner.search(**DATA, callbacks=[keras.callbacks.TensorBoard(folder / "logs")])
    return sorted(str(each.relative_to(folder)) for each in (folder / "logs").glob("*/execution0/*") if each.is_dir())


@script
def a_dated_project(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        build_model, objective="val_loss", max_trials=1, directory=folder, project_name="My search, 2024-05-01 / b"
    )
    tuner.search(**DATA)
    return best(tuner), Path(tuner.project_dir).is_dir()


@script
def own_loop_with_an_uncompiled_model(kt: Any, folder: Path) -> Any:
    class Own(kt.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return network(layers.Dense(hp.Int("units", 4, 8)))

        def fit(self, hp: Any, model: keras.Model, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> float:
            optimizer = keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
            loss = keras.losses.SparseCategoricalCrossentropy()
            with tf.GradientTape() as tape:
                value = loss(y, model(x, training=True))
            optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
            return float(loss(validation_data[1], model(validation_data[0])))

    tuner = kt.RandomSearch(Own(), max_trials=2, directory=folder)
    tuner.search(*TRAIN, validation_data=HELD_OUT)
    return best(tuner)


@script
def own_loop_that_calls_its_callbacks(kt: Any, folder: Path) -> Any:
    class Own(kt.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return network(layers.Dense(hp.Int("units", 4, 8)))

        def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any = None, **kwargs: Any) -> Any:
            optimizer, loss = keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy()
            for callback in callbacks:
                callback.set_model(model)
            values = []
            for epoch in range(2):
                with tf.GradientTape() as tape:
                    value = loss(Y, model(X, training=True))
                optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
                values.append(float(loss(Y, model(X))))
                for callback in callbacks:
                    callback.on_epoch_end(epoch, logs={"my_metric": values[-1]})
            return min(values)

    tuner = kt.RandomSearch(Own(), objective=kt.Objective("my_metric", "min"), max_trials=2, directory=folder)
    tuner.search()
    (model,), (trial,) = tuner.get_best_models(), tuner.oracle.get_best_trials()
    assert abs(float(keras.losses.SparseCategoricalCrossentropy()(Y, model(X))) - trial.score) < 1e-5
    return model, best(tuner)


class Classifier(keras.Model):
    """A model that is built when it is first called."""

    def __init__(self, units: int = 4) -> None:
        super().__init__()
        self.hidden, self.out = layers.Dense(units, "relu"), layers.Dense(CLASSES, "softmax")

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))


class TwoInputs(Classifier):
    """One that is called with a dictionary."""

    def call(self, x: Any) -> Any:
        return self.out(layers.concatenate([self.hidden(x["left"]), x["right"]]))


class OwnStep(keras.Model):
    """One without `call`, which trains two networks by a step of its own."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(units)])
        self.decoder = keras.Sequential([keras.Input((units,)), layers.Dense(FEATURES)])
        self.tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.decoder(self.encoder(data)) - data) ** 2)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


def scores_its_trial(tuner: Any, x: Any) -> Any:
    (model,), (trial,) = tuner.get_best_models(), tuner.oracle.get_best_trials()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert abs(model.evaluate(x, Y, verbose=0)[0] - trial.score) < 1e-4
    return type(model).__name__


@script
def a_subclassed_model(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        return compiled(Classifier(hp.Int("units", 4, 8)))

    tuner = kt.RandomSearch(build, objective="val_loss", max_trials=2, directory=folder)
    tuner.search(X, Y, validation_data=(X, Y), verbose=0)
    return scores_its_trial(tuner, X)


@script
def a_sequential_model_without_an_input(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        return compiled(keras.Sequential([layers.Dense(hp.Int("units", 4, 8)), layers.Dense(CLASSES, "softmax")]))

    tuner = kt.RandomSearch(build, objective="val_loss", max_trials=2, directory=folder)
    tuner.search(X, Y, validation_data=(X, Y), verbose=0)
    return scores_its_trial(tuner, X)


@script
def a_subclassed_model_with_two_inputs(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        return compiled(TwoInputs(hp.Int("units", 4, 8)))

    x = {"left": X, "right": -X}
    tuner = kt.RandomSearch(build, objective="val_loss", max_trials=2, directory=folder)
    tuner.search(x, Y, validation_data=(x, Y), verbose=0)
    return scores_its_trial(tuner, x)


@script
def a_training_step_of_its_own(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        model = OwnStep(hp.Int("units", 2, 3))
        model.compile(optimizer="adam", run_eagerly=True)
        return model

    tuner = kt.RandomSearch(build, objective=kt.Objective("loss", "min"), max_trials=2, directory=folder)
    tuner.search(X, epochs=2, verbose=0)
    return best(tuner), tuner.get_best_models()


@script
def run_trial_that_tunes_the_batch(kt: Any, folder: Path) -> Any:
    class Own(kt.BayesianOptimization):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            kwargs["batch_size"] = trial.hyperparameters.Int("batch_size", 4, 16, step=4)
            return super().run_trial(trial, *args, **kwargs)

    tuner = Own(build_model, objective="val_accuracy", max_trials=2, directory=folder, project_name="own")
    tuner.search(**DATA)
    return best(tuner), tuner.get_best_models()


@script
def run_trial_as_a_black_box(kt: Any, folder: Path) -> Any:
    class Own(kt.RandomSearch):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> float:
            x = trial.hyperparameters.Float("x", -2.0, 2.0)
            return float(x * x + 2 * x + 1)

    tuner = Own(max_trials=3, directory=folder, project_name="box")
    tuner.search()
    return best(tuner), tuner.oracle.get_best_trials(2)[0].score


@script
def run_trial_that_validates_across_folds(kt: Any, folder: Path) -> Any:
    class Own(kt.Tuner):
        def run_trial(self, trial: Any, x: Any, y: Any, *args: Any, **kwargs: Any) -> None:
            losses = []
            for fold in range(2):
                model = self.hypermodel.build(trial.hyperparameters)
                model.fit(x[fold::2], y[fold::2], verbose=0)
                losses.append(model.evaluate(x[1 - fold :: 2], y[1 - fold :: 2], verbose=0)[0])
            self.oracle.update_trial(trial.trial_id, {"val_loss": np.mean(losses)})
            self.save_model(trial.trial_id, model)

        def save_model(self, trial_id: str, model: Any, step: int = 0) -> None:
            model.save(folder / f"{trial_id}.keras")

        def load_model(self, trial: Any) -> Any:
            return keras.models.load_model(folder / f"{trial.trial_id}.keras")

    oracle = kt.oracles.BayesianOptimizationOracle(objective="val_loss", max_trials=2)
    tuner = Own(hypermodel=build_model, oracle=oracle, directory=folder, project_name="folds")
    tuner.search(X, Y)
    return best(tuner), tuner.get_best_models()


@script
def methods_that_are_called(kt: Any, folder: Path) -> Any:
    called: list[str] = []

    class Own(kt.RandomSearch):
        def on_search_begin(self) -> None:
            called.append("search begins")

        def on_trial_begin(self, trial: Any) -> None:
            called.append(f"trial {trial.trial_id} begins with {sorted(trial.hyperparameters.values)}")
            super().on_trial_begin(trial)

        def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            called.append(f"epoch {epoch} of {trial.trial_id}, {type(model).__name__}, {'val_loss' in logs}")

        def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:
            called.append(f"batch {batch}")

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            called.append(f"trial {trial.trial_id} ends, {type(self.oracle.get_trial(trial.trial_id).score).__name__}")

        def on_search_end(self) -> None:
            called.append("search ends")

    tuner = Own(build_model, objective="val_loss", max_trials=2, directory=folder)
    tuner.search(**DATA, batch_size=12)
    return [each.replace("float64", "float") for each in called]


@script
def compiled_by_the_tuner(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        lambda hp: network(layers.Dense(hp.Int("units", 4, 8))),
        objective=kt.Objective("val_top", "max"),
        max_trials=2,
        optimizer=keras.optimizers.Adam(0.01),
        loss="sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top")],
        directory=folder,
    )
    tuner.search(**DATA)
    return best(tuner), [type(each.optimizer).__name__ for each in tuner.get_best_models()]


@script
def under_a_strategy(kt: Any, folder: Path) -> Any:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    tuner = kt.RandomSearch(
        build_model, objective="val_loss", max_trials=2, distribution_strategy=strategy, directory=folder
    )
    tuner.search(**DATA)
    return best(tuner), tuner.get_best_models()


@script
def data_sets_of_tensorflow(kt: Any, folder: Path) -> Any:
    train, held_out = (tf.data.Dataset.from_tensor_slices(each).batch(8) for each in (TRAIN, HELD_OUT))
    tuner = kt.Hyperband(build_model, objective="val_accuracy", max_epochs=1, directory=folder)
    tuner.search(train, validation_data=held_out, verbose=0)
    return best(tuner), tuner.get_best_models()


@script
def class_weights_and_a_sum_of_objectives(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        build_model, objective=["val_loss", kt.Objective("val_accuracy", "max")], max_trials=2, directory=folder
    )
    tuner.search(**DATA, class_weight={0: 1.0, 1: 2.0, 2: 1.0})
    (trial,) = tuner.oracle.get_best_trials()
    metrics = trial.metrics
    assert abs(trial.score - metrics.get_best_value("val_loss") + metrics.get_best_value("val_accuracy")) < 1e-5
    return best(tuner), tuner.oracle.objective.name


@script
def given_hyperparameters(kt: Any, folder: Path) -> Any:
    hp = kt.HyperParameters()
    hp.Choice("learning_rate", [0.1, 0.2])
    tuner = kt.BayesianOptimization(
        build_model, hyperparameters=hp, tune_new_entries=False, objective="val_loss", max_trials=2, directory=folder
    )
    tuner.search(**DATA)
    return best(tuner).get("learning_rate") in (0.1, 0.2), tuner.get_best_models()[0].layers[0].units


@script
def a_trial_that_fails(kt: Any, folder: Path) -> Any:
    attempts: list[int] = []

    def build(hp: Any) -> keras.Model:
        units = hp.Choice("units", [4, 8, 16])
        if len(attempts) < 99 and hp.values.get("units") == 8:
            attempts.append(units)
            raise kt.errors.FailedTrialError("too large")
        return compiled(network(layers.Dense(units)))

    tuner = kt.GridSearch(
        build, objective="val_loss", directory=folder, max_retries_per_trial=2, max_consecutive_failed_trials=2
    )
    tuner.search(**DATA)
    return [tuner.oracle.trials[each].status for each in sorted(tuner.oracle.trials)], best(tuner)


@script
def a_crash_that_is_tried_again(kt: Any, folder: Path) -> Any:
    class Own(kt.HyperModel):
        crashes = 2

        def build(self, hp: Any) -> keras.Model:
            return build_model(hp)

        def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
            self.crashes -= 1
            if self.crashes >= 0:
                raise RuntimeError("out of luck")
            return model.fit(*args, **kwargs)

    tuner = kt.RandomSearch(Own(), objective="val_loss", max_trials=2, max_retries_per_trial=2, directory=folder)
    tuner.search(**DATA)
    return [each.status for each in tuner.oracle.get_best_trials(2)]


@script
def numbers_of_numpy(kt: Any, folder: Path) -> Any:
    tuner = kt.RandomSearch(
        build_model, objective="val_loss", max_trials=np.int64(2), seed=np.int64(3), executions_per_trial=np.int32(1),
        directory=folder,
    )  # fmt: skip
    tuner.search(**{**DATA, "epochs": np.int64(1)}, batch_size=np.int64(8))
    return best(tuner)


@script
def a_base_that_all_trials_share(kt: Any, folder: Path) -> Any:
    base = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(5, "relu")])
    base.trainable = False

    def build(hp: Any) -> keras.Model:
        return compiled(network(base, layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))))

    tuner = kt.RandomSearch(build, objective="val_loss", max_trials=2, directory=folder)
    tuner.search(**DATA)
    return best(tuner), tuner.get_best_models()


@script
def a_series(kt: Any, folder: Path) -> Any:
    def build(hp: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((4, 1)), layers.SimpleRNN(hp.Int("units", 2, 4)), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
        return model

    tuner = kt.BayesianOptimization(build, objective="val_mae", max_trials=2, directory=folder)
    tuner.search(X[..., None], X[:, :1], validation_split=0.3, verbose=0)
    return best(tuner), tuner.get_best_models()[0].predict(X[:2, :, None], verbose=0)


@script
def a_second_run_in_the_same_folder(kt: Any, folder: Path) -> Any:
    def run(trials: int, **options: Any) -> Any:
        tuner = kt.RandomSearch(
            build_model, objective="val_loss", max_trials=trials, directory=folder, project_name="again", **options
        )
        stop = keras.callbacks.EarlyStopping("val_loss")
        tuner.search(**DATA, callbacks=[stop] if trials > 2 else None)
        return len(tuner.oracle.trials)

    return run(2), run(3), run(1, overwrite=True)


FAST = (
    "hyperband_without_epochs", "own_loop_with_an_uncompiled_model", "own_loop_that_calls_its_callbacks",
    "a_subclassed_model_with_two_inputs",
    "a_training_step_of_its_own", "run_trial_that_tunes_the_batch", "run_trial_that_validates_across_folds",
    "methods_that_are_called", "compiled_by_the_tuner", "under_a_strategy", "class_weights_and_a_sum_of_objectives",
    "a_trial_that_fails", "numbers_of_numpy",
)  # fmt: skip
"""Those that take a second or two and need code of their own; tests/faults runs all, beside KerasTuner's."""
NOT_THEIRS = {
    "a_subclassed_model": "does not build it before it loads its weights",
    "a_subclassed_model_with_two_inputs": "does not build it before it loads its weights",
    "a_training_step_of_its_own": "saves no weights of a model that is not built as a whole",
    "compiled_by_the_tuner": "takes no model that is not compiled",
    "numbers_of_numpy": "takes no seed of NumPy's",
}
"""What KerasTuner 1.4.8 cannot do itself."""


def kind(result: Any) -> Any:
    """What a result consists of: its types, and the names in it."""
    if isinstance(result, (list, tuple)):
        return [kind(each) for each in result]
    if isinstance(result, dict):
        return {name: kind(each) for name, each in result.items()}
    if isinstance(result, keras.Model):
        return type(result).__name__, result.output_shape if hasattr(result, "output") else None
    if hasattr(result, "space") and hasattr(result, "values"):
        return sorted(name for name in result.values if not name.startswith("tuner/"))  # of KerasTuner's Hyperband
    if isinstance(result, (bool, str)):
        return result
    return "number" if isinstance(result, (int, float, np.number)) else np.shape(result)
