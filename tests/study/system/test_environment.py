"""Versions and hardware that a study runs on, and the import of TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import StudyError
from study.system import environment


@pytest.fixture
def stored() -> dict[str, str | int]:
    """What a study that was started here has stored."""
    return environment.describe()


def test_versions_and_hardware_are_described(stored: dict[str, str | int]) -> None:
    assert {*environment.PACKAGES, "study", "python", "platform", "processor", "cores", "memory_gib"} < stored.keys()
    assert stored["accelerator"] == "none"
    assert environment.device() == "CPU"


def test_the_same_environment_is_passed_in_silence(stored: dict[str, str | int]) -> None:
    warnings: list[str] = []
    environment.check("a", stored, False, warnings.append)
    del stored["keras"]  # an older study did not store it
    environment.check("a", stored, False, warnings.append)
    assert warnings == []


def test_other_versions_are_refused_unless_allowed(stored: dict[str, str | int]) -> None:
    warnings: list[str] = []
    other = stored | {"keras": "3.0.0"}
    with pytest.raises(StudyError, match=r"under other versions \(keras 3\.0\.0 then, .* now\);.* --allow-drift"):
        environment.check("a", other, False, warnings.append)
    assert warnings == []
    environment.check("a", other, True, warnings.append)
    assert warnings == [f"continuing under other versions: keras 3.0.0 then, {stored['keras']} now"]


def test_other_hardware_is_a_warning(stored: dict[str, str | int]) -> None:
    warnings: list[str] = []
    environment.check("a", stored | {"processor": "Z80", "cores": 1}, False, warnings.append)
    assert len(warnings) == 1
    assert warnings[0].endswith(f"may change the last bits of a result: processor Z80 then, {stored['processor']} now")


@pytest.mark.parametrize("fails", [False, True])
def test_start_up_messages_are_shown_only_if_the_import_fails(tmp_path: Path, fails: bool) -> None:
    (tmp_path / "tensorflow.py").write_text(
        "import os\nfrom types import SimpleNamespace\nos.write(2, b'start-up message\\n')\n"
        "config = SimpleNamespace(list_physical_devices=lambda: [])\n" + "raise ImportError('broken')\n" * fails
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from study.system import environment\nenvironment.import_tensorflow()\nsys.stderr.write('imported')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if fails:
        assert done.returncode == 1
        assert done.stderr.startswith("start-up message\n")
        assert done.stderr.endswith("ImportError: broken\n")
    else:
        assert (done.returncode, done.stderr) == (0, "imported")
