"""A study's definition."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.config import StudyConfig, check_name, parse_duration, parse_size
from study.errors import StudyError


def test_json_both_ways() -> None:
    config = StudyConfig(name="a", spaces=("dense",), timeout=90.0, manual_dir="/data")
    assert StudyConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_definition_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StudyConfig().trials = 3


@pytest.mark.parametrize(
    "given_values, said",
    [
        ({"trials": 0}, "--trials must be at least 1; it was given 0"),
        ({"epochs": -1}, "--epochs must be at least 1; it was given -1"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"workers": -1}, "--workers must be at least 0"),
        ({"memory_limit": 10**6}, "--memory-limit must be at least 1GB"),
        ({"seed": -1}, "--seed must lie in 0 to"),
        ({"split_seed": 2**32}, "--split-seed must lie in 0 to"),
        ({"timeout": -1.0}, "--timeout must be more than 0"),
        ({"sampler": "best"}, "--sampler must be one of tpe, random, qmc"),
        ({"pruner": "hyper"}, "--pruner must be one of median, sha, none; it was given 'hyper'"),
        ({"objective": "accuracy"}, "--objective is val_accuracy or val_loss, or a metric"),
        ({"spaces": ()}, "at least one search space"),
        ({"spaces": ("dense", "dense")}, "each search space is tuned once"),
    ],
)
def test_a_value_that_no_study_can_have_is_named(given_values: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        StudyConfig(**given_values)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", "-a", ".a", "a b", "a\n", "é", "x" * 101, "study.db"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="a study's name is"):
        check_name(name)


@pytest.mark.parametrize(
    "text, seconds", [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1h1m1s", 3661)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "0s", "-5m", "5 minutes", "m", "1.5h", "3m2h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(StudyError, match="--timeout is a duration such as"):
        parse_duration(text)


keys = st.lists(st.text(max_size=5) | st.integers(0, 1000), max_size=3)


@given(keys, keys)
def test_seeds_are_keyed(first: list[Any], second: list[Any]) -> None:
    config, other = StudyConfig(), StudyConfig(seed=1)
    assert 0 <= config.seed_for(*first) < 2**32
    assert config.seed_for(*first) == StudyConfig().seed_for(*first)
    assert (config.seed_for(*first) == config.seed_for(*second)) == (first == second)
    assert config.seed_for(*first) != other.seed_for(*first)


def test_directions() -> None:
    assert StudyConfig(objective="val_accuracy").direction == "maximize"
    assert StudyConfig(objective="val_loss").direction == "minimize"


def test_an_archive_is_called_by_its_file() -> None:
    assert StudyConfig(dataset="npz:/some/where/digits.npz").dataset_name == "digits.npz"
    assert StudyConfig(dataset="mnist").dataset_name == "mnist"


@pytest.mark.parametrize(
    "text, size", [("4GB", 4 * 10**9), ("2GiB", 2 * 2**30), ("1.5 gb", 1_500_000_000), ("800M", 8 * 10**8), ("9", 9)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-4GB", "4 GBB", "4XB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(StudyError, match="is a size such as 4GB"):
        parse_size(text)
