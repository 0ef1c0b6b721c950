"""The packages of this project. They lie side by side, and a module of the user's may have the name of one of them."""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from study.errors import StudyError

NAMES = ("reports", "search_spaces")
"""Those beside `study`."""
ROOT = Path(__file__).parents[2]


def claim() -> None:
    """Import the packages from beside `study`, whatever is first on the path; later imports find them. A program calls
    it at its start: nobody else has used their names yet."""
    for name in NAMES:
        if name in sys.modules:
            continue
        spec = PathFinder.find_spec(name, [str(ROOT)])
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def check() -> None:
    """Import the packages in a program of somebody else's, which may have modules of their names.

    Raises:
        StudyError: it has, and the one that it finds is not ours.
    """
    for name in NAMES:
        if hiding := _other(name):
            raise StudyError(
                f"the package {name} of keras-study is hidden by {hiding}, which has its name; rename that, or start "
                "from another folder"
            )
    claim()


def _other(name: str) -> str | None:
    """The place of another module of that name which would be imported; a folder without code in it would not."""
    loaded = sys.modules.get(name)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # one that was made by hand
        spec = None
    place = spec.origin if spec is not None else None
    if place is not None and Path(place).resolve() == ROOT.resolve() / name / "__init__.py":
        return None
    return place or (str(loaded) if loaded is not None else None)
