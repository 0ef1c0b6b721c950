"""Studies made by hand."""

import functools
from collections.abc import Callable
from pathlib import Path

import made
import pytest

from study.storage.store import StoredStudy


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., StoredStudy]:
    """Makes a stored study (see `made.study`)."""
    return functools.partial(made.study, tmp_path)
