"""Finals of a tuner: baseline and winner, trained again and tested, for any model."""

from pathlib import Path
from typing import Any

import finals
import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import study
from study.errors import StudyError, StudyFailure


@pytest.fixture(scope="module")
def kind() -> finals.Kind:
    """A linear regression, of which more epochs are better."""

    def build(hp: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        rate = hp.Choice("rate", [0.001, 0.01, 0.1], default=0.001)
        model.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"], run_eagerly=True)
        return model

    return finals.regression()._replace(build=build)


def counting(kind: finals.Kind, seen: list[Any]) -> Any:
    """A hypermodel that notes in which batches its models are fitted and tested."""

    def build(hp: Any) -> keras.Model:
        model = kind.build(hp)
        plain_fit, plain_evaluate = model.fit, model.evaluate

        def fit(*given: Any, **named: Any) -> Any:
            seen.append(("fit", named.get("batch_size")))
            return plain_fit(*given, **named)

        def evaluate(*given: Any, **named: Any) -> Any:
            seen.append(("evaluate", named.get("batch_size")))
            return plain_evaluate(*given, **named)

        model.fit = fit
        if "test" in seen:  # Keras itself calls `evaluate` while it fits
            model.evaluate = evaluate
        return model

    return build


@pytest.mark.parametrize(
    "direction, best_epoch, finalists", [("min", 2, ["baseline", "tuned"]), ("max", 1, ["baseline"])]
)
def test_finals_are_the_trials_trained_again_on_all_but_the_test_data(
    tmp_path: Path, kind: finals.Kind, direction: str, best_epoch: int, finalists: list[str], capsys: Any
) -> None:
    tuner = finals.searched(tmp_path, kind, objective=keras_tuner.Objective("val_mae", direction))
    capsys.readouterr()
    found = tuner.finals(*kind.test, seeds=2)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "finals train on training + validation data"
    assert f"build {finalists[-1]} reached mae" in printed[-1]
    assert "training again and testing on these same test data: single examples are not compared" in printed[-1]
    assert list(found) == ["finalist", "trial", "seed_index", "seed", "mae", "epochs", "seconds", "parameters"]
    assert list(found.finalist) == [each for each in finalists for _ in range(2)]
    assert list(found.seed[:2]) == list(found.seed[-2:])
    assert found.seed.nunique() == 2
    trials = tuner.study.trials.set_index("number")
    x, y = (np.concatenate([one, other]) for one, other in zip(kind.train, kind.validation, strict=True))
    for row in found.itertuples():
        assert row.epochs == trials.best_epoch[row.trial] == best_epoch
        keras.utils.set_random_seed(row.seed)
        hp = keras_tuner.HyperParameters()
        hp.values["rate"] = trials["hp.rate"][row.trial]
        model = kind.build(hp)
        model.fit(x, y, epochs=row.epochs, verbose=0)
        assert model.evaluate(*kind.test, verbose=0, return_dict=True)["mae"] == pytest.approx(row.mae, rel=1e-5)
    assert tuner.study.finals.equals(found)


def test_nothing_is_trained_twice_and_other_tests_are_refused(tmp_path: Path, kind: finals.Kind, capsys: Any) -> None:
    seen: list[Any] = []
    tuner = finals.searched(tmp_path, kind, counting(kind, seen))
    seen[:] = ["test"]
    first = tuner.finals(*kind.test, seeds=1, batch_size=4)
    assert [each[0] for each in seen[1:]] == ["fit", "evaluate"] * 2
    seen[:] = ["test"]
    assert tuner.finals(*kind.test, seeds=1, batch_size=4).equals(first)
    assert seen == ["test"]
    x, y = kind.test
    for options, said in [
        ({"batch_size": 8}, "batch_size: 4 then, 8 now"),
        ({}, "batch_size: 4 then, None now"),
        ({"batch_size": 4, "margin": 0.1}, "margin: None then, 0.1 now"),
    ]:
        with pytest.raises(StudyError, match=rf"the finals of 'any' were tested otherwise \({said}\)"):
            tuner.finals(x, y, seeds=1, **options)
    with pytest.raises(StudyError, match=r"\(x_test: 12x3 float32 \w+ then, 11x3 float32 \w+ now; y_test: 12x1"):
        tuner.finals(x[1:], y[1:], seeds=1, batch_size=4)
    again = finals.searched(tmp_path, kind, counting(kind, seen))  # as a script that runs again
    seen[:] = ["test"]
    more = again.finals(*kind.test, seeds=2, batch_size=4)
    assert len(more) == 4
    assert more[more.seed_index == 0].reset_index(drop=True).equals(first)
    assert len(seen) == 5


def test_what_was_done_before_a_kill_is_kept_and_what_fails_is_tried_again(tmp_path: Path, kind: finals.Kind) -> None:
    ends: list[BaseException | None] = []

    def build(hp: Any) -> keras.Model:
        if ends and (end := ends.pop(0)) is not None:
            raise end
        return kind.build(hp)

    tuner = finals.searched(tmp_path, kind, build)
    ends[:] = [None, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        tuner.finals(*kind.test, seeds=2)
    done = tuner.study.finals
    assert len(done) == 1
    ends[:] = [RuntimeError("out of luck")]
    with pytest.raises(StudyFailure, match=r"1 of the finals failed \(tuned, seed 0: RuntimeError: out of luck\)"):
        tuner.finals(*kind.test, seeds=2)
    assert len(tuner.study.finals) == 3
    found = tuner.finals(*kind.test, seeds=2)
    assert len(found) == 4
    assert found.iloc[:1].equals(done)


@pytest.mark.parametrize(
    "given, options, said",
    [
        (
            "x y",
            {"batchsize": 4, "margin": -1},
            "evaluate takes no batchsize; did you mean batch_size.*; margin must be",
        ),
        ("x y", {"seeds": 0}, "seeds must be a whole number of at least 1; it was given 0"),
        ("x", {}, "y_test is missing: the search was given y"),
        ("x[1:] y", {}, "x_test has 11 examples and y_test 12"),
        ("[x,x] y", {}, "x_test is made otherwise than the x of search: nx3, nx3, not nx3"),
        ("list y", {}, r"x_test must be an array, not a list of numbers or texts: give np.array\(x_test\)"),
        ("none", {}, "x_test is missing"),
        ("dataset y", {}, "y_test is for arrays; a .*Dataset brings its own targets"),
    ],
)
def test_what_cannot_be_tested_is_refused_before_anything_is_trained(
    tmp_path_factory: Any, kind: finals.Kind, given: str, options: dict[str, Any], said: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "refused"
    tuner = finals.searched(folder, kind, max_trials=1)
    x, y = kind.test
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    values = {"x": x, "y": y, "x[1:]": x[1:], "[x,x]": [x, x], "dataset": dataset, "none": None, "list": [1, 2]}
    with pytest.raises(StudyError, match=said) as caught:
        tuner.finals(*(values[each] for each in given.split()), **options)
    assert "\n" not in str(caught.value)
    assert tuner.study.finals.empty


def test_finals_need_a_search_in_this_process(tmp_path: Path, kind: finals.Kind) -> None:
    tuner = study.OptunaTuner(kind.build, objective="val_mae", directory=tmp_path)
    with pytest.raises(StudyError, match=r"finals train on what search\(...\) was given: call that first"):
        tuner.finals(*kind.test)


class OwnScore(keras_tuner.HyperModel):
    """Its `fit` returns what no epoch logs."""

    def __init__(self, kind: finals.Kind) -> None:
        super().__init__()
        self._kind = kind

    def build(self, hp: Any) -> keras.Model:
        return self._kind.build(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return {"score": model.fit(*args, **kwargs).history["loss"][-1]}


class Copies(OwnScore):
    """Its `fit` trains another model than `build` returned."""

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        copied = self.build(hp)
        return copied.fit(*args, **kwargs)


class Idle(OwnScore):
    """Its `fit` trains in the search alone."""

    is_idle = False

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return {"val_mae": 1.0} if self.is_idle else model.fit(*args, **kwargs)


@pytest.mark.filterwarnings("ignore:fit")
def test_a_model_that_fit_left_alone_and_data_that_evaluate_refuses(tmp_path: Path, kind: finals.Kind) -> None:
    hypermodel = Idle(kind)
    tuner = finals.searched(tmp_path, kind, hypermodel, max_trials=1)
    test = tf.data.Dataset.from_tensors((kind.test[0][:, :2], kind.test[1]))
    with pytest.raises(StudyFailure, match=r"evaluate fails on the test data \(.*; nothing was stored"):
        tuner.finals(test, seeds=1)
    hypermodel.is_idle = True
    with pytest.raises(StudyError, match="fit did not train the model that build"):
        tuner.finals(*kind.test)
    assert tuner.study.finals.empty


class Watches(OwnScore):
    """Its `fit` looks at the validation data."""

    def fit(self, hp: Any, model: Any, *args: Any, callbacks: Any, **kwargs: Any) -> Any:
        stop = keras.callbacks.EarlyStopping("val_mae", patience=9)  # warns where there is no val_mae
        found = model.fit(*args, callbacks=[stop, *callbacks], **kwargs)
        assert "val_mae" in found.history
        return found


def test_a_metric_that_evaluate_cannot_return_and_a_model_that_was_not_trained(
    tmp_path: Path, kind: finals.Kind
) -> None:
    objective = keras_tuner.Objective("score", direction="min")
    tuner = finals.searched(tmp_path / "score", kind, OwnScore(kind), objective=objective, max_trials=1)
    with pytest.raises(StudyError, match="evaluate cannot return score: no epoch of the trials logged it"):
        tuner.finals(*kind.test)
    tuner = finals.searched(tmp_path / "copies", kind, Copies(kind), max_trials=1)
    with pytest.raises(StudyError, match="trial 0 did not train the model that build"):
        tuner.finals(*kind.test)

    class Logged(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["speed"] = 1.0

    tuner = study.OptunaTuner(
        kind.build, objective=keras_tuner.Objective("speed", "max"), max_trials=1, directory=tmp_path
    )
    tuner.search(*kind.train, callbacks=[Logged()], verbose=0)
    with pytest.raises(StudyError, match="evaluate returns no speed; it returns loss, mae: search with one of these"):
        tuner.finals(*kind.test)
    assert tuner.study.finals.empty


def test_a_fit_that_looks_at_validation_data_has_them(tmp_path: Path, kind: finals.Kind, capsys: Any) -> None:
    tuner = finals.searched(tmp_path, kind, Watches(kind), max_trials=1)
    capsys.readouterr()
    found = tuner.finals(*kind.test, seeds=1)
    assert "fit watches validation data that it also trains on" in capsys.readouterr().out
    assert list(found.finalist) == ["baseline"]


def test_callbacks_of_the_search_that_watch_are_left_out_and_schedules_train(
    tmp_path: Path, kind: finals.Kind, capsys: Any
) -> None:
    rates: list[float] = []

    class Schedule(keras.callbacks.LearningRateScheduler):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            rates.append(float(self.model.optimizer.learning_rate))

    tuner = study.OptunaTuner(kind.build, objective="val_loss", max_trials=1, directory=tmp_path)
    callbacks = [Schedule(lambda epoch: 0.5), keras.callbacks.EarlyStopping("val_loss")]
    tuner.search(*kind.train, validation_data=kind.validation, callbacks=callbacks, verbose=0)
    rates.clear()
    tuner.finals(*kind.test, seeds=1)
    assert "; without EarlyStopping, for as many epochs" in capsys.readouterr().out
    assert rates == [0.5]


class TunedBatches(study.keras_tuner.RandomSearch):
    """Tunes the batch size in the way of KerasTuner's guide."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["batch_size"] = trial.hyperparameters.Int("batch_size", 3, 6, step=3)
        return super().run_trial(trial, *args, **kwargs)


def test_a_tuner_that_changes_the_arguments_of_fit_does_so_in_finals(tmp_path: Path, kind: finals.Kind) -> None:
    seen: list[Any] = []
    tuner = TunedBatches(counting(kind, seen), "val_mae", max_trials=2, directory=tmp_path, executions_per_trial=2)
    tuner.search(*kind.train, validation_data=kind.validation, verbose=0)
    seen[:] = ["test"]
    found = tuner.finals(*kind.test, seeds=1)
    sizes = [each[1] for each in seen[1:] if each[0] == "fit"]
    trials = tuner.study.trials.set_index("number")
    assert sizes == [trials["hp.batch_size"][trial] for trial in found.trial]


class Sequence(keras.utils.PyDataset):
    """Batches of arrays."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self._x, self._y = x, y

    def __len__(self) -> int:
        return len(self._x) // 4

    def __getitem__(self, index: int) -> Any:
        return self._x[4 * index : 4 * index + 4], self._y[4 * index : 4 * index + 4]


@pytest.mark.parametrize("form", ["tf.data", "PyDataset", "validation_split", "sum"])
def test_data_and_objectives_of_every_form(tmp_path: Path, kind: finals.Kind, form: str, capsys: Any) -> None:
    def made(data: Any) -> Any:
        return Sequence(*data) if form == "PyDataset" else tf.data.Dataset.from_tensor_slices(data).batch(4)

    objective = ["val_loss", "val_mae"] if form == "sum" else "val_mae"
    tuner = study.OptunaTuner(kind.build, objective=objective, max_trials=1, directory=tmp_path)
    test: Any = kind.test
    if form in ("tf.data", "PyDataset"):
        # Keras 3.15 warns of what it does with tf.data anyway.
        tuner.search(made(kind.train), validation_data=made(kind.validation), verbose=0, shuffle=False)
        test = (made(kind.test),)
    else:
        tuner.search(*kind.train, validation_split=0.25, verbose=0)
    found = tuner.finals(*test, seeds=1)
    printed = capsys.readouterr().out
    assert ("the training data alone" in printed) == (form in ("tf.data", "PyDataset"))
    assert len(found) == 1
    assert np.isfinite(found["multi_objective" if form == "sum" else "mae"]).all()


def test_data_of_the_search_are_no_test(tmp_path: Path, kind: finals.Kind, capsys: Any) -> None:
    tuner = finals.searched(tmp_path, kind, max_trials=1)
    tuner.finals(*kind.validation, seeds=1, verbose=0)
    assert "the test data are data of the search" in capsys.readouterr().out
    assert "so these numbers are too good" in tuner.report().read_text()
