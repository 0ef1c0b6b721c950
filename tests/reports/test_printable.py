"""What a terminal or a browser would obey reaches the page as an escape, in its text and in the data of its scripts."""

import json
import re
from pathlib import Path
from typing import Any

import made
import pytest

from reports import page
from study.errors import UNPRINTABLE

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


@pytest.mark.parametrize("name", NAMES)
def test_no_name_obeys(tmp_path: Path, name: str) -> None:
    html = page.html(made.full(tmp_path, name)).replace(page.get_plotlyjs(), "")
    assert page.templates.finalize is not None
    escaped = page.printable(name)
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
