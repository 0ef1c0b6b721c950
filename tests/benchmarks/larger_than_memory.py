"""Whether a set trains that is larger than the memory, and at which speed.

    python tests/benchmarks/larger_than_memory.py                                # 8 GB of images, 3 GB of memory
    python tests/benchmarks/larger_than_memory.py --gigabytes 2 --limit 1.5

Writes an archive of 128x128 colour images (a few thousand, over and over) to --folder, which needs three times its size
there, and runs a study of a small model on it: two epochs, and a final. The memory is limited by a control group of
Linux (cgroup v1 or v2; root may make one), to which the pages of files count too. Prints the seconds until the first
epoch (decoding, hashing), the seconds of an epoch, the largest memory in use, and how often the limit was met.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

SIDE, TILE = 128, 2048
GROUPS = Path("/sys/fs/cgroup")
SPACE = """
import keras


def build(hp):
    model = keras.Sequential(
        [keras.layers.AveragePooling2D(16), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, default=1e-3)), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])
    return model
"""


def write_archive(file: Path, gigabytes: float) -> int:
    """Write an archive of about that size and return the number of its training images."""
    random = np.random.default_rng(0)
    tile = random.integers(0, 256, (TILE, SIDE, SIDE, 3)).astype(np.uint8)
    tiles = max(1, round(gigabytes * 1e9 / tile.nbytes))
    labels = np.tile(random.integers(0, 10, TILE), tiles)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array, times in (("x_train", tile, tiles), ("y_train", labels, 1), ("x_test", tile[:500], 1),
                                   ("y_test", labels[:500], 1)):  # fmt: skip
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                _write(stream, array, times)
    with file.open("rb") as written:  # its pages would not count to the group that reads it
        os.fsync(written.fileno())
        os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return tiles * TILE


def _write(stream: IO[bytes], array: np.ndarray, times: int) -> None:
    shape = (times * len(array), *array.shape[1:])
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(stream, header)
    for _ in range(times):
        stream.write(array.tobytes())


class Limit:
    """A control group whose memory is limited."""

    def __init__(self, gigabytes: float) -> None:
        is_second = (GROUPS / "cgroup.controllers").exists()
        self._folder = GROUPS / ("" if is_second else "memory") / f"larger-than-memory-{os.getpid()}"
        names = ("memory.max", "memory.peak", "memory.events") if is_second else (
            "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt")  # fmt: skip
        limit, self._peak, self._met = (self._folder / name for name in names)
        self._folder.mkdir()
        limit.write_text(str(int(gigabytes * 2**30)))

    def enter(self) -> None:
        """Put this process under the limit."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def found(self) -> str:
        """The largest memory in use, and how often the limit was met."""
        met = self._met.read_text().replace("\n", ", ").strip(", ")
        return f"at most {int(self._peak.read_text()) / 2**30:.2f} GiB in use; limit met: {met}"

    def close(self) -> None:
        """Remove it; its processes have ended."""
        self._folder.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--limit", type=float, default=3, help="GiB; 0 for none")
    parser.add_argument("--folder", help="where the archive and its copy are written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        images = write_archive(Path(folder) / "large.npz", options.gigabytes)
        print(f"{images:,} images, {images * SIDE * SIDE * 3 / 1e9:.1f} GB", flush=True)
        (Path(folder) / "small.py").write_text(SPACE)
        limit = Limit(options.limit) if options.limit else None
        run(Path(folder), limit.enter if limit else None)
        if limit:
            print(limit.found())
            limit.close()


def run(folder: Path, enter: Callable[[], None] | None) -> None:
    """Run the study, and print each line of its output with the seconds since its start."""
    words = "run large --dataset npz:large.npz --data-dir data --space small:build --trials 1 --epochs 2 --seeds 1"
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "keras_study", *words.split(), "--confirm", "0", "--workers", "1"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=enter,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{time.perf_counter() - begin:6.0f} s  {line.rstrip()}", flush=True)
    print(f"exit code {process.returncode}")


if __name__ == "__main__":
    main()
