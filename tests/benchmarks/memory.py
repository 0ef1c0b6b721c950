"""Whether 200 trials need more memory than 20.

    python tests/benchmarks/memory.py

Runs a study of small trials (the `dense` space on the digits) with one worker. Prints the worker's resident memory as
its trials end, the ratio of the last value to the one after 20 trials, and how often the worker was recycled; then a
JSON line.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from study.storage import results
from study.storage.address import Address
from study.storage.store import Store


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
    """Finished trials, process of the worker and its resident bytes, each time a trial has ended."""
    measured: list[tuple[int, int, int]] = []
    address = Address.of(home)
    while process.poll() is None:
        time.sleep(0.3)
        store = Store.open(address)
        study = None if store is None else store.studies().get("a")
        if study is None:
            continue
        finished = results.finished(study, space)
        for child in psutil.Process(process.pid).children():
            try:
                if "spawn_main" in " ".join(child.cmdline()) and finished > (measured[-1][0] if measured else 0):
                    measured.append((finished, child.pid, child.memory_info().rss))
            except psutil.Error:
                continue  # it has just ended
    return measured


if __name__ == "__main__":
    main()
