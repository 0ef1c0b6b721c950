"""What the tuners do that a script which only runs does not show."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import scripts
from sklearn.tree import DecisionTreeClassifier

import study.keras_tuner as ours
from study.errors import StudyError
from study.keras_tuner.engine.base_tuner import BaseTuner


def box(kind: Any, folder: Path, declare: Any, **options: Any) -> Any:
    """A search without models: `declare` returns the score."""

    class Box(kind):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            return declare(trial.hyperparameters)

    tuner = Box(directory=folder, project_name="box", **options)
    tuner.search()
    return tuner


def six(hp: Any) -> float:
    return float(hp.Int("a", 1, 3) + 10 * hp.Boolean("b"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ours.GridSearch, {}),
        (ours.RandomSearch, {"max_trials": 40}),
        (ours.RandomSearch, {"max_trials": None}),
        (ours.OptunaTuner, {"max_trials": 400}),
    ],
)
def test_a_space_that_is_exhausted_ends_the_search(kind: Any, options: Any, tmp_path: Path, capsys: Any) -> None:
    tuner = box(kind, tmp_path, six, **options)
    values = [tuple(each.hyperparameters.values.items()) for each in tuner.oracle.trials.values()]
    assert len(set(values)) == 6
    assert "every configuration has been tried; the search ends after" in capsys.readouterr().out
    if kind is not ours.OptunaTuner:  # TPE may draw a configuration again before it has drawn the last one
        assert len(values) == 6
    again = box(kind, tmp_path, six, **options)
    assert len(again.oracle.trials) == len(values)
    limit = options.get("max_trials")
    assert tuner.study.progress()["spaces"][0]["trials"] == (limit or 6)


def test_what_appears_later_is_searched_in_kerastuners_order(tmp_path: Path) -> None:
    def layers(hp: Any) -> float:
        return float(sum(hp.Choice(f"units_{index}", [4, 8]) for index in range(hp.Int("layers", 1, 2))))

    class Space(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            layers(hp)
            return scripts.compiled(scripts.network())

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> float:
            return 1.0

    theirs = keras_tuner.GridSearch(Space(), directory=tmp_path / "theirs")
    theirs.search(verbose=0)
    drawn = [theirs.oracle.trials[each].hyperparameters.values for each in theirs.oracle.start_order]
    tuner = box(ours.GridSearch, tmp_path, layers)
    assert [each.hyperparameters.values for each in tuner.oracle.trials.values()] == drawn


def test_pruned_trials_count_after_the_complete_ones(tmp_path: Path) -> None:
    def build(hp: Any) -> keras.Model:
        return scripts.compiled(scripts.network(), hp.Choice("rate", [0.1, 0.05, 1e-7, 2e-7]))

    tuner = ours.GridSearch(build, "val_loss", pruner="sha", directory=tmp_path)
    tuner.search(*scripts.TRAIN, epochs=4, validation_data=scripts.HELD_OUT, verbose=0)
    states = list(tuner.study.trials.state)
    assert {"complete", "pruned"} == set(states)
    best = tuner.oracle.get_best_trials(4)
    assert [states[int(each.trial_id)] for each in best] == sorted(states)
    assert len(tuner.get_best_hyperparameters(4)) == 4
    for model, trial in zip(tuner.get_best_models(4), best, strict=True):
        assert model.evaluate(*scripts.HELD_OUT, verbose=0)[0] == pytest.approx(trial.score, abs=1e-5)


def test_executions_are_averaged_and_the_best_of_them_is_kept(tmp_path: Path) -> None:
    losses: list[float] = []

    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> keras.Model:
            return scripts.build_model(hp)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            history = model.fit(*args, **kwargs)
            losses.append(history.history["val_loss"][-1])
            return history

    tuner = ours.RandomSearch(Own(), "val_loss", 1, executions_per_trial=3, directory=tmp_path)
    tuner.search(**scripts.DATA)
    assert len(set(losses)) == 3
    (trial,) = tuner.oracle.get_best_trials()
    assert trial.score == pytest.approx(np.mean(losses))
    (model,) = tuner.get_best_models()
    assert model.evaluate(*scripts.HELD_OUT, verbose=0)[0] == pytest.approx(min(losses), abs=1e-5)


@pytest.mark.parametrize("own", [True, False])
def test_an_overridden_run_trial_says_what_it_means(own: bool, tmp_path: Path, capsys: Any) -> None:
    class Own(ours.RandomSearch):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            results = super().run_trial(trial, *args, **kwargs) if not own else [0.5]
            return {"val_loss": 0.25, "mine": 3.0} if not own and trial.trial_id == "1" else results

    tuner = Own(scripts.build_model, "val_loss", 2, directory=tmp_path)
    tuner.search(**{**scripts.DATA, "verbose": 1})
    said = "trains by itself: its trials are not pruned" if own else "calls super().run_trial: its trials are pruned"
    assert capsys.readouterr().out.count(f"run_trial of Own {said}") == 1
    assert tuner.oracle.trials["1"].score == (0.5 if own else 0.25)
    if not own:
        assert tuner.oracle.trials["0"].score > 0.25


def test_checkpoints_have_a_folder_for_each_trial(tmp_path: Path) -> None:
    tuner = ours.RandomSearch(scripts.build_model, "val_loss", 2, directory=tmp_path / "search")
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "kept" / "best.weights.h5"), save_weights_only=True)
    tuner.search(**scripts.DATA, callbacks=[checkpoint])
    kept = [str(each.relative_to(tmp_path)) for each in (tmp_path / "kept").rglob("*.h5")]
    assert sorted(kept) == ["kept/0/best.weights.h5", "kept/1/best.weights.h5"]
    assert (tmp_path / "search" / "untitled_project" / "trial_1" / "trial.json").is_file()


def test_an_edited_script(tmp_path: Path) -> None:
    def run(trials: int, callbacks: Any = None, **changed: Any) -> Any:
        tuner = ours.RandomSearch(scripts.build_model, "val_loss", trials, directory=tmp_path)
        tuner.search(**{**scripts.DATA, **changed}, callbacks=callbacks)
        return tuner

    run(1)
    assert len(run(2, callbacks=[keras.callbacks.TerminateOnNaN()]).oracle.trials) == 2
    with pytest.raises(StudyError, match=r"otherwise \(epochs=1 then, 2 now\); pass `overwrite=True`, which"):
        run(3, epochs=2)
    with pytest.raises(StudyError, match=r"batch_size absent then, 4 now.*; overwrite=True starts the project again"):
        run(3, batch_size=4)
    assert len(run(2).oracle.trials) == 2


def test_every_branch_is_in_the_summary(tmp_path: Path, capsys: Any) -> None:
    def build(hp: Any) -> keras.Model:
        kind = hp.Choice("kind", ["plain", "deep", "wide"])
        with hp.conditional_scope("kind", ["deep"]):
            if kind == "deep":
                hp.Int("layers", 1, 3)
        with hp.conditional_scope("kind", ["wide"]):
            if kind == "wide":
                hp.Int("units", 8, 16)
        return scripts.compiled(scripts.network())

    ours.RandomSearch(build, "val_loss", directory=tmp_path).search_space_summary()
    printed = capsys.readouterr().out
    assert "search space size: 3" in printed
    assert "layers (Int)" in printed
    assert "units (Int)" in printed


def test_a_trial_that_crashes_is_tried_again_with_another_seed(tmp_path: Path) -> None:
    seeds: list[float] = []

    def unlucky(hp: Any) -> float:
        seeds.append(float(np.random.random()))
        if len(seeds) < 3:
            raise RuntimeError("out of luck")
        return 1.0

    tuner = box(ours.RandomSearch, tmp_path, unlucky, max_trials=1, max_retries_per_trial=2)
    assert [each.status for each in tuner.oracle.trials.values()] == ["COMPLETED"]
    assert len(set(seeds)) == 3


def test_the_bayesian_numbers_reach_kerastuners_oracle(tmp_path: Path) -> None:
    def far(hp: Any) -> float:
        return abs(float(hp.Float("x", 0.0, 1.0)) - 0.9)

    few, many = (
        box(ours.BayesianOptimization, tmp_path / str(points), far, max_trials=4, num_initial_points=points, beta=0.1)
        for points in (2, 9)
    )
    drawn = [[each.hyperparameters.get("x") for each in tuner.oracle.trials.values()] for tuner in (few, many)]
    assert drawn[0][:2] == drawn[1][:2]
    assert drawn[0][2:] != drawn[1][2:]


def test_what_is_not_here_says_what_is(tmp_path: Path) -> None:
    tuner = box(ours.RandomSearch, tmp_path, six, max_trials=1)
    with pytest.raises(StudyError, match=r"oracle.create_trial\(\) is not here: search\(\) creates"):
        tuner.oracle.create_trial("tuner0")
    with pytest.raises(StudyError, match="trial 0 is not under way"):
        tuner.oracle.update_trial("0", {"val_loss": 1.0})
    with pytest.raises(KeyError):
        tuner.oracle.get_trial("7")


def test_a_tuner_of_anything_keeps_its_own_models(tmp_path: Path) -> None:
    class Trees(BaseTuner):
        def run_trial(self, trial: Any, x: Any, y: Any) -> dict[str, float]:
            model = self.hypermodel.build(trial.hyperparameters).fit(x, y)
            self.save_model(trial.trial_id, model)
            return {"score": model.score(x, y)}

        def save_model(self, trial_id: str, model: Any, step: int = 0) -> None:
            Path(self.get_trial_dir(trial_id), "depth").write_text(str(model.get_depth()))

        def load_model(self, trial: Any) -> str:
            return Path(self.get_trial_dir(trial.trial_id), "depth").read_text()

    oracle = keras_tuner.oracles.GridSearchOracle(objective=keras_tuner.Objective("score", "max"))
    tuner = Trees(oracle, lambda hp: DecisionTreeClassifier(max_depth=hp.Int("depth", 1, 3)), tmp_path, "trees")
    tuner.search(scripts.X, scripts.Y)
    assert len(tuner.oracle.trials) == 3
    assert tuner.get_best_models() == [str(tuner.get_best_hyperparameters()[0]["depth"])]


def test_the_oracles_space_is_the_one_that_was_given(tmp_path: Path) -> None:
    def tuner(name: str, **options: Any) -> Any:
        hp = keras_tuner.HyperParameters()
        hp.Int("units", 4, 8)
        return hp, ours.RandomSearch(
            scripts.build_model, "val_loss", hyperparameters=hp, directory=tmp_path, project_name=name, **options
        )

    hp, closed = tuner("closed", tune_new_entries=False)
    assert closed.oracle.hyperparameters is hp
    assert [each.name for each in closed.oracle.get_space().space] == ["units"]
    hp, opened = tuner("open")
    assert opened.oracle.hyperparameters is hp
    assert [each.name for each in hp.space] == ["units", "learning_rate"]
    assert hp.space[0].max_value == 8
    assert opened.hypermodel.__class__.__name__ == "DefaultHyperModel"


def test_an_oracle_is_of_kerastuners_kind(tmp_path: Path) -> None:
    oracles = keras_tuner.oracles
    for name in ("RandomSearch", "GridSearch", "BayesianOptimization", "Hyperband"):
        options = {"beta": 1.5} if name == "BayesianOptimization" else {}
        tuner = getattr(ours, name)(scripts.build_model, "val_loss", directory=tmp_path / name, **options)
        assert isinstance(tuner.oracle, getattr(oracles, f"{name}Oracle"))
        assert tuner.oracle.trials == {}
        assert getattr(tuner.oracle, "beta", 1.5) == 1.5
    assert (tuner.oracle.max_epochs, tuner.oracle.factor) == (100, 3)
    plain = ours.OptunaTuner(scripts.build_model, "val_loss", directory=tmp_path)
    assert not isinstance(plain.oracle, (oracles.RandomSearchOracle, oracles.GridSearchOracle))
