"""Whether 200 trials need more memory than 20.

    python tests/benchmarks/memory.py

Runs a study of small trials (the `dense` space on the digits) with one worker and prints the worker's resident memory
as its trials end, the ratio of the last to that after 20, and how often the worker was recycled; then a JSON line.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from study import results
from study import storage as storage_room


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--space", default="dense")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", "a", "--space", arguments.space, "--trials", str(arguments.trials), "--epochs", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "study", *words, "--seeds", "1", "--home", folder, "--quiet"],
            stdout=subprocess.DEVNULL,
        )
        measured = watch(process, Path(folder), arguments.space)
        assert process.wait() == 0
    workers = list(dict.fromkeys(worker for _, worker, _ in measured))
    after = {finished: size for finished, _, size in measured}
    early = next(size for finished, size in sorted(after.items()) if finished >= 20)
    late = after[max(after)]
    print(f"{'trials':>8} {'MiB':>8}  worker")
    for finished, worker, size in measured[:: max(1, len(measured) // 12)]:
        print(f"{finished:8} {size / 2**20:8.0f}  {worker}")
    print(f"after 20: {early / 2**20:.0f} MiB, at the end: {late / 2**20:.0f} MiB, ratio {late / early:.3f}")
    print(json.dumps({"after_20": early, "at_the_end": late, "ratio": late / early, "recycled": len(workers) - 1}))


def watch(process: "subprocess.Popen[bytes]", home: Path, space: str) -> list[tuple[int, int, int]]:
    """Finished trials, worker and its resident bytes, whenever a trial has ended."""
    measured: list[tuple[int, int, int]] = []
    url = storage_room.storage_url(home, None)
    while process.poll() is None:
        time.sleep(0.3)
        storage = storage_room.open_storage(url)
        configs = storage_room.read_configs(storage)
        if storage is None or "a" not in configs:
            continue
        finished = results.finished(storage, configs["a"], space)
        for child in psutil.Process(process.pid).children():
            try:
                if "spawn_main" in " ".join(child.cmdline()) and finished > (measured[-1][0] if measured else 0):
                    measured.append((finished, child.pid, child.memory_info().rss))
            except psutil.Error:
                continue  # it has just ended
    return measured


if __name__ == "__main__":
    main()
