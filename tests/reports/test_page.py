"""The page: whole, escaped, offline, the same bytes; and in a real browser."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made import final_record, trial_record
from optuna.trial import TrialState

from reports import collect, page

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
Make = Callable[..., Any]
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def full(make: Make, **options: Any) -> Any:
    """A study with something in every panel, and markup in whatever a user can name."""
    record = trial_record(values={"rate": 0.1, EVIL: EVIL}, worker=EVIL)
    rows = [(COMPLETE, 0.5 + index / 100, record) for index in range(22)]
    rows += [(PRUNED, 0.4, record), (FAIL, None, trial_record(error=EVIL, best_epoch=None))]
    finals = [
        final_record(role=role, trial=trial, seed_index=seed, errors=errors + seed, space=f"m:{EVIL}")
        for role, trial, errors in (("tuned", 21, 3), ("baseline", 0, 9))
        for seed in range(3)
    ]
    return make({f"m:{EVIL}": rows}, finals, dataset=f"npz:/data/{EVIL}", **options)


def without_data(html: str) -> str:
    """The page without the plotting library and the figures' data."""
    html = html.replace(page.get_plotlyjs(), "")
    return re.sub(r'<script type="application/json".*?</script>', "", html, flags=re.DOTALL)


def test_whatever_a_user_can_name_is_escaped(make: Make) -> None:
    html = page.html(collect.read(*full(make)))
    assert "<script>alert" not in html
    assert "<img" not in html.replace(page.get_plotlyjs(), "")
    assert "&lt;script&gt;alert" in html
    assert "This panel could not be made" not in html


def test_the_page_loads_nothing_from_the_network(make: Make) -> None:
    html = page.html(collect.read(*full(make)))
    assert html.count(page.get_plotlyjs()) == 1
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", without_data(html))
    assert "default-src 'none'" in html
    assert "@import" not in without_data(html)


def test_the_same_storage_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    storage, config = full(make)
    texts = []
    for name in ("one", "two"):
        page.write(storage, config, tmp_path / name / "report.html")
        texts.append([(tmp_path / name / f"report.{kind}").read_bytes() for kind in ("html", "json")])
    assert texts[0] == texts[1]
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["report.html", "report.json"]


def test_the_json_has_the_numbers(make: Make) -> None:
    numbers = json.loads(page.as_json(collect.read(*full(make))))
    finalists = numbers["verdict"]["finalists"]
    assert [each["accuracy"] for each in finalists] == pytest.approx([0.96, 0.90])
    assert finalists[0]["interval"][0] <= 0.96 <= finalists[0]["interval"][1]
    assert numbers["verdict"]["test_evaluations"] == len(numbers["finals"]) == 6
    (space,) = numbers["spaces"].values()
    assert len(space["trials"]) == 24
    assert numbers["provenance"]["config trials"] == 10


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(FAIL, None, trial_record(error="no", best_epoch=None, history={}, epochs=0))],
        [(PRUNED, 0.3, trial_record(epochs=1))],
        [(COMPLETE, 0.3, trial_record())],
        [(TrialState.RUNNING, None, None)],
    ],
)
def test_a_study_that_has_hardly_begun_gives_a_whole_page(make: Make, rows: list[Any]) -> None:
    results = collect.read(*make({"dense": rows, "cnn": []}))
    html = page.html(results)
    assert "This panel could not be made" not in html
    assert "No finalist has been tested yet" in html
    json.loads(page.as_json(results))


def test_a_panel_that_fails_leaves_the_page_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(results: Any) -> Any:
        raise ZeroDivisionError("in a <b>panel</b>")

    monkeypatch.setitem(page.PANELS, "Search", broken)
    html = page.html(collect.read(*full(make)))
    assert "This panel could not be made: ZeroDivisionError: in a &lt;b&gt;panel&lt;/b&gt;" in html
    assert "Provenance" in html


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium that reaches no network."""
    from selenium import webdriver

    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,900",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = str(shutil.which("chromium"))
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
    yield driver
    driver.quit()


def test_the_page_in_a_real_browser(browser: Any, make: Make, tmp_path: Path) -> None:
    storage, config = full(make)
    file = tmp_path / "report.html"
    page.write(storage, config, file)
    browser.get(file.as_uri())
    figures = browser.find_elements("css selector", ".figure")
    drawn = browser.find_elements("css selector", ".figure .main-svg")
    assert len(figures) == 6
    assert len(drawn) >= len(figures)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    requests = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in requests if not name.startswith(("data:", "blob:"))] == []
    first = browser.find_element("css selector", "article h2")
    assert first.text == "Verdict"
    headers = [cell.text for cell in browser.find_elements("css selector", "article:first-of-type thead th")]
    assert headers[:4] == ["Finalist", "Test accuracy", "95 % interval", "Seeds"]
