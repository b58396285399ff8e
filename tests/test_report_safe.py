"""A report is a closed file: names are only names, nothing points outside, ids belong to their own fragment."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from report_cases import full
from report_elements import HOSTILE, Elements, read

import gradline as gl
from gradline.report import fragment
from gradline.report.page import as_json, page, script, style


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
