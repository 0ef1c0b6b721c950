"""Studies that are killed again and again, against one that never was.

    python tests/faults/kills.py --kills 100
    python tests/faults/kills.py --kills 50 --hosts

Each study tunes two spaces on the digits (dropout and augmentation on, pruning on). Its whole process group is killed
with SIGKILL at random times and at chosen moments (`launcher.MOMENTS`), resumed, and killed again, until it is done.
Then everything that must be equal is compared with the study that ran through. With `--hosts` each command has another
host name, and most have process numbers and a network of their own, as containers do. Nobody may wait for the dead.
"""

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "support"))

import containers
import numpy as np
from helpers import opened, placed, studies, study_table
from launcher import EPOCHS_FILE, MOMENT, MOMENTS, WAITS_FILE

from study.storage import results

NAME = "killed"
VARIANTS = (("sha", "1"), ("median", "2"), ("median", "1"), ("sha", "2"))
"""Pruner and number of workers."""
DEFINITION = (
    "--space", "fault_space:Looked", "--space", "fault_space:Conv", "--trials", "8", "--epochs", "4", "--seeds", "2",
    "--confirm", "1",
)  # fmt: skip
LONGEST = 9.0
"""Seconds after which a timed kill comes at the latest."""


@dataclass
class Outcome:
    """What a study has come to."""

    home: Path
    workers: str = "1"
    kills: dict[str, int] = field(default_factory=dict)
    epochs: int = 0
    """Epochs trained, those that were trained again included."""
    waited: float = 0.0
    """Seconds that one of its commands waited for other processes, at most."""

    @property
    def total(self) -> int:
        """Kills."""
        return sum(self.kills.values())


def hosts() -> Iterator[list[str]]:
    """What each command starts with: two containers in turn, and this machine under changing names."""
    for number in itertools.count():
        yield containers.words("pod-a")
        yield containers.words("pod-b")
        yield containers.renamed(f"laptop-{number}")


def command(home: Path, *words: str, moment: str = "", where: Sequence[str] = ()) -> subprocess.Popen[str]:
    """The command `study` as the leader of a process group; `where` is what it starts with on another host."""
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ, MOMENT: moment, EPOCHS_FILE: str(home.parent / f"{home.name}-epochs"),
        WAITS_FILE: str(_waits_file(home)),
        "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    return subprocess.Popen(
        [*where, sys.executable, str(HERE / "launcher.py"), *placed(home, words), "--home", str(home)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def words_to_go_on(home: Path, name: str = NAME) -> tuple[str, ...]:
    """`run` until the study is there, then `resume`."""
    return ("resume", name) if name in studies(home) else ("run", name, *DEFINITION)


def uninterrupted(home: Path, pruner: str, workers: str) -> Outcome:
    """The study that nobody kills."""
    process = command(home, "run", NAME, *DEFINITION, "--pruner", pruner, "--workers", workers)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return Outcome(home, workers, epochs=_epochs(home))


def killed(
    home: Path, rng: random.Random, most: int, pruner: str, workers: str, places: Iterator[list[str]] | None = None
) -> Outcome:
    """A study that is killed until it is done, or `most` times; `places` are the hosts of its commands, if they are
    others than this one."""
    outcome = Outcome(home, workers)
    finished: dict[str, list[Any]] = {}
    while True:
        began, output = time.monotonic(), ""
        words = words_to_go_on(home)
        if words[0] == "run":
            words = (*words, "--pruner", pruner)
        moment = _choose(rng, words[0] == "resume") if outcome.total < most else ""
        timed = moment.startswith("time:")
        if places is not None:
            words = (*words, "--lease", "1h")
        where = next(places) if places is not None else []
        process = command(home, *words, "--workers", workers, moment="" if timed else moment, where=where)
        if timed:
            try:
                output, _ = process.communicate(timeout=float(moment.partition(":")[2]))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        output += process.communicate()[0] or ""
        assert "Traceback" not in output, output
        assert "waiting for" not in output, output
        outcome.waited = max(outcome.waited, _waited(home))
        if process.returncode == 0:
            outcome.epochs = _epochs(home)
            return outcome
        assert process.returncode == -signal.SIGKILL, f"{process.returncode} after {moment}: {output}"
        what = moment.partition(":")[0]
        outcome.kills[what] = outcome.kills.get(what, 0) + 1
        print(
            f"  kill {outcome.total}: {moment}, {words[0]}, {time.monotonic() - began:.1f} s, {_epochs(home)} epochs",
            flush=True,
        )
        finished = _nothing_lost(home, finished)


def compare(whole: Outcome, broken: Outcome) -> None:
    """Everything that must be equal.

    Raises:
        AssertionError: what is not.
    """
    assert study_table(broken.home, NAME) == study_table(whole.home, NAME)
    assert _confirmations(broken.home) == _confirmations(whole.home)
    finals = [_finals(outcome.home) for outcome in (whole, broken)]
    assert finals[0].keys() == finals[1].keys()
    for key, (numbers, predictions) in finals[0].items():
        assert finals[1][key][0] == numbers, key
        for name, array in predictions.items():
            assert np.array_equal(finals[1][key][1][name], array), (key, name)
    lost = broken.total * max(1, int(broken.workers))  # an epoch of each worker's trial
    assert broken.epochs <= whole.epochs + lost, (broken.epochs, whole.epochs, lost)
    checkpoints = broken.home / NAME / "checkpoints"
    assert not list(checkpoints.glob("*")), list(checkpoints.glob("*"))
    assert (broken.home / NAME / "report.html").is_file()


def _choose(rng: random.Random, begun: bool) -> str:
    """A time or a moment; those of the creation only before the study is there."""
    chance = rng.random()
    if chance < 0.35:
        return f"time:{rng.uniform(0.3, LONGEST):.2f}"
    creation = [what for what in MOMENTS if "create" in what]
    # Most of them come early in what is left, so that a study is killed often.
    early = [what for what in MOMENTS if {"report", "checkpoints", "tell"} & set(what.split())]
    late = [what for what in MOMENTS if what not in creation]
    what = rng.choice(creation if not begun and chance < 0.7 else early if chance < 0.85 else late)
    return f"{what}:{rng.randint(1, MOMENTS[what])}"


def _epochs(home: Path) -> int:
    file = home.parent / f"{home.name}-epochs"
    return len(file.read_text().splitlines()) if file.exists() else 0


def _waits_file(home: Path) -> Path:
    return home.parent / f"{home.name}-waits"


def _waited(home: Path) -> float:
    """How long the last command has waited for others."""
    file = _waits_file(home)
    seconds = sum(map(float, file.read_text().split())) if file.exists() else 0.0
    file.unlink(missing_ok=True)
    return seconds


def _nothing_lost(home: Path, before: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """When each trial was finished, after a look that those from before have not been trained again."""
    if words_to_go_on(home)[0] == "run":
        assert not before
        return before
    study = opened(home, NAME)
    now = {
        space: [
            (each.number, each.datetime_complete) for each in results.trials(study, space) if each.state.is_finished()
        ]
        for space in study.definition.spaces
    }
    for space, rows in before.items():
        assert all(row in now[space] for row in rows), (space, rows, now[space])
    return now


def _confirmations(home: Path) -> dict[Any, Any]:
    runs = results.confirmations(opened(home, NAME))
    return {(run.space, run.trial, run.seed_index): (run.curve, run.epochs, run.history, run.seed) for run in runs}


def _finals(home: Path) -> dict[Any, Any]:
    study = opened(home, NAME)
    found = {}
    for record in results.finals(study):
        with np.load(home / NAME / record.predictions) as archive:
            predictions = {name: archive[name] for name in archive.files}
        numbers = (record.errors, record.loss, record.confusion, record.history, record.values, record.seed)
        found[(*record.finalist, record.seed_index)] = numbers, predictions
    return found


def _named(variant: tuple[str, str]) -> str:
    return "{}, workers {}".format(*variant)


def main() -> None:
    """Kill until there were enough kills; print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hosts", action="store_true", help="run each command on another host")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        wholes = {}
        for variant in VARIANTS:
            wholes[variant] = uninterrupted(Path(folder) / "whole-{}-{}".format(*variant), *variant)
            print(f"uninterrupted, {_named(variant)}: {wholes[variant].epochs} epochs", flush=True)
        moments: dict[str, int] = {}
        studies, waited = 0, 0.0
        places = hosts() if arguments.hosts else None
        while (done := sum(moments.values())) < arguments.kills:
            variant = VARIANTS[studies % len(VARIANTS)]
            studies += 1
            home = Path(folder) / f"killed{studies}"
            broken = killed(home, rng, min(25, arguments.kills - done), *variant, places)
            waited = max(waited, broken.waited if broken.workers == "1" else 0.0)  # two workers wait for each other
            compare(wholes[variant], broken)
            again = broken.epochs - wholes[variant].epochs
            print(
                f"study {studies}, {_named(variant)}: {broken.total} kills, equal; {again} epochs trained again",
                flush=True,
            )
            for moment, count in broken.kills.items():
                moments[moment] = moments.get(moment, 0) + count
    print(f"{sum(moments.values())} kills in {studies} studies; every table, final and prediction equal")
    print(f"the longest wait for other processes, with one worker: {waited:.1f} s")
    for moment, count in sorted(moments.items()):
        print(f"  {moment}: {count}")


if __name__ == "__main__":
    main()
