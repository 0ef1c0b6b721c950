"""Scripts that were written for KerasTuner run with another import."""

from pathlib import Path

import pytest
import scripts

import study.keras_tuner


@pytest.mark.filterwarnings(
    "ignore:fit.* does not use its callbacks", "ignore:.*shuffle=True", "ignore:.*Please remove"
)
@pytest.mark.parametrize("name", scripts.FAST)
def test_a_script_runs_with_the_import_changed(name: str, tmp_path: Path) -> None:
    scripts.scripts[name](study.keras_tuner, tmp_path)


def test_they_are_many() -> None:
    assert len(scripts.scripts) >= 30
