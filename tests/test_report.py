"""The report as text: what stands on the page, in which order, how large it is, and that names are only names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from report_cases import attribution, full, noise, other, photo, stages

import gradline as gl
from gradline.report import Photo, fragment, widget, write_comparison, write_html
from gradline.report.page import as_json, page, script, style
from gradline.result.finding import KINDS

HOSTILE = "</script><script>alert('1')</script>\"&<img src=x onerror=alert(2)>.jpg"


class Elements(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.numbers, self._inside = "", "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = f"{tag} {dict(attrs).get('type', '')}"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script application/json":
            self.numbers += data
        elif not self._inside:
            self.text += data.replace("\u00a0", " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(case: tuple[gl.Attribution, Photo]) -> Elements:
    return Elements(page(*case))


def test_the_verdict_comes_first_then_what_weakens_it_then_the_map() -> None:
    a, shown = full()
    finding = KINDS["GL201"].found()
    found = read((replace(a, status=(gl.Status.BUDGET_EXHAUSTED,), findings=(finding,)), shown))
    parts = [
        "speak for “espresso”",
        "NOT converged",
        "GL201",
        KINDS["GL201"].remedy,
        KINDS["GL201"].cause,
        "What the model sees",
        "Share of the map’s size",
        "The path",
        "Other baselines",
        "What efficientnet-lite0 says",
        "Do it again",
        "In Python",
        "Provenance",
    ]
    places = [found.text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_without_findings_it_says_so() -> None:
    a, shown = full()
    found = read((a, replace(shown, baselines=())))
    assert "Nothing else was noticed" in found.text
    assert "What weakens it" not in found.text


def test_the_verdict_says_when_another_baseline_tells_another_story() -> None:
    a, shown = full()
    other = replace(shown.baselines[0], name="white", agreement=-0.41)
    found = read((a, replace(shown, baselines=(*shown.baselines, other))))
    assert "Another baseline gives another map (rank agreement with white −0.41)" in found.text
    assert "Nothing else was noticed" not in found.text
    agreeing = tuple(replace(other, agreement=0.9) for other in shown.baselines)
    assert "Nothing else was noticed" in read((a, replace(shown, baselines=agreeing))).text


@pytest.mark.parametrize(
    ("status", "estimate", "says"),
    [
        ("converged", 0.037, "converged: estimated map error 3.7 %, asked for 5.0 %"),
        ("fixed", None, "How wrong this map is, is not known"),
        ("no_claim", None, "How wrong this map is, is not known"),
        ("nonfinite", float("nan"), "This map cannot be used"),
        ("budget_exhausted", 0.12, "NOT converged: estimated map error 12 %"),
    ],
)
def test_every_end_is_said_plainly(status: str, estimate: float | None, says: str) -> None:
    a, shown = full()
    error = None if estimate is None else torch.tensor([estimate], dtype=torch.float64)
    found = read((replace(a, status=(gl.Status(status),), error_estimate=error), shown))
    assert says in found.text
    gauges = [d for d in found.all("div") if d.get("class") == "gauge"]
    assert len(gauges) == (estimate is not None and np.isfinite(estimate))


def test_a_flat_map_has_no_zones_no_shares_and_says_why() -> None:
    pixels = np.zeros((24, 24))
    flat = attribution(pixels, status=(gl.Status.FLAT,), error_estimate=torch.zeros(1, dtype=torch.float64))
    found = read((flat, photo(stages=stages(np.zeros((12, 12))), baselines=(other("white", pixels, (24, 24)),))))
    assert "zero everywhere" in found.text
    assert "every contribution is zero" in found.text
    assert "nine equal zones" not in found.text
    assert "no share of it to show" in found.text
    assert json.loads(found.numbers)["path"]["share"] is None


def test_a_map_that_is_not_finite_says_so_and_stays_json() -> None:
    pixels = noise(24, 24)
    pixels[3] = np.nan
    a = attribution(
        pixels, status=(gl.Status.NONFINITE,), baseline_score=torch.tensor([-torch.inf], dtype=torch.float64)
    )
    found = read((a, photo(stages=stages(pixels))))
    assert "nothing can be read from it" in found.text
    assert "are not finite, in grey" in found.text
    assert json.loads(found.numbers)["path"]["score"][0] is None


def test_a_method_without_a_path_has_no_panel() -> None:
    a = attribution(noise(24, 24), baseline_score=None, completeness_gap=None, error_estimate=None)
    a = replace(
        a, status=(gl.Status.NO_CLAIM,), provenance={"method_name": "gradient", "unit": "score per unit of the site"}
    )
    found = read((a, photo(start=None, candidates=())))
    assert "The path" not in found.text
    assert "What efficientnet-lite0 says" not in found.text
    assert "raises the score" not in found.text  # a gradient is no contribution
    assert "adds up to" in found.text
    assert "positive" in found.text


def test_what_was_not_kept_is_left_out() -> None:
    bare = photo(start=None, candidates=(), command="", python="")
    found = read((attribution(noise(24, 24)), bare))
    assert "Partial maps of this path were not kept" in found.text
    for absent in ("Where the path starts", "Other baselines", "Copy Python", "Copy command"):
        assert absent not in found.text
    assert "stages" not in json.loads(found.numbers)["path"]


def test_a_path_that_is_not_straight_shows_no_blend() -> None:
    a, shown = full()
    curved = replace(a, provenance=dict(a.provenance) | {"method": "Method(path=Guided(), baseline=Black())"})
    assert "Where the path starts" in read((a, shown)).text
    assert "Where the path starts" not in read((curved, shown)).text


def test_several_paths_are_said_to_be_several() -> None:
    a, shown = full()
    assert "the mean over 20 paths" in read((a, replace(shown, paths=20))).text


def test_names_are_only_names() -> None:
    a, shown = full()
    evil = replace(
        shown,
        name=HOSTILE,
        title=HOSTILE,
        model=HOSTILE,
        candidates=((HOSTILE, 1.0),),
        command=HOSTILE,
        python=HOSTILE,
        baselines=tuple(replace(o, name=HOSTILE) for o in shown.baselines),
    )
    finding = gl.Finding("GL999", HOSTILE, HOSTILE, HOSTILE)
    a = replace(
        a,
        names=(HOSTILE,),
        explained=(HOSTILE,),
        findings=(finding,),
        provenance=dict(a.provenance) | {"site": HOSTILE},
    )
    for html in (page(a, evil), fragment(a, evil)):
        found = Elements(html)
        assert len(found.all("script")) == 2
        assert not any("onerror" in attributes for _, attributes in found.tags)
        assert found.text.count("alert('1')") > 8
        assert json.loads(found.numbers)["quantity"].count("</script>") >= 1
        assert re.fullmatch(r"[\w-]+", json.loads(found.numbers)["file"])


def test_json_in_a_script_cannot_end_it() -> None:
    text = as_json({"a": "</script><!--&"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!--&"}
    assert "</script" not in script()
    assert "</style" not in style()


def test_nothing_points_outside() -> None:
    for html in (page(*full()), fragment(*full())):
        found = Elements(html)
        places = [
            v for _, attributes in found.tags for k, v in attributes.items() if k in ("src", "href", "srcset", "action")
        ]
        assert places
        assert all(str(place).startswith(("data:", "#")) for place in places)
        assert "url(" not in style().replace("url(#", "")
        assert "http" not in style()
        assert set(re.findall(r"https?://[^\"'` ]+", script())) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(eval|fetch|XMLHttpRequest|import\(|localStorage|cookie)\b", script())


def test_a_page_has_a_policy_and_a_fragment_is_a_part() -> None:
    whole, part = Elements(page(*full())), Elements(fragment(*full()))
    policy = next(m["content"] for m in whole.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert [len(whole.all(t)) for t in ("html", "head", "body", "h1", "main")] == [1] * 5
    assert [len(part.all(t)) for t in ("html", "head", "body", "h1", "main", "meta")] == [0] * 6
    assert page(*full()) == page(*full())


def test_every_id_belongs_to_its_own_fragment() -> None:
    found = [
        [attributes["id"] for _, attributes in Elements(fragment(*full())).tags if "id" in attributes] for _ in range(2)
    ]
    assert len(set(found[0])) == len(found[0])
    assert not set(found[0]) & set(found[1])
    groups = [{i["name"] for i in Elements(fragment(*full())).all("input") if i.get("name")} for _ in range(2)]
    assert not groups[0] & groups[1]


def test_every_picture_and_every_control_has_a_name() -> None:
    found = read(full())
    labels = {label.get("for") for label in found.all("label")}
    for control in found.all("input"):
        assert control.get("id") in labels or control["data-control"] in ("show", "by", "scale", "t")
    assert all(image.get("alt") for image in found.all("img"))


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(224, 224, 16), (260, 260, 16), (384, 384, 16), (518, 518, 16), (1024, 1024, 16), (240, 1024, 16)],
)
def test_a_page_is_smaller_than_a_megabyte(height: int, width: int, count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = (-(-height // -(-max(height, width) // 112)), -(-width // -(-max(height, width) // 112)))
    shown = photo(height, width)
    rough = np.clip(shown.pixels.astype(int) + rng.normal(0, 14, shown.pixels.shape), 0, 255).astype(np.uint8)
    grown = np.cumsum([noise(*coarse, seed) for seed in range(count)], 0).astype(np.float32)
    others = tuple(other(name, noise(*coarse, k), (height, width)) for k, name in enumerate(["white", "blur", "noise"]))
    shown = replace(shown, pixels=rough, start=rough[::-1].copy(), stages=grown, baselines=others)
    written = write_html(attribution(noise(height, width)), shown, tmp_path / "map.html")
    assert written.stat().st_size <= 1_000_000
    found = Elements(written.read_text("utf-8"))
    side = json.loads(found.numbers)["map"]["block"]
    assert (f"blocks of {side} × {side}" in found.text) == (side > 1)
    assert (side > 1) == (max(height, width) > 300)


def test_blocks_reach_over_the_edge_by_as_much_as_they_do() -> None:
    """518 pixels in blocks of 2 fit; 301 in blocks of 2 make 151, one pixel too many; 112 blocks of 5 are 560."""
    found = read((attribution(noise(301, 301)), photo(301, 301)))
    styles = [i["style"] for i in found.all("img") if i.get("class") == "tint" and i.get("style")]
    assert styles == ["width: 100.332%; height: 100.332%"]


def test_the_photo_must_fit_the_map(tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match="photo"):
        write_html(attribution(noise(24, 24)), photo(20, 20), tmp_path / "map.html")
    assert not (tmp_path / "map.html").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(gl.StorageError, match="cannot write"):
        write_html(*full(), tmp_path / "file" / "a.html")


def test_saved_by_suffix_and_shown_in_a_notebook(tmp_path: Path) -> None:
    a = gl.explain_image(gl.demo_photo(), steps=4)
    written = a.save(tmp_path / "cup.html")
    assert 300_000 < written.stat().st_size < 900_000
    html = a._repr_html_()
    assert html.lstrip().startswith("<section")
    assert "espresso" in Elements(html).text


def test_methods_side_by_side(tmp_path: Path) -> None:
    a, shown = full()
    gradient = replace(
        a,
        values=a.values * 30,
        error_estimate=None,
        completeness_gap=None,
        status=(gl.Status.NO_CLAIM,),
        provenance=dict(a.provenance) | {"unit": "score per unit of the site"},
    )
    turned = replace(a, values=-a.values)
    both = gl.Comparison({"ig": a, HOSTILE: turned, "gradient": gradient}, ())
    found = Elements(write_comparison(both, shown, tmp_path / "grid.html").read_text("utf-8"))
    order = ["2 of 3 maps converged", "completeness gap", "The maps", "How far the maps agree", "Do it again"]
    assert [found.text.find(part) for part in order] == sorted(found.text.find(part) for part in order)
    assert "The lowest rank agreement is −1.00" in found.text
    assert "different questions" in found.text
    assert "where their values can be compared" in found.text
    scales = [float(str(f["data-shared"])) for f in found.all("figure") if "data-tile" in f]
    assert scales[0] == scales[1] != scales[2]
    assert scales[2] == pytest.approx(30 * scales[0], rel=1e-3)
    assert len(found.all("script")) == 2
    cells = [td for td in found.all("td") if td.get("class") in ("plus", "minus")]
    assert len(cells) == 2 * 9
    assert sum(td["class"] == "minus" for td in cells) == 4  # the turned map with each of the others, signed


def test_a_dozen_methods_stay_below_a_megabyte(tmp_path: Path) -> None:
    maps = {f"method {k}": attribution(noise(224, 224, k)) for k in range(12)}
    written = write_comparison(gl.Comparison(maps, ()), photo(224, 224), tmp_path / "grid.html")
    assert written.stat().st_size < 1_000_000
    assert "over blocks of 2 × 2 pixels" in written.read_text("utf-8")


def test_one_method_has_nothing_to_agree_with(tmp_path: Path) -> None:
    a, shown = full()
    text = write_comparison(gl.Comparison({"ig": a}, ()), shown, tmp_path / "grid.html").read_text("utf-8")
    assert "How far the maps agree" not in text
    assert "The map converged to the accuracy asked for" in text


def test_a_widget_needs_a_photo() -> None:
    pytest.importorskip("anywidget", reason="the notebook extra is not installed")
    with pytest.raises(gl.InputError, match=r"gl\.explain_image"):
        widget(attribution(noise(24, 24)))
