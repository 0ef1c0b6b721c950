"""What a study ran on: versions and hardware, stored beside its trials."""

import gc
import logging
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("keras", "tensorflow", "keras-tuner", "optuna", "numpy", "tensorflow-datasets", "scikit-learn")


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up noise, which its C++ part writes to the error stream by itself.

    Nothing is swallowed where the import fails.
    """
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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _accelerator() -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in devices]
    return ", ".join(details) or "none"
