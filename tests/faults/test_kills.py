"""Killed again and again: the short version of `python tests/faults/kills.py`."""

import random
from pathlib import Path

import kills
import pytest

MOMENTS = ["create tables:4", "half checkpoints:2", "after report:3", "before tell:2", "after predictions:1"]


def test_a_study_that_is_killed_five_times_is_the_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "DEFINITION", (*kills.DEFINITION, "--trials", "3", "--epochs", "3", "--seeds", "1"))
    whole = kills.uninterrupted(tmp_path / "whole", "sha", "0")
    moments = iter(MOMENTS)
    monkeypatch.setattr(kills, "_choose", lambda rng, begun: next(moments))
    broken = kills.killed(tmp_path / "killed", random.Random(0), len(MOMENTS), "sha", "0")
    assert broken.total == len(MOMENTS)
    kills.compare(whole, broken)
