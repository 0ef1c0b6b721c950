"""Modules of the user's that have the names of our packages; tests/studies has them beside real processes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from namesakes import MODULE, PACKAGE, write

from search_spaces.loading import SpaceError, load


@pytest.fixture
def _modules_as_before() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.usefixtures("_modules_as_before")
@pytest.mark.parametrize(
    "space",
    ["study:build", "search_spaces:build", "reports:build", "search_spaces.mine:build", "search_spaces.dense:build",
     "random:build", "time:build", "importer:build"],
)  # fmt: skip
def test_a_space_that_another_module_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str) -> None:
    monkeypatch.chdir(tmp_path)
    module = space.partition(":")[0]
    file = Path(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    file.write_text("def build(hp):\n    pass\n")
    if module == "importer":  # it needs a module of its user's that has our name
        file.write_text("from search_spaces import helper\n")
        file = write(tmp_path, "search_spaces", MODULE)
    with pytest.raises(SpaceError) as caught:
        load(space)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"the search space '{space}' cannot be imported: what is in {tmp_path / file} is hidden by ")
    assert line.endswith("; rename yours")


@pytest.mark.usefixtures("_modules_as_before")
def test_our_spaces_are_found_beside_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "search_spaces", PACKAGE)
    assert load("dense").name == "dense"
    assert load("search_spaces.dense:DenseHyperModel").name == "search_spaces.dense:DenseHyperModel"


@pytest.mark.usefixtures("_modules_as_before")
@pytest.mark.parametrize(
    "text, said",
    [
        ("import sys; sys.exit('usage: mine.py FILE')", "SystemExit: usage: mine.py FILE"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "E: (it has no text that can be read)"),
        ("import missing_module", "ModuleNotFoundError: No module named 'missing_module'"),
        ("def build(hp)\n", "SyntaxError: expected ':'"),
    ],
)
def test_a_module_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("unusable_space.py").write_text(text)
    with pytest.raises(SpaceError) as caught:
        load("unusable_space:build")
    assert str(caught.value).startswith(f"the search space 'unusable_space:build' cannot be imported: {said}")


@pytest.mark.parametrize("name", ["a b:c", "\x1b[2J:c", ":c", "mine:", "folder/mine:build", "mine:build:x", "mine", ""])
def test_what_is_no_name_is_refused_before_anything_is_imported(name: str) -> None:
    with pytest.raises(SpaceError, match=r"give dense, paper, cnn or package\.module:object"):
        load(name)


def test_a_function_of_c_is_no_space() -> None:
    with pytest.raises(SpaceError, match=r"it must be a keras_tuner\.HyperModel"):
        load("builtins:vars")
