"""Who may import whom."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {"keras", "keras_tuner", "tensorflow", "tensorflow_datasets"}
LIGHT = (
    "records", "config", "errors", "epochs", "extras", "files", "checkpoints", "claims", "signals", "storage",
    "results", "samplers", "queries", "sqlite", "postgresql", "cluster", "progress", "workers",
    "artifacts", "notes", "mlflow_runs", "cli",
)  # fmt: skip


def imports(file: Path) -> set[str]:
    """The modules that a file imports anywhere, as `package.module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def tops(file: Path) -> set[str]:
    """The packages that a file imports."""
    return {name.partition(".")[0] for name in imports(file)}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_search_spaces_import_keras_and_kerastuner_only() -> None:
    for file in files("search_spaces"):
        assert not tops(file) & {"study", "reports", "optuna", "tensorflow"}, file


def test_reports_import_neither_keras_nor_the_rooms_that_do() -> None:
    allowed = {"study.config", "study.errors", "study.files", "study.records", "study.results", "study.storage"}
    for file in files("reports"):
        assert not tops(file) & HEAVY, file
        ours = {".".join(name.split(".")[:2]) for name in imports(file) if name.startswith("study.")}
        assert ours <= allowed, file


def test_nothing_imports_the_command_line_but_its_entry() -> None:
    for package in ("study", "search_spaces", "reports"):
        for file in files(package):
            if file.name != "__main__.py":
                assert "study.cli" not in imports(file), file


def test_the_driver_does_not_know_the_report() -> None:
    for file in files("study"):
        if file.name not in ("cli.py", "api.py"):
            assert "reports" not in tops(file), file


def test_light_rooms_import_nothing_heavy() -> None:
    for name in LIGHT:
        assert not tops(ROOT / "study" / f"{name}.py") & HEAVY, name


def test_ray_is_imported_where_it_is_used() -> None:
    """At module level of one room, which is imported when a cluster is asked for."""
    knows = [file.name for package in ("study", "search_spaces", "reports") for file in files(package)
             if "ray" in tops(file)]  # fmt: skip
    assert knows == ["cluster.py"]


def test_only_the_storage_knows_sqlalchemy() -> None:
    knows = [file.name for package in ("study", "search_spaces", "reports") for file in files(package)
             if "sqlalchemy" in tops(file)]  # fmt: skip
    assert knows == ["postgresql.py", "queries.py", "sqlite.py", "storage.py"]


def test_only_the_finals_read_the_test_images() -> None:
    reads = [file.name for package in ("study", "search_spaces", "reports") for file in files(package)
             if ".test()" in file.read_text()]  # fmt: skip
    assert reads == ["finals.py"]


def test_every_direct_import_is_a_declared_dependency() -> None:
    import re
    import sys
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {"sklearn": "scikit-learn", "absl": "absl-py", "PIL": "pillow", "mlflow": "mlflow-skinny",
             "upath": "universal-pathlib"}  # fmt: skip
    extras = {name: each for name, each in project["optional-dependencies"].items() if name != "test"}
    everything = [*project["dependencies"], *(each for listed in extras.values() for each in listed)]
    declared = {re.split(r"[^A-Za-z0-9_-]", each)[0].lower().replace("_", "-") for each in everything}
    ours = {"study", "search_spaces", "reports"}
    for package in ours:
        for file in files(package):
            foreign = tops(file) - ours - set(sys.stdlib_module_names)
            assert {names.get(name, name).replace("_", "-") for name in foreign} <= declared, file
