"""Which studies Optuna's make up, and what is said where one of those is missing."""

from typing import Any

import pytest

from study.config import Definition, Resources
from study.objective import Objective
from study.storage.contents import Contents, Entry

URL = "sqlite:///my runs/study.db"
PARTS = ("dense", "cnn", "confirmation", "finals")


def config(name: str = "a", **options: Any) -> dict[str, Any]:
    definition = Definition(name=name, spaces=("dense", "cnn"), **options)
    return {"definition": definition.to_json(), "resources": Resources().to_json()}


def entries(*parts: str, name: str = "a", trials: bool = True, **options: Any) -> list[Entry]:
    return [Entry(f"{name}/{part}", config(name, **options), trials) for part in parts]


def loss(*found: Entry) -> str:
    """What is said of the one study that has lost something."""
    contents = Contents(found)
    assert list(contents.studies()) == list(contents.losses(URL)) == ["a"]
    return contents.losses(URL)["a"]


def test_what_is_whole_has_lost_nothing() -> None:
    contents = Contents([*entries(*PARTS), *entries(*PARTS, name="b"), Entry("mine", None, True)])
    assert list(contents.studies()) == ["a", "b"]
    assert contents.losses(URL) == {}


@pytest.mark.parametrize("parts", [(), ("dense",), ("dense", "cnn", "confirmation")])
def test_a_creation_that_was_interrupted_is_no_study(parts: tuple[str, ...]) -> None:
    contents = Contents([*entries(*parts, trials=False), Entry("a/finals", None, False)])
    assert contents.studies() == {}
    assert contents.losses(URL) == {}


def test_a_search_that_is_gone_cannot_be_made_again() -> None:
    assert loss(*entries("cnn", "confirmation", "finals")) == (
        "the study 'a' has lost its Optuna study 'a/dense', which another tool deleted or renamed; the rest of it is "
        "kept; put a copy of the database in its place, or start a study with another NAME"
    )


def test_an_optuna_study_of_somebody_else_is_no_search_of_ours() -> None:
    assert "has lost its Optuna study 'a/dense'" in loss(
        Entry("a/dense", None, True), *entries("cnn", "confirmation", "finals")
    )


@pytest.mark.parametrize("part, direction", [("finals", "maximize"), ("confirmation", "minimize")])
def test_what_follows_from_the_searches_can_be_made_again(part: str, direction: str) -> None:
    others = entries(*(each for each in PARTS if each != part), objective=Objective("val_loss", "minimize"))
    said = loss(*others)
    command = f"optuna create-study --storage '{URL}' --study-name a/{part} --direction {direction}"
    assert f"after {command!r}, 'study resume a' trains it again" in said
    made = Contents([*others, Entry(f"a/{part}", None, False)])
    assert made.losses(URL) == {}
    assert made.studies()["a"].definition.objective.name == "val_loss"


@pytest.mark.parametrize("part", PARTS)
def test_what_was_renamed_is_named(part: str) -> None:
    others = entries(*(each for each in PARTS if each != part))
    said = loss(*others, Entry("the best", config(), True))
    assert f"has lost its Optuna study 'a/{part}'" in said
    assert said.endswith("'the best' may be it: rename it back")


def test_a_copy_beside_it_takes_nothing_away() -> None:
    contents = Contents([Entry("copy", config(trials=3), True), *entries(*PARTS)])
    assert contents.losses(URL) == {}
    assert contents.studies()["a"].definition.trials == Definition.trials


def test_everything_that_is_missing_is_said_in_one_line() -> None:
    said = loss(*entries("dense", "cnn"))
    assert "has lost its Optuna study 'a/confirmation' and 'a/finals'" in said
    assert said.count("optuna create-study") == 2
    assert "\n" not in said
    assert "create-study" not in loss(*entries("confirmation"))


def test_attributes_of_that_name_that_mean_something_else_are_passed_over() -> None:
    strange: list[Any] = [1, "text", [1], {}, {"definition": 1}, {"definition": {"name": "a"}, "resources": {}}]
    contents = Contents([Entry(f"x/{number}", each, True) for number, each in enumerate(strange)])
    assert contents.studies() == {}
    assert not contents.has_older("a")
