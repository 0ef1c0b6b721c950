"""Every command that a page prints is one that the real command line accepts."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made
import pytest
import typer
from made import final_record, trial_record
from optuna.trial import TrialState

import search_spaces
from reports import collect, commands, numbers, page
from study import cli
from study.config import DATA_OPTIONS, Definition, Resources, parse_duration, parse_size
from study.data import datasets
from study.objective import Objective
from study.storage.address import Address
from study.storage.store import StoredStudy

Make = Callable[..., StoredStudy]
PRINTED = re.compile(r"(?:^|: )(study [a-z]+\b.*)$", re.DOTALL)
COMMAND = re.compile(r"\bstudy (run|resume|status|evaluate|report|export|best|train|spaces|datasets|worker)\b")
OPTIONS: list[dict[str, Any]] = [
    {},
    {"spaces": ("dense", "cnn", "paper")},
    {"spaces": ("my.package:Space", "dense")},
    {
        "spaces": ("cnn",), "dataset": "npz:/data/it's a <b>.npz", "trials": 3, "epochs": 2, "seeds": 1,
        "sampler": "kt-grid", "pruner": "none", "seed": 2**32 - 1, "split_seed": 5, "precision": "mixed_float16",
        "pixels": "0..255", "confirm": 2, "margin": 0.25,
        "objective": Objective.of("val_loss"), "workers": 0, "join": 2, "timeout": 0.5, "trial_timeout": 30.5,
        "lease": 90.5, "manual_dir": "/here", "data_dir": "/there",
    },
    {"objective": Objective("f1", "minimize"), "workers": 3, "memory_limit": 2**31},
    {"dataset": "folder:/my photos", "image_size": "96x128", "test_share": 0.123456789, "skip_unreadable": True},
    {"dataset": "imagenette", "test_split": "validation"},
]  # fmt: skip
FROM_PYTHON: list[tuple[dict[str, Any], str, str]] = [
    ({"spaces": ("Mine",)}, "the space Mine", "study.resume("),
    ({"spaces": ("dense", "__main__:build")}, "the space __main__:build", "study.resume("),
    ({"spaces": ("tests.mine:make.<locals>.Mine",)}, "the space tests.mine:make.<locals>.Mine", "study.resume("),
    ({"spaces": ("tests.mine:Outer.Inner",)}, "the space tests.mine:Outer.Inner", "study.resume("),
    ({"callbacks": ("Stop", "Log")}, "the callback Stop, the callback Log", "study.resume("),
    ({"spaces": ("Mine",), "dataset": "arrays"}, "the data, the space Mine", "tuner.search(...) in Python"),
]


PLACE = Address.of(Path("runs"))


def parsed(command: str) -> dict[str, Any]:
    """The parameters that the real command line reads from a command."""
    program, name, *words = shlex.split(command)
    assert program == "study"
    application: Any = typer.main.get_command(cli.app)
    return dict(application.commands[name].make_context(name, words).params)


def texts(value: Any) -> Iterator[str]:
    """Every text of a page's parts, or of its JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts(each)


def printed(stored: StoredStudy) -> list[str]:
    """Every command of a study's page and its JSON; nothing else there looks like one."""
    results = collect.read(stored)
    shown = [(card.title, card.caption, card.lead, card.commands, card.row_commands, card.rows, card.error)
             for section in page.sections(results) for card in section.cards]  # fmt: skip
    found = []
    for text in [*texts(shown), *texts(json.loads(numbers.of_study(results)))]:
        command = PRINTED.search(text)
        assert command is not None or not COMMAND.search(text), text
        found += [command[1]] if command is not None else []
    return found


@pytest.mark.parametrize("options", OPTIONS)
def test_the_command_that_starts_a_study_says_all_that_it_is(options: dict[str, Any]) -> None:
    resources = {name: options[name] for name in options.keys() & Resources().to_json()}
    definition = Definition(name="a.b-c", **{name: options[name] for name in options.keys() - resources.keys()})
    words = parsed(commands.start(definition, Resources(**resources)))
    direction = words.pop("direction")
    assert Objective.of(words.pop("objective"), direction and direction.value) == definition.objective
    assert tuple(words.pop("space") or Definition.spaces) == definition.spaces
    for name in ("name", "dataset", "trials", "epochs", "seeds", "sampler", "pruner", "seed", "split_seed",
                 "precision", "pixels", "confirm", "margin", *DATA_OPTIONS):  # fmt: skip
        assert words[name] == getattr(definition, name)
    assert int(words["workers"]) == resources.get("workers", 1)
    assert int(words["join"] or 0) == resources.get("join", 0)
    assert words["timeout"] is None or 0 <= parse_duration(words["timeout"]) - resources["timeout"] < 1
    limit = words["trial_timeout"]
    assert limit is None or 0 <= parse_duration(limit) - resources["trial_timeout"] < 1
    assert words["lease"] is None or 0 <= parse_duration(words["lease"]) - resources["lease"] < 1
    assert words["memory_limit"] is None or parse_size(words["memory_limit"]) == resources["memory_limit"]
    assert (words["manual_dir"], words["data_dir"]) == (None, None)  # folders of one machine


@pytest.mark.parametrize("options, given, resumed", FROM_PYTHON)
def test_what_only_python_can_start_has_no_command(options: dict[str, Any], given: str, resumed: str) -> None:
    definition = Definition(**options)
    text = commands.start(definition, Resources())
    assert text == f"Started from Python with objects that no command can give: {given}."
    assert resumed in commands.resume(definition, PLACE)
    assert not COMMAND.search(text + commands.resume(definition, PLACE))


def test_a_longer_search_of_a_tuner_is_one_with_more_trials() -> None:
    said = commands.resume(Definition(dataset=commands.ARRAYS), PLACE, trials=12)
    assert said == "tuner.search(...) in Python, with max_trials=12"


def trials() -> list[Any]:
    return [(TrialState.COMPLETE, 0.5 + index / 100, trial_record(values={"rate": 0.1, "kind": "it's"}))
            for index in range(12)]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("tested", [False, True])
def test_every_printed_command_is_accepted(make: Make, options: dict[str, Any], tested: bool) -> None:
    options = {"spaces": ("dense", "cnn"), **options}
    spaces = options.pop("spaces")
    finals = [final_record(space=spaces[0], role=role, trial=trial, seed_index=seed)
              for role, trial in (("tuned", 11), ("baseline", 0)) for seed in range(2)]  # fmt: skip
    found = printed(make(dict.fromkeys(spaces, trials()), finals if tested else [], **options))
    kinds = {"train": 14 * len(spaces), "run": 2, "report": 2, "resume": 4 if tested else 6}
    assert {kind: sum(each.split()[1] == kind for each in found) for kind in kinds} == kinds
    for command in found:
        words = parsed(command)
        if command.split()[1] in ("run", "train"):
            assert words["pixels"] == options.get("pixels", Definition.pixels)
    with pytest.raises(Exception, match="--objective-direction"):
        parsed("study run a --objective-direction minimize")


@pytest.mark.parametrize("options, given, resumed", FROM_PYTHON)
def test_no_command_is_printed_that_cannot_run(make: Make, options: dict[str, Any], given: str, resumed: str) -> None:
    options = {"spaces": ("dense",), **options}
    spaces = options.pop("spaces")
    found = printed(make(dict.fromkeys(spaces, trials()), **options))
    assert {each.split()[1] for each in found} <= {"report", "train"}
    for command in found:
        parameters = parsed(command)
        assert parameters.get("space", "dense") == "dense"
        assert parameters.get("dataset", "digits") == "digits"


def test_the_names_are_those_of_spaces_and_data() -> None:
    assert tuple(search_spaces.SPACES) == commands.SPACES
    assert commands.ARRAYS == datasets.ARRAYS_NAME


def test_a_hostile_name_stays_one_word(make: Make) -> None:
    for hostile in made.HOSTILE:
        definition = Definition(dataset=f"npz:/{hostile}")
        assert parsed(commands.start(definition, Resources()))["dataset"] == definition.dataset
