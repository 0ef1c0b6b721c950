"""Commands that search, in processes of their own."""

import json
import signal
from pathlib import Path

import tiny
from helpers import Command, opened, start, study_table, wait_for_line

from study.storage import results

LONG = ("--space", "tiny:Tiny", "--space", "tiny:TinyOther", "--trials", "4", "--epochs", "4", "--seeds", "1")


def test_a_signal_to_a_command_that_trains_by_itself(home: Path, command: Command, archive: Path) -> None:
    process = start(home, "run", "a", "--dataset", f"npz:{archive}", *LONG, "--trials", "30", "--workers", "0")
    wait_for_line(process, "tiny:Tiny  trial", 1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continue with: study resume a" in output
    assert "Traceback" not in output
    state = json.loads(command("status", "a", "--json")[1])["spaces"][0]
    assert state["running"] == 0
    assert state["finished"] + state["interrupted"] == len(study_table(home, "a")["tiny:Tiny"]) < 30


def test_a_second_resume_takes_part(home: Path, command: Command, archive: Path) -> None:
    process = start(home, "run", "a", "--dataset", f"npz:{archive}", *LONG, "--trials", "12", "--workers", "0")
    wait_for_line(process, "tiny:Tiny  trial", 1)
    code, _, error = command("resume", "a")
    output, _ = process.communicate()
    assert (code, error, process.returncode) == (0, "", 0), output
    study = opened(home, "a")
    for space, rows in study_table(home, "a").items():
        assert [row[0] for row in rows] == list(range(12))
        assert not {row[1] for row in rows} & {"RUNNING", "WAITING"}
        records = [results.record(trial) for trial in results.trials(study, space)]
        assert len({kept.worker for kept in records if kept}) <= 2
    finals = results.finals(study)
    assert len(finals) == len({(final.finalist, final.seed_index) for final in finals}) >= 2


def test_one_worker_prunes_the_same_trials_as_two(command: Command, home: Path, tmp_path: Path) -> None:
    """The table is the same for one worker and for two."""
    archive = tiny.write_archive(tmp_path / "many.npz", images=330)
    words = ("--space", "tiny:Tiny", "--trials", "6", "--epochs", "2", "--seeds", "1", "--sampler", "random")
    for name, workers in (("one", "0"), ("two", "2")):
        assert command("run", name, "--dataset", f"npz:{archive}", *words, "--workers", workers)[0] == 0
    table = study_table(home, "one")
    assert table == study_table(home, "two")
    assert any(row[1] == "PRUNED" for row in table["tiny:Tiny"])
