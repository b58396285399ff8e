"""The report in notebooks: several outputs on one page, put there as notebooks do, and the widget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, complaints, needs_browser, opened, picture, set_control, text, theme, wait
from report_cases import full

from gradline.report import fragment, widget
from gradline.report.content import content

HOST = """<!doctype html><meta charset="utf-8"><title>a notebook</title><style>
.jp-RenderedHTMLCommon { color: rgb(0, 0, 255); font-family: serif; line-height: 3; }
.jp-RenderedHTMLCommon table { border: 5px solid red; margin: 0 auto; }
.jp-RenderedHTMLCommon td, .jp-RenderedHTMLCommon th { text-align: right; padding: 40px; background: rgb(255, 0, 0); }
.jp-RenderedHTMLCommon tbody tr:nth-child(odd) { background: rgb(255, 0, 0); }
.jp-RenderedHTMLCommon img { max-width: 50px; }
</style><body data-jp-theme-light="true"><p id="own">text</p>
<div id="one" class="jp-RenderedHTMLCommon"></div><div id="two" class="jp-RenderedHTMLCommon"></div>
<table id="table"><tr><td>theirs</td></tr></table></body>"""

INSERT = """const [place, html] = arguments, host = document.querySelector(place);
const inside = place === '#two' && window.shadow ? host.attachShadow({mode: 'open'}) : host;
inside.innerHTML = html;
for (const script of inside.querySelectorAll('script')) {  // as JupyterLab and VS Code do
  const again = document.createElement('script');
  for (const {name, value} of script.attributes) again.setAttribute(name, value);
  again.textContent = script.textContent;
  script.replaceWith(again);
}"""


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def notebook(driver: Any, tmp_path: Path) -> Any:
    page = tmp_path / "notebook.html"
    page.write_text(HOST, "utf-8")
    driver.get(page.as_uri())
    theme(driver, "light")
    complaints(driver)
    return driver


def live(driver: Any, count: int) -> None:
    wait(driver, f"document.querySelectorAll('.gradline.live').length === {count}")


@needs_browser
def test_two_reports_on_a_page_do_not_disturb_one_another(notebook: Any) -> None:
    own = "return [getComputedStyle(own).color, getComputedStyle(document.querySelector('#table td')).textAlign]"
    before = notebook.execute_script(own)
    a, shown = full()
    for place, name in (("#one", "first.png"), ("#two", "second.png")):
        notebook.execute_script(INSERT, place, fragment(a, replace(shown, name=name)))
    live(notebook, 2)
    assert "first.png" in text(notebook, "#one h3")
    set_control(notebook, "#one [data-control=blend]", 10)
    set_control(notebook, "#two [data-control=t]", 0.9)
    notebook.execute_script("document.querySelector('#two [data-control=show][value=size]').click()")
    assert (text(notebook, "#one [data-out=blend]"), text(notebook, "#two [data-out=blend]")) == ("10 %", "50 %")
    assert (text(notebook, "#one [data-out=t]"), text(notebook, "#two [data-out=t]")) == ("0.50", "0.90")
    checked = "return [...document.querySelectorAll('[data-control=show]:checked')].map(c => c.value)"
    assert notebook.execute_script(checked) == ["signed", "size"]
    notebook.find_element("css selector", "#two [data-do=theme]").click()
    assert notebook.execute_script(
        "const [a, b] = document.querySelectorAll('.gradline'); "
        "return getComputedStyle(a).backgroundColor !== getComputedStyle(b).backgroundColor"
    )
    assert notebook.execute_script(own) == before
    assert complaints(notebook) == []


@needs_browser
def test_a_notebooks_own_style_stays_outside(notebook: Any) -> None:
    notebook.execute_script(INSERT, "#one", fragment(*full()))
    live(notebook, 1)
    look = notebook.execute_script(
        """const style = (s) => getComputedStyle(document.querySelector('#one ' + s));
        return [style('.nine tbody td').textAlign, style('.bars tr').backgroundColor, style('.nine').borderTopWidth,
          style('p').color, style('.pair img').maxWidth]"""
    )
    assert look[:3] == ["left", "rgba(0, 0, 0, 0)", "0px"]
    assert look[3] != "rgb(0, 0, 255)"
    assert look[4] == "none"


@needs_browser
@pytest.mark.parametrize(("attribute", "dark"), [("true", False), ("false", True)])
def test_it_follows_the_notebooks_theme(notebook: Any, attribute: str, dark: bool) -> None:
    theme(notebook, "light" if dark else "dark")  # the system says otherwise
    notebook.execute_script("document.body.dataset.jpThemeLight = arguments[0]", attribute)
    notebook.execute_script(INSERT, "#one", fragment(*full()))
    live(notebook, 1)
    assert text(notebook, "#one [data-do=theme]") == ("Light theme" if dark else "Dark theme")


@needs_browser
def test_inside_a_shadow_root(notebook: Any) -> None:
    notebook.execute_script("window.shadow = true")
    notebook.execute_script(INSERT, "#two", fragment(*full()))
    wait(notebook, "document.querySelector('#two').shadowRoot.querySelector('.gradline').classList.contains('live')")
    assert complaints(notebook) == []


@needs_browser
def test_the_script_runs_once(notebook: Any) -> None:
    notebook.execute_script(INSERT, "#one", fragment(*full()))
    live(notebook, 1)
    notebook.execute_script(
        """const old = document.querySelector('#one script:not([type])'), again = document.createElement('script');
        again.textContent = old.textContent; old.replaceWith(again)"""
    )
    assert notebook.execute_script("return document.querySelectorAll('#one canvas.canvas, #one .marker').length") == 2
    assert complaints(notebook) == []


@needs_browser
def test_two_views_of_one_output_both_work(notebook: Any) -> None:
    once = fragment(*full())
    for place in ("#one", "#two"):
        notebook.execute_script(INSERT, place, once)
    live(notebook, 2)
    set_control(notebook, "#two [data-control=blend]", 10)
    assert (text(notebook, "#one [data-out=blend]"), text(notebook, "#two [data-out=blend]")) == ("50 %", "10 %")
    assert complaints(notebook) == []


@needs_browser
def test_where_numbers_cannot_be_unpacked_the_pictures_stay(notebook: Any) -> None:
    notebook.execute_script("delete globalThis.DecompressionStream")
    notebook.execute_script(INSERT, "#one", fragment(*full()))
    assert notebook.execute_script("return document.querySelectorAll('#one img.tint').length") == 7
    controls = notebook.find_elements("css selector", "#one button, #one input")
    assert controls
    assert not any(control.is_displayed() for control in controls)
    assert complaints(notebook) == []


@pytest.fixture(scope="module")
def made() -> Any:
    pytest.importorskip("anywidget", reason="the notebook extra is not installed")
    a, shown = full()
    return widget(replace(a, shown=(shown,)))


def test_the_widget_carries_the_same_numbers_and_the_same_script(made: Any) -> None:
    found = content(*full())["data"]
    assert json.loads(json.dumps(made.data)) == json.loads(json.dumps(found))
    assert "export default { render }" in made._esm
    assert "async function render({ model, el })" in made._esm
    assert ".gradline" in made._css
    assert "<script" not in made.html
    assert "<style" not in made.html
    assert all(made.trait_metadata(name, "sync") for name in ("html", "data", "t", "blend", "threshold"))


MODEL = """
window.changed = [];
const state = STATE, told = {};
window.model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; changed.push([name, value]); },
  on: (event, tell) => { told[event] = tell; },
  off: (event, tell) => { if (told[event] === tell) delete told[event]; },
  listeners: () => Object.keys(told).length,
  save_changes: () => changed.push('saved'),
  fromPython: (name, value) => { state[name] = value; told[`change:${name}`](); },
};
"""


@needs_browser
def test_the_widget_in_a_cell(driver: Any, made: Any, tmp_path: Path) -> None:
    state = {name: getattr(made, name) for name in ("html", "data", "t", "blend", "threshold")} | {"t": 0.25}
    text_ = json.dumps(state).replace("<", "\\u003c")
    module = (
        f"{made._esm}\nwindow.again = render; window.done = render({{ model, el: document.querySelector('#cell') }});"
    )
    page = tmp_path / "cell.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><style>{made._css}</style><div id="cell"></div>'
        f"<script>{MODEL.replace('STATE', text_)}</script><script type=module>{module}</script>",
        "utf-8",
    )
    opened(driver, page)
    assert text(driver, "[data-out=t]") == "0.25"
    set_control(driver, "[data-control=t]", 0.5)
    assert driver.execute_script("return changed") == [["t", 0.5], "saved"]
    driver.execute_script("model.fromPython('blend', 100)")
    assert text(driver, "[data-out=blend]") == "100 %"
    assert picture(driver, "[data-panel=map] .layers").std() > 5
    assert driver.execute_script("return model.listeners()") == 3
    driver.execute_async_script("const end = arguments[0]; done.then((close) => { close(); end(); })")
    assert driver.execute_script("return model.listeners()") == 0
    driver.execute_async_script(
        """const end = arguments[0];
        delete globalThis.DecompressionStream;
        again({ model, el: document.querySelector('#cell') }).then(end);"""
    )
    assert driver.execute_script("return document.querySelectorAll('#cell img.tint').length") == 7
    assert complaints(driver) == []
