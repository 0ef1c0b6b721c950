"""What a user may have that is called like one of our packages."""

from pathlib import Path

FOLDER, PACKAGE, MODULE = "folder", "package", "module"


def write(folder: Path, name: str, kind: str) -> Path:
    """Something of that name: a folder that has no code of its own, a package or a module."""
    if kind == MODULE:
        file = folder / f"{name}.py"
    else:
        (folder / name / "templates").mkdir(parents=True)
        (folder / name / "templates" / "page.html.j2").write_text("not ours")
        file = folder / name / ("__init__.py" if kind == PACKAGE else "mine.py")
    file.write_text("def build(hp):\n    pass\n\n\ndef helper():\n    pass\n")
    return file
