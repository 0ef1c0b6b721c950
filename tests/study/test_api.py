"""Studies from Python."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas
import pictures
import pytest
import tiny
from helpers import Command, study_table
from PIL import Image
from refusals import refused

import study
from study.data import cache, datasets
from study.errors import StudyError
from study.objective import Objective
from study.records import CLASSES

SMALL = {"trials": 3, "epochs": 2, "seeds": 2, "confirm": 0, "quiet": True}
SMALLEST = {**SMALL, "trials": 1, "epochs": 1, "seeds": 1}


def test_a_study_from_python_is_the_commands(command: Command, home: Path, archive: Path) -> None:
    found = study.run("a", spaces=["tiny:Tiny"], dataset=f"npz:{archive}", **SMALL)
    assert command("run", "b", "--space", "tiny:Tiny", "--dataset", f"npz:{archive}", "--trials", "3", "--epochs", "2",
                   "--seeds", "2", "--quiet")[0] == 0  # fmt: skip
    other = study.load("b")
    same = [name for name in found.trials if name != "seconds"]
    pandas.testing.assert_frame_equal(found.trials[same], other.trials[same])
    assert isinstance(found.trials, pandas.DataFrame)
    assert set(found.finals.role) == {"baseline"}  # tuning found nothing better
    assert len(found.finals) == 2
    assert found.finals.test_accuracy.between(0, 1).all()
    best = found.best()
    assert best["trial"] == 0
    tested = found.finals
    assert best["test_accuracy"] == pytest.approx(tested.test_accuracy.mean())
    with np.load(archive) as arrays:
        predicted = found.best_model().predict(arrays["x_test"] / 255, verbose=0).argmax(axis=1)
        assert (predicted == arrays["y_test"]).mean() == pytest.approx(
            tested.test_accuracy[tested.seed_index == 0].item()
        )
    assert found.report(home / "page.html") == home / "page.html"
    assert (home / "a" / "report.html").exists()
    assert "tiny:Tiny 3 of 3 trials, best val_accuracy" in repr(found)
    assert found._repr_html_().startswith("<b>a</b><br>tiny:Tiny 3 of 3")
    assert study.load("a").progress()["finals"] == 2


def test_test_images_of_a_folder_change_nothing_before_the_finals(home: Path) -> None:
    """Those that a share is cut for, too; a leak is said even where all else is quiet."""
    folder = pictures.write_classes(home.parent / "photos", mode="L")
    options = {"image_size": (6, 6), **SMALL, "epochs": 1, "seeds": 1}
    before = study.run("a", spaces=["tiny:Tiny"], dataset=folder, **options)
    cut = [file for file in folder.rglob("*.png") if is_in(file, before)]
    assert len(cut) == 4  # of 18
    for file in cut:
        Image.new("L", (8, 8), 255).save(file)
    after = study.run("b", spaces=["tiny:Tiny"], dataset=folder, **options)
    same = [name for name in before.trials if name != "seconds"]
    pandas.testing.assert_frame_equal(before.trials[same], after.trials[same])
    assert not before.finals.test_loss.equals(after.finals.test_loss)
    with pytest.raises(StudyError, match=r"the data are not those that the study was started with .x_test"):
        study.resume("a", trials=4, quiet=True)


def is_in(file: Path, found: study.Study) -> bool:
    """Whether a file is among the test images of a study."""
    image = np.asarray(Image.open(file).resize((6, 6), Image.Resampling.BILINEAR))
    return any(
        np.array_equal(image, other[..., 0]) for other in datasets.of(found.definition, found.resources).test().x
    )


def test_a_leak_is_said_even_where_all_else_is_quiet(command: Command, home: Path) -> None:
    folder = home.parent / "photos"
    for part in ("train", "test"):
        pictures.write_classes(folder / part, mode="L")
    words = ("--dataset", f"folder:{folder}", "--image-size", "6x6", "--space", "tiny:Tiny", "--trials", "1")
    code, output, error = command("run", "a", *words, "--epochs", "1", "--seeds", "1", "--confirm", "0", "--quiet")
    assert code == 0, error
    assert "18 of 18 test images are also training images, such as test/cat/0.png" in output + error


def test_spaces_are_given_as_objects(home: Path, archive: Path) -> None:
    spaces = {"ours": tiny.Tiny(), "theirs": tiny.build_function}
    found = study.run("a", spaces=spaces, dataset=f"npz:{archive}", **SMALLEST)
    assert set(found.trials.space) == {"ours", "theirs"}
    grown = study.resume("a", spaces=spaces, trials=2, quiet=True)
    assert list(grown.trials.space.value_counts()) == [2, 2]
    with pytest.raises(StudyError, match=r"no search space 'ours'.*given to study.resume again"):
        study.resume("a", trials=3, quiet=True)
    named = study.run("b", spaces=[tiny.Tiny], dataset=f"npz:{archive}", **SMALLEST)
    assert named.definition.spaces == ("tiny:Tiny",)


def test_callbacks_train_in_copies_and_a_resume_must_bring_them(command: Command, home: Path, archive: Path) -> None:
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, min_delta=100.0)
    options = {**SMALLEST, "epochs": 5, "pruner": "none"}
    found = study.run("a", spaces=["tiny:Tiny"], dataset=f"npz:{archive}", callbacks=[stop], **options)
    assert set(found.trials.epochs) == {2}
    code, _, error = command("resume", "a", "--trials", "2")
    assert code == 2
    assert "trains with the callbacks EarlyStopping; it was given none" in error
    assert len(study.load("a").trials) == 1
    assert set(study.resume("a", trials=2, callbacks=[stop], quiet=True).trials.epochs) == {2}


def test_arrays_train_as_an_archive_of_them_does(home: Path, archive: Path) -> None:
    with np.load(archive) as arrays:
        given = dict(arrays)
    names = ["one", "two", "three"]
    data = study.Data(**given, class_names=names)
    found = study.run("a", spaces=["tiny:Tiny"], data=data, **SMALL)
    other = study.run("b", spaces=["tiny:Tiny"], dataset=f"npz:{archive}", **SMALL)
    same = [name for name in found.trials if name != "seconds"]
    pandas.testing.assert_frame_equal(found.trials[same], other.trials[same])
    assert found.finals.test_loss.equals(other.finals.test_loss)
    assert found.stored.fingerprint == other.stored.fingerprint
    assert found.stored.attributes[CLASSES] == names


def test_arrays_are_given_to_a_resume_again(command: Command, home: Path, archive: Path) -> None:
    with np.load(archive) as arrays:
        given = dict(arrays)
    study.run("a", spaces=["tiny:Tiny"], data=study.Data(**given), **SMALLEST)
    assert "this study's data were given from Python as arrays" in refused(command, "resume", "a", "--trials", "2")
    with pytest.raises(StudyError, match=r"study\.resume\(NAME, data=study\.Data"):
        study.resume("a", trials=2, quiet=True)
    changed = given | {"y_test": (given["y_test"] + 1) % 3}
    with pytest.raises(StudyError, match=r"not those that the study was started with .y_test 45 int64"):
        study.resume("a", data=study.Data(**changed), trials=2, quiet=True)
    assert len(study.load("a").trials) == 1
    assert len(study.resume("a", data=study.Data(**given), trials=2, quiet=True).trials) == 2
    assert command("resume", "a", "--trials", "3", "--dataset", f"npz:{archive}", "--quiet")[0] == 0
    assert "the data" not in study.load("a").report().read_text().split("Started from Python")[-1][:80]


def test_worker_processes_share_a_copy_of_the_arrays(home: Path, archive: Path) -> None:
    with np.load(archive) as arrays:
        data = study.Data(**arrays)
    found = study.run("a", spaces=["tiny:Tiny"], data=data, workers=1, **SMALLEST)
    assert list(found.trials.state) == ["complete"]
    (copy,) = cache.copies(None)
    assert (copy.source, copy.in_use) == ("study.Data", False)


def test_a_large_set_trains_as_a_small_one_does(home: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.load(archive) as arrays:
        data = study.Data(**arrays)
    options = {**SMALL, "spaces": [tiny.Graph, tiny.Tiny], "data": data, "trials": 2, "confirm": 1, "seeds": 1}
    found = study.run("a", **options)
    monkeypatch.setattr(datasets, "IN_MEMORY", 0)
    other = study.run("b", **options)
    assert study_table(home, "a") == study_table(home, "b")
    assert found.finals.test_loss.equals(other.finals.test_loss)
    assert found.stored.fingerprint == other.stored.fingerprint


@pytest.mark.parametrize(
    "data, said",
    [
        ({"x_train": [[1], [1, 2]], "y_train": [0, 1]}, "study.Data: x_train must be an array"),
        ({"x_train": np.zeros((6, 8, 8)), "y_train": [0, 1] * 3}, "study.Data: pixels must be .* and x_train is black"),
        ({"x_train": np.ones((6, 8, 8)), "y_train": [0] * 6}, "study.Data: y_train has one class"),
        ({"x_train": np.zeros((6, 8, 8)), "y_train": [0, 1] * 3, "x_test": np.zeros((2, 8, 8))}, "it lacks y_test"),
        ({"x_train": object(), "y_train": [0]}, "study.Data: x_train must be images"),
    ],
)
def test_arrays_that_cannot_be_used_are_a_line(data: dict[str, Any], said: str, home: Path) -> None:
    with pytest.raises(StudyError, match=said):
        study.run("a", data=study.Data(**data), **SMALLEST)
    assert not list(home.parent.iterdir())


def test_data_are_one_data_set(home: Path) -> None:
    data = study.Data(x_train=[], y_train=[])
    with pytest.raises(StudyError, match="a study has one data set; it was given data and the dataset 'digits'"):
        study.run("a", data=data, dataset="digits", **SMALLEST)
    with pytest.raises(StudyError, match=r"data is a study\.Data of arrays; it was given tuple"):
        study.run("a", data=([], []), **SMALLEST)  # type: ignore[arg-type]


def test_an_unbalanced_set_is_searched_by_macro_f1_with_class_weights(command: Command, home: Path) -> None:
    keep = np.arange(90) % 3 * np.arange(90) < 40  # few of the other classes than 0
    with np.load(tiny.write_archive(home.parent / "all.npz")) as arrays:
        few = {name: arrays[name][keep] for name in ("x_train", "y_train")}
    file = tiny.write_archive(home.parent / "few.npz", **few)
    words = ("--dataset", f"npz:{file}", "--space", "tiny:Tiny", "--trials", "2", "--epochs", "2", "--seeds", "1")
    words = (*words, "--confirm", "2")
    code, _, error = command("run", "a", *words, "--pruner", "none", "--objective", "val_macro_f1", "--class-weights",
                             "balanced", "--quiet")  # fmt: skip
    assert code == 0, error
    found = study.load("a")
    assert (found.definition.objective, found.definition.class_weights) == (Objective("val_macro_f1"), "balanced")
    assert found.best()["val_macro_f1"] == max(found.trials.value)
    assert 0 < found.best()["confirmed"] <= 1
    page = found.report().read_text()
    assert "--class-weights balanced" in page
    assert "val_macro_f1" in page
    plain = study.run("b", spaces=["tiny:Tiny"], dataset=f"npz:{file}", objective="val_balanced_accuracy", **SMALL)
    first = [study_table(home, name)["tiny:Tiny"][0][2] for name in ("a", "b")]
    assert len(set(first)) == 2  # of other weights and another objective
    assert plain.definition.class_weights == "none"
    assert command("resume", "a", "--trials", "3", "--quiet")[0] == 0


def test_a_metric_of_ones_own_is_the_objective(home: Path, archive: Path) -> None:
    options = {**SMALL, "objective": "val_mistakes", "objective_direction": "minimize"}
    found = study.run("a", spaces=[Mistakes], dataset=f"npz:{archive}", **options)
    complete = found.trials[found.trials.state == "complete"]
    assert found.best()["val_mistakes"] == complete.value.min()
    assert (complete.value >= 0).all()


class Mistakes(tiny.Tiny):
    """Reports a metric of its own."""

    def build(self, hp: Any) -> keras.Model:
        model = super().build(hp)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", mistakes], run_eagerly=True)
        return model


def mistakes(y_true: Any, y_pred: Any) -> Any:
    labels = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int64")
    return keras.ops.cast(keras.ops.cast(keras.ops.argmax(y_pred, axis=-1), "int64") != labels, "float32")


@pytest.mark.parametrize(
    "options, said",
    [
        ({"trails": 3}, "a study has no trails; it has"),
        ({"objective": "val_f1"}, "--objective is val_accuracy, .*, or a metric that the models report"),
        ({"spaces": []}, "at least one search space"),
        ({"spaces": [tiny.Tiny, tiny.Tiny]}, "each search space is tuned once"),
        ({"spaces": {"a": lambda hp: None}, "workers": 1}, "must be picklable for worker processes"),
        ({"spaces": ["dens"]}, "no search space 'dens'"),
        ({"spaces": [42]}, "it must be a keras_tuner.HyperModel"),
        ({"spaces": {"finals": tiny.Tiny()}}, "finals cannot be a search space's name"),
        ({"spaces": {"a b": tiny.Tiny()}}, "a search space's name consists of letters"),
        ({"spaces": {"a:b": tiny.Tiny(), "a-b": tiny.Tiny()}}, "must have different names"),
        ({"trials": None}, "--trials is a whole number; it was given None"),
        ({"timeout": "soon"}, "--timeout is a duration"),
        ({"lease": "soon"}, "--lease is a duration"),
        ({"join": -1}, "--join must be at least 0"),
        ({"sampler": "cmaes"}, "stores its state as a pickle"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(home: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said) as caught:
        study.run("a", **{"spaces": ["tiny:Tiny"], **options})
    assert "\n" not in str(caught.value)
    assert not home.exists() or not (home / "study.db").exists()


def test_the_name_of_a_folder_of_the_home_is_no_study(home: Path) -> None:
    with pytest.raises(StudyError, match="artifacts is a folder of every home"):
        study.run("artifacts")
    assert not home.exists()


def test_an_instance_is_not_what_its_class_alone_would_be(home: Path, archive: Path) -> None:
    found = study.run("a", spaces=tiny.Tiny(), dataset=f"npz:{archive}", **SMALLEST)
    assert found.definition.spaces == ("Tiny",)
    with pytest.raises(StudyError, match="space must be one of Tiny; it was given 'tiny:Tiny'"):
        found.best("tiny:Tiny")


def test_a_resume_takes_only_what_may_change(finished: Path) -> None:
    with pytest.raises(StudyError, match="epochs is fixed when a study starts; a resume takes trials, seeds, workers"):
        study.resume("a", epochs=3)
    with pytest.raises(StudyError, match="--trials counts from the start"):
        study.resume("a", trials=1)
    assert len(study.load("a").trials) == 2


def test_workers_that_join_and_their_lease_are_options_as_on_the_command_line(
    command: Command, home: Path, archive: Path
) -> None:
    found = study.run("a", spaces=["tiny:Tiny"], dataset=f"npz:{archive}", join=2, lease="90s", **SMALLEST)
    assert (found.resources.workers, found.resources.join, found.resources.lease) == (0, 2, 90.0)
    assert command("run", "b", "--space", "tiny:Tiny", "--dataset", f"npz:{archive}", "--trials", "1", "--epochs", "1",
                   "--seeds", "1", "--quiet", "--join", "2", "--lease", "90s")[0] == 0  # fmt: skip
    assert study_table(home, "a") == study_table(home, "b")
    assert study.load("b").resources == found.resources
    grown = study.resume("a", trials=2, join=1, lease="2m", quiet=True)
    assert (grown.resources.join, grown.resources.lease) == (1, 120.0)
    assert study.load("a").resources == grown.resources
    for option, value, said in (("lease", "soon", "--lease is a duration"), ("join", -1, "--join must be at least 0"),
                                ("lease", 0.1, "--lease must be at least 1 second")):  # fmt: skip
        with pytest.raises(StudyError, match=said):
            study.resume("a", quiet=True, **{option: value})
        with pytest.raises(StudyError, match=said):
            study.run("c", **{option: value})


def test_an_objective_is_given_by_name_or_as_one(home: Path, archive: Path) -> None:
    options = {**SMALLEST, "spaces": ["tiny:Tiny"], "dataset": f"npz:{archive}"}
    named = study.run("a", objective="val_loss", **options)
    given = study.run("b", objective=Objective("val_loss", "minimize"), **options)
    assert named.definition.objective == given.definition.objective
    assert study_table(home, "a") == study_table(home, "b")


def test_importing_it_is_light() -> None:
    code = (
        "import sys, study; assert 'optuna' not in sys.modules; study.load; "
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'tune'"):
        study.tune  # noqa: B018
