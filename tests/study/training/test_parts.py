"""What of a model is the user's own."""

import importlib
import os
import sys
from pathlib import Path

import keras
import pytest

from study.training import parts


@pytest.mark.parametrize("folder", ["mine", "libraries"])
def test_what_is_installed_beside_keras_is_not_the_users(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --target` takes a folder of any name, and a user's own modules may lie in it."""
    package = f"package_in_{folder}"
    (tmp_path / folder / package).mkdir(parents=True)
    (tmp_path / folder / package / "__init__.py").write_text("class Thing: ...\n")
    (tmp_path / folder / "made-1.0.dist-info").mkdir()
    (tmp_path / folder / "made-1.0.dist-info" / "METADATA").write_text("Name: made\nVersion: 1.0\n")
    (tmp_path / folder / "made-1.0.dist-info" / "top_level.txt").write_text(package)
    monkeypatch.syspath_prepend(tmp_path / folder)
    monkeypatch.setattr(parts, "LIBRARIES", f"{tmp_path / 'libraries'}{os.sep}")
    (tmp_path / folder / "spaces_of_mine.py").write_text("class Thing: ...\n")
    thing, mine = (importlib.import_module(name).Thing() for name in (package, "spaces_of_mine"))
    assert parts.is_users(thing) is (folder == "mine")
    assert parts.is_users(mine)
    del sys.modules[package], sys.modules["spaces_of_mine"]
    parts._is_users.cache_clear()


def test_libraries_are_where_keras_is() -> None:
    assert keras.__file__.startswith(parts.LIBRARIES)
