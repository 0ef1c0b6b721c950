"""The page is complete, escaped, offline and deterministic, and its numbers follow their schema."""

import gc
import json
import re
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import made
import pytest
from made import HOSTILE, final_record, trial_record
from optuna.trial import TrialState

from reports import collect, numbers, page
from reports.panels import Card, verdict

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
Make = Callable[..., Any]
FAILED = "This panel could not be made"


def without_data(html: str) -> str:
    """The page without the plotting library, its own scripts, in which nothing is filled in, and its data."""
    html = html.replace(page.get_plotlyjs(), "")
    for name in ("page.js", "trials.js", "follow.js"):
        script = (Path(page.__file__).with_name("templates") / name).read_text().removesuffix("\n")
        assert script in html
        html = html.replace(script, "")
    return re.sub(r'<script type="application/json".*?</script>', "", html, flags=re.DOTALL)


def data_of(html: str) -> list[Any]:
    """The data of the figures and tables."""
    return [
        json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    ]


def strings(value: Any) -> set[str]:
    """Every string in a figure's JSON that plotly interprets as markup; ticks of parallel coordinates are plain text
    (`test_browser.test_hostile_names_are_shown_as_text_and_run_nothing`)."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        value = [*value, *(each for name, each in value.items() if name != "ticktext")]
    return set().union(*map(strings, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_user_can_name_is_text(tmp_path: Path, hostile: str) -> None:
    results = made.full(tmp_path, hostile)
    html = page.html(results)
    bare = without_data(html)
    assert FAILED not in bare
    for tag in re.findall(r"<(?![!/])[^>]*>", bare):
        assert re.match(r"<(\w|-)+[ >]", tag), tag
        assert not re.search(r"\son\w+\s*=", re.sub(r'"[^"]*"', '""', tag)), tag
    assert set(re.findall(r"<(script|img|iframe|svg|b|a)\b", bare)) <= {"script", "img", "a"}
    assert bare.count("<script") == 4  # the library, which was removed, and the page's own three
    plotted = {text for figure in data_of(html) if "data" in figure for text in strings(figure)}
    assert not any(re.search(r"<(script|img|svg|iframe|a)\b", text) for text in plotted)
    assert not any(hostile in text for text in plotted if "%{" in hostile)
    json.loads(numbers.of_study(results))


def test_text_that_is_not_unicode_is_escaped(make: Make, tmp_path: Path) -> None:
    """A file name that is not UTF-8 contains a lone surrogate."""
    rows = [(COMPLETE, 0.3 + index / 100, trial_record(values={"file": f"{index}\udcff"})) for index in range(2)]
    page.write([make({"dense": rows})], tmp_path / "report.html")
    assert "1\\udcff" in (tmp_path / "report.html").read_text()


def test_the_page_loads_nothing_from_the_network(tmp_path: Path) -> None:
    html = page.html(made.full(tmp_path))
    assert html.count(page.get_plotlyjs()) == 1
    assert not re.findall(r"(?:src|href)=[\"'](?!#|data:)", without_data(html))
    assert "default-src 'none'" in html
    assert "@import" not in without_data(html)


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    study = made.full_study(tmp_path)
    texts = []
    for name in ("one", "two"):
        page.write([study], tmp_path / name / "report.html")
        texts.append([(tmp_path / name / f"report.{kind}").read_bytes() for kind in ("html", "json")])
    assert texts[0] == texts[1]
    assert sorted(file.name for file in (tmp_path / "one").iterdir()) == ["report.html", "report.json"]


def test_plotly_js_may_lie_beside_the_page(tmp_path: Path) -> None:
    page.write([made.full_study(tmp_path)], tmp_path / "out" / "report.html", assets=True)
    html = (tmp_path / "out" / "report.html").read_text()
    assert len(html) < 1_000_000
    (source,) = re.findall(r'<script src="([^"]*)"', html)
    assert (tmp_path / "out" / source).read_text() == page.get_plotlyjs()


def schema() -> Any:
    return json.loads(Path(page.__file__).with_name("report.schema.json").read_text())


def test_the_json_is_what_its_schema_says(tmp_path: Path) -> None:
    results = made.full(tmp_path)
    for text in (numbers.of_study(results), numbers.of_several([results])):
        jsonschema.validate(json.loads(text), schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text) | {"more": 1}, schema())


def test_numbers_that_cannot_be_computed_are_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*results: Any) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(numbers.confusion, "info", broken)
    found = json.loads(numbers.of_study(made.full(tmp_path)))
    assert found["confusion"] is None
    monkeypatch.setattr(numbers.pair, "info", broken)
    found = json.loads(numbers.of_study(made.full(tmp_path / "again")))
    assert found["errors"] == {"confusion": "ZeroDivisionError: oh", "dense: most_important": "ZeroDivisionError: oh"}
    assert found["spaces"]["dense"]["most_important"] is None
    assert found["spaces"]["dense"]["trials"]
    assert found["verdict"]["rows"]
    jsonschema.validate(found, schema())


def test_the_json_has_the_numbers(tmp_path: Path) -> None:
    results = made.full(tmp_path)
    found = json.loads(numbers.of_study(results))
    rows = found["verdict"]["rows"]
    assert [row["accuracy"] for row in rows[:2]] == pytest.approx([0.96, 0.90])
    assert rows[0]["new_images"]["low"] <= 0.96 <= rows[0]["new_images"]["high"]
    assert found["verdict"]["test_evaluations"] == len(found["finals"]) == 6
    (space,) = found["spaces"].values()
    assert len(space["trials"]) == 24
    assert found["provenance"]["definition"]["trials"] == 10
    assert found["provenance"]["resources"]["workers"] == 1
    assert found["misread"]["dense"]
    assert space["best"]["history"]["val_accuracy"] == [0.5, 0.9]
    assert found["published"] == []
    assert json.loads(numbers.of_several([results]))["finalists"]["made"] == rows[:2]


ROWS: dict[str, list[Any]] = {
    "empty": [],
    "all failed": [(FAIL, None, trial_record(error="no", best_epoch=None, history={}, epochs=0))] * 3,
    "all pruned": [(PRUNED, 0.3, trial_record(epochs=1))] * 3,
    "pruned within their first epoch": [(PRUNED, None, trial_record(epochs=0, best_epoch=None, history={}))] * 3,
    "one trial": [(COMPLETE, 0.3, trial_record())],
    "running": [(COMPLETE, 0.3, trial_record()), (TrialState.RUNNING, None, None)],
    "a value that is not finite": [(COMPLETE, 0.3, trial_record(values={"rate": float("inf"), "kind": "a"}))] * 2,
    "conditional": [
        (
            COMPLETE,
            0.3 + index / 100,
            trial_record(values={"kind": "ab"[index % 2], "rate ab"[index % 2 :: 2]: 0.1 * index}),
        )
        for index in range(25)
    ],
}


@pytest.mark.parametrize("case", ROWS)
def test_a_study_in_any_state_gives_a_whole_page(make: Make, case: str) -> None:
    results = collect.read(make({"dense": ROWS[case], "cnn": []}))
    html = page.html(results)
    assert FAILED not in html
    expected = "Every trial failed" if case == "all failed" else "No finalist has been tested yet"
    assert expected in html
    jsonschema.validate(json.loads(numbers.of_study(results)), schema())


@pytest.mark.parametrize("seeds", [(1, 0), (1, 1), (3, 1)])
def test_a_study_killed_in_its_finals_gives_a_whole_page(make: Make, seeds: tuple[int, int]) -> None:
    finals = [final_record(trial=0, seed_index=seed) for seed in range(seeds[0])]
    finals += [final_record(role="baseline", trial=0, seed_index=seed) for seed in range(seeds[1])]
    results = collect.read(make({"dense": [(COMPLETE, 0.3, trial_record())]}, finals))
    html = page.html(results)
    assert FAILED not in html
    told = json.loads(numbers.of_study(results))["verdict"]
    assert [each["new_images"] for each in told["comparisons"]] == [None] * len(told["comparisons"])  # one pair
    jsonschema.validate(json.loads(numbers.of_study(results)), schema())


@pytest.mark.parametrize("panels", [each for part in page.PARTS.values() for each in part if each])
def test_a_panel_that_fails_leaves_the_page_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, panels: dict[str, Any]
) -> None:
    def broken(*results: Any) -> Sequence[Card]:
        raise ZeroDivisionError("in a <b>panel</b>")

    monkeypatch.setitem(panels, next(iter(panels)), broken)
    html = page.html(made.full(tmp_path))
    assert html.count("This panel could not be made: ZeroDivisionError: in a &lt;b&gt;panel&lt;/b&gt;") == 1
    assert "Where do the numbers come from?" in html


def test_results_are_freed_after_their_page(tmp_path: Path) -> None:
    results = made.full(tmp_path)
    kept = [weakref.ref(results), *map(weakref.ref, results.spaces)]
    page.html(results)
    numbers.of_study(results)
    page.html_of_several([results])
    del results
    gc.collect()
    assert [each() for each in kept] == [None, None]


def test_a_verdict_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, its JSON and what else asks for it share one."""
    calls = []
    monkeypatch.setattr(verdict, "_comparisons", lambda *arguments: calls.append(arguments) or [])
    (results,) = page.write([made.full_study(tmp_path)], tmp_path / "report.html")
    assert verdict.info(results) is verdict.info(results)
    assert len(calls) == 1
