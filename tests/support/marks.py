"""Marks of tests."""

import pytest

ON_SQLITE_ALONE = pytest.mark.skipif(
    "config.getoption('--postgresql')", reason="what the storage is has no part in it: SQLite's run is enough"
)
