"""How many workers suit this machine, and which instructions its processor has."""

import os
from pathlib import Path

import joblib

from study.config import LEAST_MEMORY
from study.errors import StudyError
from study.system import memory

GPUS = "CUDA_VISIBLE_DEVICES"  # the environment variable with the GPUs that a process may use
WORKER_BYTES = 2 * 2**30  # memory that a worker may come to need
MOST_FITTING = 16  # the more workers, the fewer earlier trials each new one can learn from
CPUINFO = Path("/proc/cpuinfo")
BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Linux's names of the instructions with which TensorFlow computes in bfloat16."""


def computes_bfloat16() -> bool | None:
    """Whether the processor has instructions for bfloat16; None where it does not say: not an x86, or not Linux."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return None
    flags = (line.partition(":")[2].split() for line in lines if line.startswith("flags"))
    return next((not set(BFLOAT16).isdisjoint(each) for each in flags), None)


def fitting_workers() -> int:
    """Worker processes that suit this machine: one per GPU or, without any, one per core as far as memory allows.

    On 2 cores, two train 1.5 to 2 times as many trials per hour as one that has both (tests/benchmarks/workers.py).
    """
    if found := gpus():
        return len(found)
    in_memory = memory.available() // WORKER_BYTES
    return max(1, min(int(joblib.cpu_count(only_physical_cores=True)), in_memory, MOST_FITTING))


def shortage(workers: int) -> str | None:
    """What to say where so many workers take more memory than is left, whatever they train; None where they do not."""
    needed, left = workers * LEAST_MEMORY, memory.available()
    if needed <= left:
        return None
    return (
        f"{workers} workers take at least {needed / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are left; give "
        f"--workers {max(1, left // LEAST_MEMORY)}"
    )


def gpus() -> list[str]:
    """The GPUs of this machine that may be used, as CUDA names them in `CUDA_VISIBLE_DEVICES`."""
    if (allowed := os.environ.get(GPUS)) is not None:
        return [each.strip() for each in allowed.split(",") if each.strip() not in ("", "-1")]
    devices = [device.name.removeprefix("nvidia") for device in Path("/dev").glob("nvidia[0-9]*")]
    # CUDA numbers from 0 those that a container was given, whatever their numbers on the host.
    return [str(ordinal) for ordinal in range(sum(map(str.isdecimal, devices)))]


def parse_workers(text: str) -> int:
    """A number of workers, for `auto` as many as suit this machine; anything else raises a `StudyError`."""
    try:
        number = fitting_workers() if text == "auto" else int(text)
    except ValueError:
        raise StudyError(f"--workers is a number or auto; it was given {text!r}") from None
    if number < 0:
        raise StudyError(f"--workers must be at least 0; it was given {number}")
    return number
