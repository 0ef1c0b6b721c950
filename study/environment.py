"""What a study ran on: versions and hardware, stored beside its trials."""

import gc
import logging
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from study.errors import StudyError

PACKAGES = ("keras", "tensorflow", "keras-tuner", "optuna", "numpy", "tensorflow-datasets", "scikit-learn")


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up noise, which its C++ part writes to the error stream by itself.

    Nothing is swallowed where the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            noise.seek(0)
            with os.fdopen(os.dup(kept), "wb") as stderr:
                shutil.copyfileobj(noise, stderr)
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # What was imported is never garbage: looking through it after each trial would cost 0.3 s.
    gc.freeze()


def describe() -> dict[str, str | int]:
    """Versions by package, and processor, cores and memory. No name of the machine or its user."""
    from study import __version__

    versions = {package: version(package) for package in PACKAGES}
    return {
        "study": __version__,
        "python": platform.python_version(),
        **versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": psutil.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "accelerator": _accelerator(),
    }


def check(name: str, stored: Mapping[str, Any], allow_drift: bool, warn: Callable[[str], None]) -> None:
    """Refuse to go on under other versions than the study was started with, unless that is allowed; warn of other
    hardware: both may change the last bits of a result.

    Raises:
        StudyError: saying which versions differ.
    """
    found = describe()

    def differing(keys: tuple[str, ...]) -> str:
        return ", ".join(
            f"{key} {stored[key]} then, {found[key]} now" for key in keys if key in stored and stored[key] != found[key]
        )

    if versions := differing((*PACKAGES, "python")):
        if not allow_drift:
            raise StudyError(
                f"the study {name!r} was started under other versions ({versions}); nothing was changed; install those "
                "(its trials can then be compared to the bit), or go on under these with --allow-drift"
            )
        warn(f"going on under other versions: {versions}")
    if hardware := differing(("processor", "accelerator")):
        warn(f"going on on other hardware, which may change the last bits of a result: {hardware}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def device() -> str:
    """What this process trains on: the name of its GPU, or CPU."""
    found = _accelerator()
    return "CPU" if found == "none" else found


@cache
def _accelerator() -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in devices]
    return ", ".join(details) or "none"
