"""Models of five kinds, from the search to the page in a browser."""

import json
from pathlib import Path
from typing import Any

import finals
import pytest

from reports import collect, page

SECTION = {
    "regression": "build: how far are predictions off?",
    "forecast": "build: how far are predictions off?",
    "text": "which classes are confused?",
}
"""What a page says of the mistakes of a kind, where it says something."""


@pytest.mark.parametrize("name", finals.KINDS)
def test_finals_of_every_kind_of_model_have_a_whole_page(tmp_path: Path, name: str, browser: Any) -> None:
    kind = finals.KINDS[name]()
    tuner = finals.searched(tmp_path, kind)
    found = tuner.finals(*kind.test, seeds=2, verbose=0)
    metric = tuner.definition.objective.name.removeprefix("val_")
    assert list(found.groupby("finalist")[metric].count()) in ([2, 2], [2])
    file = tuner.report()
    sections = page.sections(collect.read(tuner.study.stored))
    titles = [card.title for each in sections for card in each.cards]
    values = json.loads(file.with_suffix(".json").read_text())
    assert values["errors"] == {}
    assert values["evaluation"]["metric"] == metric
    assert ("Mistakes" in [each.name for each in sections]) == (name in SECTION)
    assert name not in SECTION or any(SECTION[name] in title for title in titles)
    assert not any("image" in title for title in titles)

    browser.get_log("browser")
    browser.get(file.as_uri())
    browser.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true")
    for figure in browser.find_elements("css selector", ".figure"):
        browser.execute_script("arguments[0].scrollIntoView()", figure)
    assert browser.find_elements("css selector", ".error") == []
    assert f"{metric} " in browser.find_element("css selector", "main").text
    assert browser.find_element("css selector", ".bars thead th:nth-child(2)").text == metric
    assert len(browser.find_elements("css selector", ".bars tbody tr")) == found.finalist.nunique()
    assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []
