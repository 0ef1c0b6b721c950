"""The page in a real headless Chromium without network access."""

import base64
import csv
import io
import shlex
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
from axe_core_python.selenium import Axe
from helpers import wait
from made import HOSTILE, final_record, trial_record
from optuna.trial import TrialState
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.keys import Keys

from reports import collect, page
from study.errors import printable
from study.images import Images
from study.storage import examples


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something in every panel."""
    folder = tmp_path_factory.mktemp("report")
    page.write([made.full_study(folder)], folder / "report.html")
    return folder / "report.html"


def find(browser: Any, selector: str) -> list[Any]:
    return list(browser.find_elements("css selector", selector))


def scroll(browser: Any) -> None:
    """Open every fold and every tab and scroll to every figure, so that each is drawn."""
    browser.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true")
    for tab in (None, *find(browser, "[role=tab]")):
        if tab is not None:
            browser.execute_script("arguments[0].click()", tab)
        for figure in find(browser, ".figure:not([hidden] *):not(:has(.main-svg))"):
            browser.execute_script("arguments[0].scrollIntoView()", figure)
            wait(lambda figure=figure: figure.find_elements("css selector", ".main-svg"))


def complaints(browser: Any) -> list[str]:
    """The serious messages of the console; parallel coordinates are drawn by WebGL, here in software."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def cells(browser: Any, column: int) -> list[str]:
    return [cell.text for cell in find(browser, f".browsed .table tbody tr > :nth-child({column})")]


def test_every_figure_is_drawn_without_a_complaint_or_a_request(browser: Any, report: Path) -> None:
    browser.get_log("browser")
    browser.get(report.as_uri())
    scroll(browser)
    figures = find(browser, ".figure")
    assert len(figures) == 16
    assert all(figure.get_attribute("aria-label") for figure in figures)
    assert complaints(browser) == []
    requests = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in requests if not name.startswith(("data:", "blob:"))] == []
    sections = [heading.text for heading in find(browser, "section > h2")]
    assert sections == ["Summary", "Use it", "What to check", "Mistakes", "Search", "Trials", "Details"]
    assert [cell.text for cell in find(browser, ".bars tbody th")] == ["dense baseline", "dense tuned (recommended)"]
    assert len(find(browser, ".pictures img")) == 5
    assert all(browser.execute_script("return arguments[0].naturalWidth", image) for image in find(browser, "img"))


def test_no_serious_accessibility_violation_in_either_theme(browser: Any, report: Path) -> None:
    browser.get(report.as_uri())
    scroll(browser)
    for _ in range(2):
        found = Axe().run(browser)["violations"]
        serious = [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert serious == []
        find(browser, "#theme")[0].click()


def test_the_theme_follows_the_preference_and_the_switch(browser: Any, report: Path) -> None:
    def ink() -> str:
        return str(
            browser.execute_script("return getComputedStyle(document.querySelector('.figure .xtick text')).fill")
        )

    def paper() -> str:
        return str(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))

    feature = {"name": "prefers-color-scheme", "value": "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(report.as_uri())
    scroll(browser)
    switch = find(browser, "#theme")[0]
    light = paper(), ink()
    assert switch.get_attribute("aria-pressed") == "false"
    switch.click()
    wait(lambda: ink() != light[1])
    dark = paper(), ink()
    assert dark[0] != light[0]
    assert switch.get_attribute("aria-pressed") == "true"
    switch.click()
    wait(lambda: (paper(), ink()) == light)
    feature["value"] = "dark"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(report.as_uri())
    scroll(browser)
    assert (paper(), ink()) == dark
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_trials_are_sorted_and_filtered(browser: Any, report: Path) -> None:
    browser.get(report.as_uri())
    assert cells(browser, 1) == [str(number) for number in range(24)]
    head = next(head for head in find(browser, ".browsed thead th") if head.text == "val_accuracy")
    button = head.find_element("css selector", "button")
    for direction in ("ascending", "descending"):
        browser.execute_script("arguments[0].click()", button)
        assert head.get_attribute("aria-sort") == direction
        values = [float(text) for text in cells(browser, 3) if text]
        assert values == sorted(values, reverse=direction == "descending")
        assert cells(browser, 3)[-1] == ""  # a failed trial has no value
    field = find(browser, ".browsed input")[0]
    field.send_keys("pruned")
    assert cells(browser, 1) == ["22"]
    assert "1 of 24 rows" in find(browser, "[role=status]")[0].text
    field.clear()
    field.send_keys("no such trial")
    assert cells(browser, 1) == []


def test_long_tables_are_paged(browser: Any, tmp_path: Path) -> None:
    rows = [(TrialState.COMPLETE, 0.5, trial_record())] * 250
    page.write([made.study(tmp_path, {"dense": rows})], tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri())
    forward, back = find(browser, ".after")[0], find(browser, ".before")[0]
    seen = []
    for _ in range(4):
        seen.append(cells(browser, 1)[0])
        browser.execute_script("arguments[0].click()", forward)
    browser.execute_script("arguments[0].click()", back)
    assert [*seen, cells(browser, 1)[0]] == ["0", "100", "200", "200", "100"]


def test_it_fits_a_phone(browser: Any, report: Path) -> None:
    metrics = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(report.as_uri())
        scroll(browser)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 375
        widths = [figure.size["width"] for figure in find(browser, ".figures:not(.wide) .main-svg")]
        assert max(widths) <= 375
        for region in find(browser, ".figures.wide"):  # scrolled separately, also by keyboard
            assert region.size["width"] <= 375
            assert region.get_attribute("tabindex") == "0"
            assert region.find_element("css selector", ".main-svg").size["width"] > 600
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_everything_is_drawn_and_unfolded_and_then_as_it_was(browser: Any, report: Path) -> None:
    def state() -> tuple[Any, ...]:
        return tuple(
            browser.execute_script(
                "return [getComputedStyle(document.body).backgroundColor, "
                "document.querySelectorAll('details[open]').length, theme.getAttribute('aria-pressed')]"
            )
        )

    browser.get(report.as_uri())
    find(browser, "#theme")[0].click()
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.printed = [getComputedStyle(document.body).backgroundColor,"
        "document.querySelectorAll('details:not([open])').length] })"
    )
    before = state()
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF")
    assert browser.execute_script("return window.printed") == ["rgb(255, 255, 255)", 0]
    assert all(figure.find_elements("css selector", ".main-svg") for figure in find(browser, ".figure"))
    wait(lambda: state() == before)
    assert before[0] != "rgb(255, 255, 255)"


def test_the_trials_are_saved_in_full_and_hold_no_formula(browser: Any, tmp_path: Path) -> None:
    rows = [(TrialState.COMPLETE, 0.123456789, trial_record(values={"rate": 1 / 3, "kind": kind}))
            for kind in ("=1+1", "@x", "-1", 'a "b"')]  # fmt: skip
    page.write([made.study(tmp_path, {"dense": rows})], tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri())
    assert cells(browser, 3) == ["0.1235"] * 4
    browser.execute_script(
        "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved.push(text)); "
        "return '#'; }"
    )
    find(browser, ".save")[0].click()
    (text,) = wait(lambda: browser.execute_script("return window.saved"))
    header, *lines = list(csv.reader(io.StringIO(text)))
    assert header[:3] == ["Trial", "State", "val_accuracy"]
    assert {line[2] for line in lines} == {"0.123456789"}
    assert {line[header.index("rate")] for line in lines} == {repr(1 / 3)}
    assert [line[header.index("kind")] for line in lines] == ["'=1+1", "'@x", "'-1", 'a "b"']


def test_a_figure_that_cannot_be_drawn_leaves_the_others(browser: Any, report: Path, tmp_path: Path) -> None:
    html = report.read_text(encoding="utf-8")
    first = html.index('<script type="application/json">{"data"')
    (tmp_path / "report.html").write_text(html[:first] + html[first:].replace('{"data"', '{"data', 1), encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    browser.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true")
    figures = find(browser, ".figure")
    for figure in figures:
        browser.execute_script("arguments[0].scrollIntoView()", figure)
        wait(lambda figure=figure: figure.find_elements("css selector", ".main-svg") or figure.text)
    assert figures[0].text.startswith("This figure could not be drawn")
    assert all(figure.find_elements("css selector", ".main-svg") for figure in figures[1:])


def test_it_is_used_by_keyboard(browser: Any, report: Path) -> None:
    browser.get(report.as_uri())
    reachable = browser.execute_script(
        "return [...document.querySelectorAll('button, input, a, summary, [tabindex]')]"
        ".filter(each => each.tabIndex >= 0).map(each => each.tagName)"
    )
    assert {"BUTTON", "INPUT", "A", "SUMMARY", "DIV"} <= set(reachable)


def test_plotly_js_beside_the_page_is_found(browser: Any, tmp_path: Path) -> None:
    page.write([made.full_study(tmp_path)], tmp_path / "report.html", assets=True)
    browser.get_log("browser")
    browser.get((tmp_path / "report.html").as_uri())
    scroll(browser)
    assert complaints(browser) == []


def test_hostile_names_are_shown_as_text_and_run_nothing(browser: Any, tmp_path: Path) -> None:
    """As spaces, parameters, their values, classes, error texts and workers at the same time."""
    values = {name: index / 100 for index, name in enumerate(HOSTILE)}
    rows: list[Any] = [
        (TrialState.COMPLETE, 0.5 + index / 100,
         trial_record(values={"choice": hostile, **{name: value + index for name, value in values.items()}}))
        for index, hostile in enumerate(HOSTILE)
    ]  # fmt: skip
    rows += [
        (TrialState.FAIL, None, trial_record(error=hostile, worker=hostile, best_epoch=None)) for hostile in HOSTILE
    ]
    spaces = [f"m:{hostile}" for hostile in HOSTILE]
    counts = [[int(true == predicted) for predicted in range(len(HOSTILE))] for true in range(len(HOSTILE))]
    finals = [final_record(space=space, trial=0, confusion=counts) for space in spaces[:6]]
    trials = {"dense": rows} | {space: [(TrialState.COMPLETE, 0.5, trial_record())] for space in spaces}
    results = collect.read(made.study(tmp_path, trials, finals, classes=tuple(HOSTILE)))
    (tmp_path / "report.html").write_text(page.html(results), encoding="utf-8")
    browser.get_log("browser")
    browser.get((tmp_path / "report.html").as_uri())
    scroll(browser)
    assert browser.execute_script("return window.hostile") is None
    assert complaints(browser) == []
    text = " ".join(browser.execute_script("return document.body.textContent").split())
    missing = [hostile for hostile in HOSTILE if text.count(printable(" ".join(hostile.split()))) < 4]
    assert missing == []
    plotted = browser.execute_script(
        "return [...document.querySelectorAll('.figure text')].map(each => each.textContent)"
    )
    drawn = {" ".join(each.split()) for each in plotted}
    assert {
        "<b>bold</b>",
        "%{x} %{customdata[0]}",
        "&lt;script&gt;",
        "<br>",
        "<img src=x onerror=window.hostile=1>",
    } <= drawn
    ticks = set(browser.execute_script(
        "return [...document.querySelectorAll('.parcoords .tick text')].map(each => each.textContent)"
    ))  # fmt: skip
    assert {hostile for hostile in HOSTILE if hostile.isprintable()} <= ticks
    assert not find(browser, ".figure a, iframe, article svg script, article img[src=x]")


@pytest.fixture(scope="module")
def two_spaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two spaces, of which the second is recommended, and images of the data."""
    folder = tmp_path_factory.mktemp("two")
    rows = [(TrialState.COMPLETE, value, trial_record()) for value in (0.5, 0.6)]
    better = [(TrialState.COMPLETE, value, trial_record()) for value in (0.5, 0.7)]
    finals = [final_record(space=space, seed_index=seed, errors=errors + seed)
              for space, errors in (("dense", 12), ("cnn", 3)) for seed in range(3)]  # fmt: skip
    stored = made.study(folder, {"dense": rows, "cnn": better}, finals, classes=("cat", "dog"))
    examples.keep(stored.folder, Images(np.zeros((6, 4, 4, 1), np.uint8), np.array([0, 1] * 3)))
    page.write([stored], folder / "report.html")
    return folder / "report.html"


def visible(browser: Any, selector: str) -> list[str]:
    return [each.text for each in find(browser, selector) if each.is_displayed()]


def test_the_first_screen_says_what_to_use_and_the_command_is_copied(browser: Any, two_spaces: Path) -> None:
    browser.set_window_size(1440, 900)
    browser.get(two_spaces.as_uri())
    assert visible(browser, ".lead")[0].startswith("cnn tuned is recommended")
    assert visible(browser, ".pictures.small li") == ["cat", "dog"]
    fold = browser.execute_script("return innerHeight")
    cost = next(each for each in find(browser, "h3") if each.text.startswith("What did it cost?"))
    assert cost.location["y"] < fold
    permission = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", permission)
    command = find(browser, ".command")[0]
    button = command.find_element("css selector", ".copy")
    button.click()
    wait(lambda: button.text == "Copied")
    filter_field = find(browser, ".browsed input")[0]
    browser.execute_script("arguments[0].focus()", filter_field)
    filter_field.send_keys(Keys.CONTROL, "v")
    copied = filter_field.get_attribute("value")
    assert copied == command.find_element("css selector", "code").text
    assert copied.startswith("study resume made --home ")


def test_spaces_are_in_tabs_and_links_open_what_they_lead_to(browser: Any, two_spaces: Path) -> None:
    browser.get(two_spaces.as_uri())
    tabs = find(browser, "section:nth-of-type(2) [role=tab]")
    assert [tab.text for tab in tabs] == ["cnn", "dense"]  # the recommended one first
    titles = "section:nth-of-type(2) h3"
    assert [title.split(":")[0] for title in visible(browser, titles)] == ["cnn"]
    tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert [title.split(":")[0] for title in visible(browser, titles)] == ["dense"]
    assert tabs[1].get_attribute("aria-selected") == "true"
    link = next(each for each in find(browser, "nav ul ul a") if each.get_attribute("hash") == "#cnn-every-trial")
    link.click()
    (shown,) = [each for each in find(browser, "#cnn-every-trial") if each.is_displayed()]
    wait(lambda: browser.execute_script("return arguments[0].getBoundingClientRect().top", shown) < 400)
    assert find(browser, "nav")[0].rect["y"] >= 0
    assert browser.execute_script("return document.querySelector('nav').getBoundingClientRect().top") >= 0  # it stays
    wait(lambda: visible(browser, "nav a[aria-current]") == ["Trials"])
    browser.execute_script("location.hash = 'where-do-the-numbers-come-from'")
    wait(lambda: find(browser, "#where-do-the-numbers-come-from details[open]"))


def test_two_trials_are_compared_and_each_can_be_trained_again(browser: Any, two_spaces: Path) -> None:
    browser.get(two_spaces.as_uri())
    for number in (0, 1):
        browser.execute_script(
            "document.querySelectorAll('.browsed')[0].querySelectorAll('tbody th button')[arguments[0]].click()", number
        )
    table = find(browser, ".browsed .compared")[0]
    heads = [each.text for each in table.find_elements("css selector", "thead th")]
    assert heads == ["", "Trial 0", "Trial 1"]
    rows = {each.text.split()[0]: "differs" in each.get_attribute("class")
            for each in table.find_elements("css selector", "tbody tr")}  # fmt: skip
    assert (rows["val_accuracy"], rows["rate"], rows["kind"], rows["State"]) == (True, True, False, False)
    commands = [each.text for each in table.find_elements("css selector", "code")]
    assert [shlex.split(each)[:4] for each in commands] == [["study", "train", "--space", "cnn"]] * 2
    browser.execute_script("document.querySelectorAll('.browsed')[0].querySelectorAll('tbody th button')[0].click()")
    assert [each.text for each in table.find_elements("css selector", "thead th")] == ["", "Trial 1"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a search with trials in every state, of which three are far worse than the others."""
    folder = tmp_path_factory.mktemp("searched")
    values = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.1, 0.2, 0.15]
    rows: list[Any] = [
        (TrialState.COMPLETE, value, trial_record(values={"rate": value, "kind": "ab"[index % 2]}))
        for index, value in enumerate(values)
    ]
    for state, error in ((TrialState.PRUNED, None), (TrialState.RUNNING, None), (TrialState.FAIL, "no luck")):
        history = {"val_accuracy": [0.92]}
        record = trial_record(values={"rate": 0.5, "kind": "a"}, history=history, epochs=1, best_epoch=1, error=error)
        rows.append((state, 0.92 if state == TrialState.PRUNED else None, record))
    page.write([made.study(folder, {"dense": rows})], folder / "report.html")
    return folder / "report.html"


def figure_of(browser: Any, title: str) -> Any:
    """The first figure under a title, drawn and in view."""
    card = next(card for card in find(browser, "article") if title in card.get_attribute("textContent"))
    figure = card.find_element("css selector", ".figure")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", figure)
    wait(lambda: figure.find_elements("css selector", ".main-svg"))
    return figure


def point_of(browser: Any, figure: Any, trial: int) -> tuple[int, int]:
    """Where a trial's point is, in pixels from the corner of the window."""
    x, y = browser.execute_script(
        "const [figure, trial] = arguments, box = figure.getBoundingClientRect();"
        "const trace = figure.data.find((each) => each.customdata?.includes(trial)), { xaxis, yaxis } ="
        "figure._fullLayout, index = trace.customdata.indexOf(trial);"
        "return [box.x + xaxis._offset + xaxis.d2p(trace.x[index]), box.y + yaxis._offset + yaxis.d2p(trace.y[index])]",
        figure,
        trial,
    )
    return round(x), round(y)


def at(browser: Any, place: tuple[int, int]) -> None:
    """Move the mouse there."""
    builder = ActionBuilder(browser)
    builder.pointer_action.move_to_location(*place)
    builder.perform()


def rings(browser: Any, figure: Any) -> list[float]:
    """Where marks are, on the x axis."""
    found: list[float] = browser.execute_script(
        "return arguments[0].data.filter((each) => each.marker?.symbol === 'circle-open' && each.hoverinfo === 'skip')"
        ".flatMap((each) => each.x)",
        figure,
    )
    return found


def test_hover_gives_the_configuration_and_a_click_marks_a_trial_everywhere(browser: Any, searched: Path) -> None:
    browser.get(searched.as_uri())
    history = figure_of(browser, "How did the search go?")
    place = point_of(browser, history, 5)
    at(browser, place)
    wait(lambda: history.find_elements("css selector", ".hovertext"))
    (label,) = history.find_elements("css selector", ".hovertext")
    assert all(each in label.text for each in ("Trial: 5", "State: complete", "val_accuracy: 0.95", "rate: 0.95"))
    ActionChains(browser).click().perform()
    wait(lambda: visible(browser, ".marked-trials"))
    assert visible(browser, ".marked-trials")[0].startswith("Marked: trial 5;")
    assert [row.text.split()[0] for row in find(browser, ".browsed .picked")] == ["5"]
    assert rings(browser, history) == [6]
    slice_of_rate = figure_of(browser, "Where are the good values?")
    assert rings(browser, slice_of_rate) in ([0.95], ["b"])
    row = find(browser, ".browsed tbody tr")[2]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", row)
    row.find_elements("css selector", "td")[1].click()
    assert visible(browser, ".marked-trials")[0].startswith("Marked: trial 5 and trial 2;")
    assert rings(browser, history) == [3, 6]
    colors = browser.execute_script(
        "return arguments[0].data[0].line.color", figure_of(browser, "Which combinations are good?")
    )
    assert [index for index, color in enumerate(colors) if color > 1] == [2, 5]
    find(browser, ".marked-trials button")[0].click()
    assert rings(browser, history) == []
    assert visible(browser, ".marked-trials") == []


def test_trials_in_every_state_are_drawn_and_the_bad_ones_at_the_edge(browser: Any, searched: Path) -> None:
    browser.get(searched.as_uri())
    history = figure_of(browser, "How did the search go?")
    drawn = "return arguments[0].data.filter((each) => each.customdata).map((each) => [each.name, each.customdata])"
    traces = browser.execute_script(drawn, history)
    assert traces == [["failed", [12]], ["pruned", [10]], ["running", [11]], ["complete", list(range(10))]]
    low, high = browser.execute_script("return arguments[0].layout.yaxis.range", history)
    assert 0.85 < low < 0.92 < 0.96 < high  # 0.1 does not squeeze the others
    assert "6 beyond" in history.text  # 0.9 and 0.91 are in the worse half, too
    colors = browser.execute_script(
        "return arguments[0].data[0].line.color", figure_of(browser, "Which combinations are good?")
    )
    assert (colors[6], colors[7], colors[12]) == (1, 0, 0)


def test_a_selection_on_the_axes_filters_the_table(browser: Any, searched: Path) -> None:
    browser.get(searched.as_uri())
    figure = figure_of(browser, "Which combinations are good?")
    axis = figure.find_elements("css selector", ".axis-brush rect")[0]
    height = axis.rect["height"]
    drag = ActionChains(browser).move_to_element(axis).click_and_hold()
    drag.move_by_offset(0, -int(0.6 * height)).release().perform()
    wait(lambda: "selected on the axes" in find(browser, ".controls [role=status]")[0].text)
    shown = cells(browser, 1)
    assert "6" in shown
    assert not {"7", "8", "9"} & set(shown)
    browser.execute_script("arguments[0].click()", find(browser, ".browsed .picked, .browsed tbody tr")[0])
    wait(lambda: find(browser, ".browsed .picked"))  # which draws the figure again
    assert browser.execute_script("return arguments[0].data[0].dimensions[0].constraintrange", figure)
    browser.execute_script("arguments[0].click()", find(browser, ".clear")[0])
    assert len(cells(browser, 1)) == 13
    assert not browser.execute_script("return arguments[0].data[0].dimensions[0].constraintrange ?? null", figure)


@pytest.mark.parametrize(
    "column, text, trials",
    [("Trial", "1", ["1"]), ("val_accuracy", "> 0.945", ["5", "6"]), ("val_accuracy", "<0.12", ["7"]),
     ("State", "PRUN", ["10"]), ("rate", "0.5", ["10", "11", "12"]), ("kind", "zz", [])],
)  # fmt: skip
def test_each_column_has_a_filter(browser: Any, searched: Path, column: str, text: str, trials: list[str]) -> None:
    browser.get(searched.as_uri())
    (field,) = find(browser, f".browsed thead input[aria-label='Filter {column}']")
    field.send_keys(text)
    assert cells(browser, 1) == trials
    browser.execute_script("arguments[0].click()", find(browser, ".clear")[0])
    assert len(cells(browser, 1)) == 13


def test_a_table_that_cannot_be_made_leaves_the_figures(browser: Any, searched: Path, tmp_path: Path) -> None:
    html = searched.read_text(encoding="utf-8")
    start = html.index('<script type="application/json">{"columns"')
    broken = html[:start] + html[start:].replace('{"columns"', '{"columns', 1)
    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    browser.get((tmp_path / "report.html").as_uri())
    history = figure_of(browser, "How did the search go?")
    at(browser, point_of(browser, history, 5))
    wait(lambda: [each.text for each in history.find_elements("css selector", ".hovertext")] == ["trial 5"])


def test_a_finger_that_drags_over_a_plot_scrolls_the_page(browser: Any, searched: Path) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        browser.get(searched.as_uri())
        history = figure_of(browser, "How did the search go?")
        before = browser.execute_script("return [scrollY, arguments[0].layout.xaxis.range.join()]", history)
        x, y = point_of(browser, history, 5)
        for step in range(11):
            touch = {"type": "touchMove" if step else "touchStart", "touchPoints": [{"x": x, "y": y - 20 * step}]}
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait(lambda: browser.execute_script("return scrollY") > before[0] + 100)
        assert browser.execute_script("return arguments[0].layout.xaxis.range.join()", history) == before[1]
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_open_page_follows_while_it_is_rewritten(browser: Any, tmp_path: Path) -> None:
    """Where the reader was, until the last version, which nothing rewrites."""
    rows = [(TrialState.COMPLETE, 0.5 + index / 100, trial_record()) for index in range(3)]
    study, file = made.study(tmp_path, {"dense": rows}, trials=9), tmp_path / "report.html"
    page.write([study], file, version="1")
    browser.get_log("browser")
    browser.get(file.as_uri())
    find(browser, "#theme")[0].click()
    theme = browser.execute_script("return document.documentElement.dataset.theme")
    browser.execute_script("for (const fold of document.querySelectorAll('details')) fold.open = true")
    browser.execute_script("document.querySelector('.browsed tbody td').click(); scrollTo(0, 700)")
    study.part("dense").add_trials([made.study(tmp_path / "other", {"dense": rows}).part("dense").trials[0]])
    page.write([study], file, version="2")
    # Counted in the page: elements that a test holds are gone when the page is loaded again.
    wait(lambda: browser.execute_script("return document.querySelectorAll('.browsed .table tbody tr').length") == 4)
    wait(lambda: browser.execute_script("return scrollY") == 700)
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme
    assert not find(browser, "article > details:not([open])")
    assert visible(browser, ".marked-trials")[0].startswith("Marked: trial 0;")
    page.write([study], file)
    wait(lambda: not find(browser, "[data-follow]"))
    assert {each.name for each in tmp_path.glob("report*")} == {"report.html", "report.json"}
    assert not any("rewritten" in each for each in complaints(browser) if "version.js" not in each)


def test_every_anchor_is_there_once(browser: Any, two_spaces: Path) -> None:
    browser.get(two_spaces.as_uri())
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))
    targets = browser.execute_script("return [...document.querySelectorAll('a[href^=\\'#\\']')].map(each => each.hash)")
    assert {target[1:] for target in targets} <= set(ids)
    assert all(article.get_attribute("id") for article in find(browser, "article"))


@pytest.mark.parametrize("width, height, most", [(1440, 900, 7), (390, 844, 14)])
def test_the_page_is_short_before_folds_are_opened(
    browser: Any, report: Path, width: int, height: int, most: int
) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(report.as_uri())
        assert browser.execute_script("return document.documentElement.scrollHeight") <= most * height
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_every_space_is_there_and_no_table_is_cut(browser: Any, two_spaces: Path) -> None:
    browser.get(two_spaces.as_uri())
    browser.execute_script(
        "addEventListener('beforeprint', () => {"
        "const width = document.body.getBoundingClientRect().right;"
        "window.hidden = document.querySelectorAll('[role=tabpanel][hidden]').length;"
        "window.cut = [...document.querySelectorAll('table, pre, .main-svg')]"
        ".filter(each => each.getBoundingClientRect().right > width + 1).map(each => each.outerHTML.slice(0, 200)) })"
    )
    browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert browser.execute_script("return [window.hidden, window.cut]") == [0, []]
    wait(lambda: len(find(browser, "[role=tabpanel][hidden]")) == 4)
