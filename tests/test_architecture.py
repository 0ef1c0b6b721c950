"""Who may import whom, by package. The same as a picture is in CONTRIBUTING.md."""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("study", "search_spaces", "reports")
VOCABULARY = {"config", "errors", "images", "objective", "paths", "records"}
FACES = {"api", "cli", "keras_tuner"}
STOREYS = (
    VOCABULARY,
    {"system"},
    {"data", "search", "storage", "training"},
    {"integrations"},
    {"execution"},
    {"api"},
    {"keras_tuner", "cli"},
)
"""Rooms of `study` from the ground up: each imports from storeys below its own, and only the vocabulary and the faces
from each other."""
HEAVY = {"keras", "keras_tuner", "tensorflow", "tensorflow_datasets"}
LIGHT = VOCABULARY | {"system", "storage", "cli"}
"""Rooms that import nothing heavy when they are imported."""
KNOWS = {
    "ray": {"study/execution/cluster.py"},
    "sqlalchemy": {f"study/storage/{name}.py" for name in
                   ("address", "database", "failures", "postgresql", "queries", "sqlite", "store")},
    "tensorflow_datasets": {"study/data/catalog.py"},
}  # fmt: skip
"""Packages that few files know."""


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@functools.cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@functools.cache
def imports(file: Path, *, at_module_level: bool = False) -> set[str]:
    """The modules that a file imports, as `package.module`; for typing alone is not counted."""
    found: set[str] = set()
    for node in _nodes(parsed(file), at_module_level):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def _nodes(node: ast.AST, at_module_level: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if at_module_level and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        yield child
        yield from _nodes(child, at_module_level)


def tops(file: Path, *, at_module_level: bool = False) -> set[str]:
    """The packages that a file imports."""
    return {name.partition(".")[0] for name in imports(file, at_module_level=at_module_level)}


def room(module: str) -> str:
    """The room of a module of `study`: its package, or itself."""
    return module.split(".")[1] if "." in module else ""


def rooms_of(file: Path) -> set[str]:
    """The rooms of `study` that a file imports."""
    named = {room(name) for name in imports(file) if name.startswith("study.")}
    return {name for name in named if (ROOT / "study" / name).is_dir() or (ROOT / "study" / f"{name}.py").is_file()}


def storey(name: str) -> int:
    return next(number for number, rooms in enumerate(STOREYS) if name in rooms)


@pytest.mark.parametrize("file", files("study"), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_room_imports_from_below(file: Path) -> None:
    here = file.relative_to(ROOT / "study").parts[0].removesuffix(".py")
    if here in ("__init__", "__main__"):
        return
    for other in rooms_of(file) - {here, "__init__"}:
        allowed = storey(other) < storey(here) or {here, other} <= VOCABULARY
        assert allowed, f"{here} may not import {other}"


def test_within_a_package_no_imports_run_in_a_circle() -> None:
    """At module level; what a function imports is asked for later."""
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file for each in PACKAGES for file in files(each)
    }
    arrows = {
        name: {other for other in imports(file, at_module_level=True) if other in modules}
        for name, file in modules.items()
    }
    left = dict(arrows)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"a circle among {sorted(left)}"


def test_the_top_level_of_study_is_small() -> None:
    assert len(list((ROOT / "study").glob("*.py"))) <= 14


def test_search_spaces_import_keras_and_kerastuner_only() -> None:
    for file in files("search_spaces"):
        assert tops(file) - set(sys.stdlib_module_names) <= {"keras", "keras_tuner", "search_spaces"}, file


def test_reports_import_neither_keras_nor_the_rooms_that_do() -> None:
    for file in files("reports"):
        assert not tops(file) & HEAVY, file
        assert rooms_of(file) <= VOCABULARY | {"storage", "system"}, file
        system = {name for name in imports(file) if name.startswith("study.system.")}
        assert all(name.startswith("study.system.files") for name in system), file


def test_nobody_imports_the_command_line_but_its_entry() -> None:
    for package in PACKAGES:
        for file in files(package):
            if file.name != "__main__.py" and file.parent.name != "cli":
                assert "cli" not in rooms_of(file), file


def test_only_the_faces_know_the_report() -> None:
    for file in files("study"):
        if file.relative_to(ROOT / "study").parts[0].removesuffix(".py") not in FACES:
            assert "reports" not in tops(file), file


def test_light_rooms_import_nothing_heavy() -> None:
    for file in files("study"):
        if file.relative_to(ROOT / "study").parts[0].removesuffix(".py") in LIGHT:
            assert not tops(file, at_module_level=True) & HEAVY, file


@pytest.mark.parametrize("library", KNOWS)
def test_few_files_know_a_library(library: str) -> None:
    knows = {str(file.relative_to(ROOT)) for each in PACKAGES for file in files(each) if library in tops(file)}
    assert knows <= KNOWS[library]


def test_only_the_finals_read_the_test_images() -> None:
    """And what tests a model on request: one that was exported, and one trained outside of a study."""
    reads = [file.name for package in PACKAGES for file in files(package) if ".test()" in file.read_text()]
    assert reads == ["exporting.py", "finals.py", "retraining.py"]


PRIVATE = {
    "Keras": "study/training/keras_private.py",
    "KerasTuner": "study/search/keras_tuner_private.py",
    "Optuna": "study/system/optuna_private.py",
}
"""Where the private names of a library are used; each file has a contract test."""


def test_private_names_of_libraries_live_in_one_file_per_library() -> None:
    """What one of our objects calls private is its own: `self._x`, `cls._x` and module names that begin with `_`."""
    for package in PACKAGES:
        for file in files(package):
            name = str(file.relative_to(ROOT))
            if name in PRIVATE.values():
                continue
            found = {
                f"{ast.unparse(node)} (line {node.lineno})"
                for node in ast.walk(parsed(file))
                if isinstance(node, ast.Attribute)
                and re.fullmatch(r"_[a-z]\w*", node.attr)
                and node.attr not in OURS
                and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
                and not ast.unparse(node.value).startswith("super(")
            }
            assert not found, f"{name}: {sorted(found)}"


OURS = {"_asdict", "_replace", "_fields", "_exit", "_lock"}
"""Names of the standard library's, or of an object of ours in the same file."""


def test_every_direct_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {"sklearn": "scikit-learn", "absl": "absl-py", "PIL": "pillow", "mlflow": "mlflow-skinny",
             "upath": "universal-pathlib"}  # fmt: skip
    extras = {name: each for name, each in project["optional-dependencies"].items() if name != "test"}
    everything = [*project["dependencies"], *(each for listed in extras.values() for each in listed)]
    declared = {re.split(r"[^A-Za-z0-9_-]", each)[0].lower().replace("_", "-") for each in everything}
    for package in PACKAGES:
        for file in files(package):
            foreign = tops(file) - set(PACKAGES) - set(sys.stdlib_module_names)
            assert {names.get(name, name).replace("_", "-") for name in foreign} <= declared, file
