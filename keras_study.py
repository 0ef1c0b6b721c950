"""The command `study`. It finds the package of that name beside this file, whatever else on the path is called so."""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

if "study" not in sys.modules:
    spec = PathFinder.find_spec("study", [str(Path(__file__).parent)])
    assert spec is not None and spec.loader is not None
    sys.modules["study"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

from study.cli import entry_point

if __name__ == "__main__":  # worker processes import it too
    entry_point()
