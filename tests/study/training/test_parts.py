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
    """`pip install --target` takes a folder of any name."""
    package = f"package_in_{folder}"
    (tmp_path / folder / package).mkdir(parents=True)
    (tmp_path / folder / package / "__init__.py").write_text("class Thing: ...\n")
    monkeypatch.syspath_prepend(tmp_path / folder)
    monkeypatch.setattr(parts, "LIBRARIES", f"{tmp_path / 'libraries'}{os.sep}")
    thing = importlib.import_module(package).Thing()
    assert parts.is_users(thing) is (folder == "mine")
    del sys.modules[package]


def test_libraries_are_where_keras_is() -> None:
    assert keras.__file__.startswith(parts.LIBRARIES)
