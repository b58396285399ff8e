"""The report of a text: what it says without a script, what the script adds, and that a text is only a text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CONTRAST, asked_for, chromium, complaints, names, needs_browser, opened, text, theme, wait, width
from report_elements import HOSTILE, Elements
from shown_texts import REVIEW, chat, known, plain, review

import gradline as gl
from gradline.report.text_page import content, fragment, fragment_matrix, write_matrix, write_text

ROW = [value for _, _, value in REVIEW]


def page(a: gl.Attribution, where: Path) -> Elements:
    return Elements(write_text(a, a.shown[0], where / "text.html").read_text("utf-8"))  # type: ignore[arg-type]


def spans(found: Elements) -> list[dict[str, str | None]]:
    return [span for span in found.all("span") if (span.get("class") or "").split()[:1] == ["w"]]


def test_words_stand_in_order_on_their_colours(tmp_path: Path) -> None:
    found = page(known(), tmp_path)
    assert "The acting is brilliant, the plot thin." in found.text
    words = spans(found)
    assert len(words) == 9 + 2
    assert words[3]["class"] == "w up deep"
    assert words[3]["style"] == "--v:1.0"
    assert words[3]["title"] == "+2.00; 38\N{NO-BREAK SPACE}% of all sizes; the path starts at “[MASK]”"
    assert words[7]["class"] == "w down"
    assert words[7]["style"] == "--v:0.5"
    assert "“brilliant” raises the score most (+2.00), “thin” lowers it most (−1.00)." in found.text
    assert "9 words and 2 special tokens (−0.250) add up to +1.50." in found.text
    assert "mask tokens, special tokens kept" in found.text


def test_bars_add_up_to_the_change_of_the_score() -> None:
    shown, values = plain("word " * 40)
    a = known(shown, np.append(values, 0.5), completeness_gap=known().completeness_gap + 0.25)  # type: ignore[operator]
    bars = content(a, shown)["bars"]
    assert [row["label"] for row in bars["rows"][-2:]] == ["28 other words, summed", "places without a token, summed"]
    sums = sum(float(row["value"].replace("−", "-")) for row in bars["rows"])
    assert sums == pytest.approx(float(a.values.sum()), rel=2e-2)
    assert float(bars["total"].replace("−", "-")) == pytest.approx(float(a.values.sum()), rel=5e-3)
    assert bars["change"]["gap"] == "+0.250"
    for row in bars["rows"]:
        assert float(row["left"][:-1]) + float(row["width"][:-1]) <= 100.01
    assert content(replace(a, baseline_score=None), shown)["bars"]["change"] is None


def test_numbers_of_every_level_are_in_the_page(tmp_path: Path) -> None:
    data = json.loads(page(known(), tmp_path).numbers)["text"]
    for level, count in (("tokens", 12), ("words", 11), ("sentences", 3)):
        assert len(data[level]["words"]) == count
        assert sum(word[1] for word in data[level]["words"]) == sum(ROW)


def test_parts_have_headings_and_special_tokens_stand_apart(tmp_path: Path) -> None:
    found = page(known(chat(), chat().matrix.sum(0)), tmp_path)  # type: ignore[union-attr]
    assert [h.get("class") for h in found.all("h3")].count("part") == 4  # of the text and of the matrix
    assert found.text.index("user") < found.text.index("Special tokens") < found.text.index("Where the answer")
    assert [p["dir"] for p in found.all("p") if "data-block" in p] == ["auto"] * 4
    cells = [cell for cell in found.all("td") if "style" in cell]
    assert len(cells) == 3 * 12
    assert cells[2 * 12 + 10] == {"class": "up deep", "style": "--v:1.0", "title": "+3.25"}


def test_odd_values_and_odd_texts(tmp_path: Path) -> None:
    found = page(known(contributions=[math.nan, *ROW[1:5], -math.inf, *ROW[6:]]), tmp_path)
    assert [span["class"] for span in spans(found)].count("w bad") == 2
    assert "2 are not finite, in grey" in found.text
    assert json.loads(found.numbers)["text"]["words"]["words"][0][1] is None
    assert "Every contribution is zero" in page(known(contributions=[0.0] * 12), tmp_path).text
    shown, values = plain("lone\ud800 \u202eturned")
    assert "turned" in page(known(shown, values), tmp_path).text
    broken = review(pieces=tuple(replace(p, text="\n") if p.place == 6 else p for p in review().pieces))
    assert len(page(known(broken), tmp_path).all("br")) == 1
    with pytest.raises(gl.InputError, match="0 to 2"):
        content(known(contributions=[1.0, 2.0, 3.0]), review())
    with pytest.raises(gl.InputError, match="without one"):
        fragment_matrix(review())


def test_a_text_is_only_a_text(tmp_path: Path) -> None:
    shown = chat()
    evil = tuple(replace(p, text=HOSTILE, part=HOSTILE) for p in shown.pieces)
    answer = tuple(replace(p, text=HOSTILE) for p in shown.answer)
    shown = replace(shown, name=HOSTILE, title=HOSTILE, model=HOSTILE, pieces=evil, answer=answer, baseline=HOSTILE)
    shown = replace(shown, start=(HOSTILE,) * 13, command=HOSTILE, python=HOSTILE, candidates=((HOSTILE, 1.0),))
    a = known(shown, np.ones(13), explained=(HOSTILE,))
    for html in (
        write_text(a, shown, tmp_path / "a.html").read_text("utf-8"),
        fragment(a, shown),
        fragment_matrix(shown),
    ):
        found = Elements(html)
        assert len(found.all("script")) == 2
        assert not any("onerror" in attributes for _, attributes in found.tags)
        assert not found.all("img")
        assert re.fullmatch(r"[\w-]+", json.loads(found.numbers)["file"])
    policy = next(m["content"] for m in page(a, tmp_path).all("meta") if "http-equiv" in m)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_a_text_shows_and_writes_itself(tmp_path: Path) -> None:
    a = known()
    assert "brilliant" in a._repr_html_()
    assert a.save(tmp_path / "text.html").stat().st_size < 150_000
    assert a.save(tmp_path / "text.svg").read_text("utf-8").count("brilliant") >= 2
    found = [[e["id"] for _, e in Elements(a._repr_html_()).tags if "id" in e] for _ in range(2)]
    assert not set(found[0]) & set(found[1])


# ---------------------------------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A review, a chat with its matrix, and a text from right to left with a value that is not finite."""
    folder, talk = tmp_path_factory.mktemp("text"), chat()
    shown, values = plain("הסרט היה מרתק אבל הסוף משעמם. " * 4)
    values[3] = np.nan
    return {
        "review": write_text(known(), review(), folder / "review.html"),
        "chat": write_text(known(talk, talk.matrix.sum(0)), talk, folder / "chat.html"),  # type: ignore[union-attr]
        "matrix": write_matrix(talk, folder / "matrix.html"),
        "leftward": write_text(known(shown, values), shown, folder / "leftward.html"),
    }


@needs_browser
def test_levels_signs_and_arrow_keys(driver: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages["review"])
    assert text(driver, "[data-text] [data-block='0']") == "The acting is brilliant, the plot thin."
    driver.execute_script("document.querySelector('[data-text]').focus()")
    keys = driver.switch_to.active_element
    keys.send_keys(Keys.ARROW_RIGHT)
    assert text(driver, "[data-out=value]").startswith(
        "“\u2068The\u2069”: +0.125, 2.4 % of all sizes, raises the score"
    )
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "brilliant\u2069”: +2, 38 % of all sizes" in text(driver, "[data-out=value]")
    assert "[MASK]" in text(driver, "[data-out=value]")
    wait(driver, "document.querySelector('[data-say]').textContent.includes('brilliant')")
    count = "return document.querySelectorAll('[data-text] .w').length"
    for level, spans_of in (("tokens", 12), ("sentences", 3)):
        driver.execute_script(f"document.querySelector('[value={level}]').click()")
        assert driver.execute_script(count) == spans_of
        assert text(driver, "[data-text] [data-block='0']") == "The acting is brilliant, the plot thin."
    driver.execute_script("document.querySelector('[value=size]').click()")
    assert text(driver, "[data-high]") == "1.8"
    assert complaints(driver) == []
    assert all(url.startswith(("file:", "data:")) for url in asked_for(driver))
    assert all(name for _, name in names(driver))


@needs_browser
def test_sources_of_an_answer_light_up_and_stay(driver: Any, pages: dict[str, Path]) -> None:
    for kind in ("chat", "matrix"):
        opened(driver, pages[kind])
        button = "document.querySelectorAll('[data-answer] button')[2]"
        driver.execute_script(f"{button}.focus()")
        said = text(driver, "[data-out=source]").replace("\u2068", "").replace("\u2069", "")
        assert said.startswith("“Paris”: +4.51 in all; most from “France” +3.25, “capital” +1.59")
        share = "return [...document.querySelectorAll('[data-prompt] .w')].map(w => +w.style.getPropertyValue('--v'))"
        lit = driver.execute_script(share)
        assert (len(lit), lit[10], lit[8]) == (12, 1, pytest.approx(1.594 / 3.25, abs=2e-3))
        driver.execute_script(f"{button}.click(); {button}.blur()")
        assert driver.execute_script(share) == lit
        assert driver.execute_script(f"return {button}.getAttribute('aria-pressed')") == "true"
        driver.execute_script(f"{button}.focus(); {button}.click(); {button}.blur()")
        assert text(driver, "[data-out=source]").startswith("The whole answer")
    assert complaints(driver) == []


@needs_browser
def test_it_can_be_read_in_both_themes_and_on_a_phone(driver: Any, pages: dict[str, Path]) -> None:
    for kind in ("chat", "leftward"):
        opened(driver, pages[kind])
        for name, look in (("light", "signed"), ("dark", "signed"), ("dark", "size"), ("light", "size")):
            theme(driver, name)
            driver.execute_script(f"document.querySelector('[value={look}]').click()")
            least, words = driver.execute_script(CONTRAST)[0]
            assert least >= 4.5, (kind, name, look, words)
        width(driver, 400)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 400, kind


@needs_browser
def test_without_a_script_all_is_there(driver: Any, pages: dict[str, Path]) -> None:
    opened(driver, pages["chat"], live=False)
    seen = driver.find_element("tag name", "main").text
    for part in (
        "What is the capital of France?",
        "Special tokens",
        "all together",
        "It is Paris",
        "+3.25",
        "Do it again",
    ):
        assert part in seen
    assert not [e for e in driver.find_elements("css selector", "button, input") if e.is_displayed()]
    colour = driver.execute_script("return getComputedStyle(document.querySelector('.w.deep')).backgroundColor")
    assert [round(255 * float(part)) for part in re.findall(r"0\.\d+", colour)[:3]] == [178, 24, 43]


@needs_browser
def test_a_text_that_runs_leftward_begins_on_the_right(driver: Any, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(driver, pages["leftward"])
    left = driver.execute_script(
        "return [...document.querySelectorAll('[data-text] .w')].slice(0, 2).map(w => w.offsetLeft)"
    )
    assert left[0] > left[1]
    driver.execute_script("document.querySelector('[data-text]').focus()")
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT, *[Keys.ARROW_LEFT] * 3)
    assert text(driver, "[data-out=value]").endswith("not finite")
