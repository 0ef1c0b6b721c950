"""Options whose package is missing."""

import pytest

from study.errors import StudyError
from study.system import extras


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not extras.is_installed("--sampler gp")
    with pytest.raises(StudyError, match=r"--sampler gp needs torch: pip install 'keras-study\[gp\]'"):
        extras.check("--sampler gp")


def test_an_option_that_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert extras.is_installed("--sampler tpe")
    extras.check("--sampler tpe")
