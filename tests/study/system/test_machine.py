"""How many workers suit a machine."""

from pathlib import Path

import psutil
import pytest

from study.errors import StudyError
from study.system import machine


def test_one_worker_per_core_as_far_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(()))
    monkeypatch.setattr("joblib.cpu_count", lambda only_physical_cores: 8)
    memory = psutil.virtual_memory()

    def fitting(available: int) -> int:
        monkeypatch.setattr("psutil.virtual_memory", lambda: memory._replace(available=available))
        return machine.fitting_workers()

    assert fitting(100 * 2**30) == machine.parse_workers("auto") == 8
    assert fitting(5 * 2**30) == 2
    assert fitting(0) == 1


def test_more_workers_than_the_memory_holds_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory._replace(available=3_500_000_000))
    assert machine.shortage(3) is None
    said = "8 workers take at least 8.0 GB of memory, and 3.5 GB are left; give --workers 3"
    assert machine.shortage(8) == said


def test_one_worker_per_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = [Path("/dev/nvidia0"), Path("/dev/nvidia10"), Path("/dev/nvidia2"), Path("/dev/nvidia0ctl")]
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(found))
    assert machine.gpus() == ["0", "1", "2"]  # as CUDA counts those that a container was given
    assert machine.fitting_workers() == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert machine.gpus() == ["2", "5"]
    assert machine.fitting_workers() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.gpus() == []


def test_a_number_of_workers_is_parsed() -> None:
    assert [machine.parse_workers(text) for text in ("0", "3")] == [0, 3]
    with pytest.raises(StudyError, match="--workers must be at least 0; it was given -1"):
        machine.parse_workers("-1")
    with pytest.raises(StudyError, match="--workers is a number or auto; it was given 'many'"):
        machine.parse_workers("many")


@pytest.mark.parametrize(
    "lines, expected",
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\nbugs\t:\n", True),
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", None),
    ],
)
def test_what_a_processor_says_of_bfloat16(
    lines: str, expected: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(lines)
    monkeypatch.setattr(machine, "CPUINFO", file)
    assert machine.computes_bfloat16() is expected
    file.unlink()
    assert machine.computes_bfloat16() is None
