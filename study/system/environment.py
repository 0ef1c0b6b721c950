"""What a study runs on: versions and hardware, stored beside its trials."""

import contextlib
import gc
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from study.errors import StudyError
from study.system.streams import open_missing

PACKAGES = ("keras", "tensorflow", "keras-tuner", "optuna", "numpy", "tensorflow-datasets", "scikit-learn")
"""Packages whose version can change a result."""


def import_tensorflow() -> None:
    """Import TensorFlow without the messages that its C++ code writes to file descriptor 2; if it fails, with them."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    open_missing()
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody may read it any more
            sys.stderr.flush()
    with open(os.dup(2), "wb") as original, tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            messages.seek(0)
            original.write(messages.read())
            raise
        finally:
            os.dup2(original.fileno(), 2)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    gc.freeze()  # Keras collects garbage before each model: to search what was imported would take 0.3 s each time


def describe() -> dict[str, str | int]:
    """Versions by package, processor, cores, memory (GiB) and GPUs; neither the machine's nor the user's name."""
    from study import __version__

    return {
        "study": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": psutil.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "accelerator": "none" if device() == "CPU" else device(),
    }


def check(name: str, stored: Mapping[str, Any], allow_drift: bool, warn: Callable[[str], None]) -> None:
    """Warn of other hardware than `stored`, what `describe` said at the study's start, and refuse other versions: both
    may change a result's last bits.

    Raises:
        StudyError: The versions differ, and `allow_drift` does not make that a warning; the message names them.
    """
    found = describe()

    def differing(*keys: str) -> str:
        changed = [key for key in keys if key in stored and stored[key] != found[key]]
        return ", ".join(f"{key} {stored[key]} then, {found[key]} now" for key in changed)

    if versions := differing(*PACKAGES, "python"):
        if not allow_drift:
            advice = "install them (its trials stay comparable bit for bit), or continue under these with --allow-drift"
            raise StudyError(f"{name!r} was started under other versions ({versions}); nothing was changed; {advice}")
        warn(f"continuing under other versions: {versions}")
    if hardware := differing("processor", "accelerator"):
        warn(f"continuing on other hardware, which may change the last bits of a result: {hardware}")


@cache
def device() -> str:
    """What this process trains on: the names of its GPUs, or CPU."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in devices]
    return ", ".join(details) or "CPU"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
