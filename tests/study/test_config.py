"""What a study is, and what it runs on."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.config import DATA_OPTIONS, Definition, Resources, changed, check_name, duration, parse_duration, parse_size
from study.errors import StudyError
from study.objective import Objective


def test_json_both_ways() -> None:
    definition = Definition(
        name="a", spaces=("dense",), objective=Objective("val_loss", "minimize"), callbacks=("EarlyStopping",)
    )
    assert Definition.from_json(json.loads(json.dumps(definition.to_json()))) == definition
    photos = Definition(dataset="folder:/photos", image_size="96x64", test_share=0.25, skip_unreadable=True)
    assert Definition.from_json(json.loads(json.dumps(photos.to_json()))) == photos
    resources = Resources(timeout=90.0, manual_dir="/data", workers=3, memory_limit=2 * 10**9)
    assert Resources.from_json(json.loads(json.dumps(resources.to_json()))) == resources


@pytest.mark.parametrize(("config", "field"), [(Definition(), "trials"), (Resources(), "workers")])
def test_neither_changes(config: Any, field: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, field, 3)


@pytest.mark.parametrize(
    "given_values, said",
    [
        ({"trials": 0}, "--trials must be at least 1; it was given 0"),
        ({"epochs": -1}, "--epochs must be at least 1; it was given -1"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"trials": None}, "--trials is a whole number; it was given None"),
        ({"epochs": 2.5}, "--epochs is a whole number; it was given 2.5"),
        ({"seed": -1}, "--seed must lie in 0 to"),
        ({"split_seed": 2**32}, "--split-seed must lie in 0 to"),
        ({"sampler": "best"}, "--sampler must be one of tpe, random, qmc"),
        ({"sampler": "cmaes"}, "--sampler cmaes is not available: Optuna's CMA-ES stores its state as a pickle"),
        ({"pruner": "hyper"}, "--pruner must be one of sha, median, none; it was given 'hyper'"),
        ({"precision": "float64"}, "--precision must be one of float32, mixed_float16, mixed_bfloat16"),
        ({"spaces": ()}, "at least one search space"),
        ({"spaces": ("dense", "dense")}, "each search space is tuned once"),
        ({"spaces": ("finals",)}, "finals cannot be a search space's name"),
        ({"name": "artifacts"}, "artifacts is a folder of every home"),
        ({"dataset": "folder:a", "image_size": "0x5"}, "--image-size is HEIGHTxWIDTH in pixels, .* it was given '0x5'"),
        ({"dataset": "folder:a", "image_size": "96"}, "--image-size is HEIGHTxWIDTH in pixels"),
        ({"dataset": "folder:a", "image_size": 96}, "--image-size is a text; it was given 96"),
        ({"dataset": "folder:a", "test_share": 1.0}, "--test-share is a share between 0 and 1; it was given 1"),
        ({"dataset": "folder:a", "test_share": math.nan}, "--test-share is a number; it was given nan"),
        (
            {"dataset": "folder:a", "test_split": "b"},
            "--test-split is for a set of TensorFlow Datasets; --data",
        ),
        ({"dataset": "npz:a", "image_size": "9x9"}, "--image-size is for folder:DIR or a set of TensorFlow Datasets; "),
        ({"dataset": "mnist", "skip_unreadable": True}, "--skip-unreadable is for folder:DIR; --dataset is mnist"),
        ({"test_share": 0.5}, "--test-share is for folder:DIR or npz:FILE or csv:FILE or study.Data or a set"),
    ],
)
def test_a_value_that_no_study_can_have_is_named(given_values: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Definition(**given_values)


@pytest.mark.parametrize(
    "given_values, said",
    [
        ({"workers": -1}, "--workers must be at least 0"),
        ({"workers": 257}, "--workers must be at most 256; it was given 257"),
        ({"join": -1}, "--join must be at least 0"),
        ({"memory_limit": 10**6}, "--memory-limit must be at least 1GB"),
        ({"memory_limit": 10**10, "workers": 0}, "--memory-limit applies to worker processes"),
        ({"timeout": -1.0}, "--timeout must be more than 0"),
        ({"trial_timeout": 0.0}, "--trial-timeout must be more than 0 seconds; it was given 0"),
        ({"lease": 0.5}, "--lease must be at least 1 second; it was given 0.5"),
    ],
)
def test_a_value_that_no_study_can_run_on_is_named(given_values: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Resources(**given_values)


def test_a_resume_takes_only_what_may_change() -> None:
    definition, resources = changed(Definition(), Resources(), {"trials": 30, "workers": 2, "lease": 60.0, "join": 1})
    assert definition == Definition(trials=30)
    assert resources == Resources(workers=2, lease=60.0, join=1)
    assert changed(Definition(), Resources(), {}) == (Definition(), Resources())
    with pytest.raises(StudyError, match="epochs is fixed when a study starts; a resume takes trials, seeds, workers"):
        changed(Definition(), Resources(), {"epochs": 3})
    for fixed in ("name", "objective", "sampler", "pruner", "seed", *DATA_OPTIONS):
        with pytest.raises(StudyError, match=f"{fixed} is fixed when a study starts"):
            changed(Definition(), Resources(), {fixed: getattr(Definition(), fixed)})
    for budget in ("trials", "seeds"):
        with pytest.raises(StudyError, match=f"--{budget} counts from the start and may only grow"):
            changed(Definition(), Resources(), {budget: 1})


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", "-a", ".a", "a b", "a\n", "é", "x" * 101, "study.db"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="a study's name consists of"):
        check_name(name)


def test_what_a_study_has_an_optuna_study_for() -> None:
    definition = Definition(name="a", spaces=("dense", "cnn"))
    assert definition.parts == ("dense", "cnn", "confirmation", "finals")
    assert list(map(definition.study_name, definition.parts)) == [
        "a/dense", "a/cnn", "a/confirmation", "a/finals",
    ]  # fmt: skip


def test_how_many_processes_train() -> None:
    assert Resources(workers=2, join=3).trainers == 5


@pytest.mark.parametrize(
    "text, seconds", [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1h1m1s", 3661)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "0s", "-5m", "5 minutes", "m", "1.5h", "3m2h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(StudyError, match="--timeout is a duration such as"):
        parse_duration(text)


keys = st.lists(st.text(max_size=5) | st.integers(0, 1000), max_size=3)


@given(keys, keys)
def test_seeds_are_keyed(first: list[Any], second: list[Any]) -> None:
    definition, other = Definition(), Definition(seed=1)
    assert 0 <= definition.seed_for(*first) < 2**32
    assert definition.seed_for(*first) == Definition().seed_for(*first)
    assert (definition.seed_for(*first) == definition.seed_for(*second)) == (first == second)
    assert definition.seed_for(*first) != other.seed_for(*first)


def test_an_archive_is_called_by_its_file() -> None:
    assert Definition(dataset="npz:/some/where/digits.npz").dataset_name == "digits.npz"
    assert Definition(dataset="folder:/some/photos/").dataset_name == "photos"
    assert Definition(dataset="mnist").dataset_name == "mnist"


@pytest.mark.parametrize(
    "text, size", [("4GB", 4 * 10**9), ("2GiB", 2 * 2**30), ("1.5 gb", 1_500_000_000), ("800M", 8 * 10**8), ("9", 9)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-4GB", "4 GBB", "4XB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(StudyError, match="is a size such as 4GB"):
        parse_size(text)
