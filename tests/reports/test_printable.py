"""What a terminal or a browser would obey reaches the page as an escape, in its text and in the data of its scripts."""

import json
import re
from pathlib import Path
from typing import Any

import made
import pytest
from made import final_record, trial_record
from optuna.trial import TrialState

from reports import collect, page
from reports.collect import StudyResults
from study.errors import UNPRINTABLE, printable

NAMES = [
    "\x1b[31mred\x1b[0m",
    "\x9b2J",
    "bell\x07 \x08 \x0c \r",
    "\udcff",
    "\u202egnp.exe",
    "a\u2028b\u2029c",
    "\x7f\x00",
]


def texts(value: Any) -> list[str]:
    """Every text in JSON values, the names of their parts included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


def study_with(folder: Path, name: str) -> StudyResults:
    """A study that has the name wherever one may have any: not as that of a space, by which its database finds it."""
    values = {"rate": 0.1, name: f"chosen {name}"}
    rows = [(TrialState.COMPLETE, 0.5 + index / 100, trial_record(values=values)) for index in range(3)]
    rows.append((TrialState.FAIL, None, trial_record(values=values, error=f"failed {name}", best_epoch=None)))
    finals = [final_record(values=values, role="baseline", trial=0, seed_index=index) for index in range(3)]
    dataset = f"npz:/data/{name}.npz"
    return collect.read(made.study(folder, {"dense": rows}, finals, classes=(name, "other"), dataset=dataset))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_obeys(tmp_path: Path, name: str) -> None:
    html = page.html(study_with(tmp_path, name)).replace(page.get_plotlyjs(), "")
    escaped = printable(name)
    assert escaped in html
    assert not UNPRINTABLE.search(html)
    data = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    found = [text for each in data for text in texts(json.loads(each))]
    assert any(escaped in text for text in found)
    assert not [text for text in found if UNPRINTABLE.search(text)]


def test_what_may_be_shown_stays_as_it_is(tmp_path: Path) -> None:
    html = page.html(made.full(tmp_path, "ünïcode 漢字 \U0001f600 \\u001b \\n"))
    data = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert any("ünïcode 漢字 \U0001f600 \\u001b \\n" in text for each in data for text in texts(json.loads(each)))
