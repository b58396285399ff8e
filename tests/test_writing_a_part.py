"""The plug-in author's page does what it says: every block runs, in order, in one namespace."""

import ast
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import gradline as gl

PAGE = (Path(__file__).parent.parent / "docs" / "writing-a-part.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
CODE = [text for language, text in BLOCKS if language == "python"]
KINDS = {
    "Bow": gl.paths.Curve,
    "Fejer": gl.rules.Rule,
    "Shuffled": gl.baselines.Baseline,
    "Downhill": gl.baselines.Search,
    "Rising": gl.accumulators.Accumulator,
    "Leading": gl.Target,
}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the blocks leave behind; `said`: what they printed."""
    torch.manual_seed(0)
    said: list[str] = []
    names: dict[str, Any] = {"print": lambda *values: said.append(" ".join(map(str, values))), "said": said}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in CODE:
            exec(block, names)
    return names


def test_a_part_of_every_kind_is_written_and_conforms(page: dict[str, Any]) -> None:
    assert len(CODE) >= 10
    for name, kind in KINDS.items():
        assert issubclass(page[name], kind)
        assert f"\nconformance({name}()" in PAGE
    assert isinstance(page["rising"], gl.Method)
    assert "\nconformance(rising)" in PAGE


def test_no_part_takes_more_than_fifteen_lines() -> None:
    written = [node for block in CODE for node in ast.parse(block).body if isinstance(node, ast.ClassDef)]
    assert {node.name for node in written} >= set(KINDS)
    assert max(len(ast.unparse(node).splitlines()) for node in written) <= 15


def test_a_broken_part_is_named_as_the_page_shows(page: dict[str, Any]) -> None:
    (shown,) = (text.strip() for language, text in BLOCKS if not language)
    assert any(line.startswith(shown) for line in page["said"])


def test_what_is_explained_with_the_parts_is_what_it_should_be(page: dict[str, Any]) -> None:
    """Along the bow the values add up to the rise of the mean of the two classes that lead at x."""
    model, x = page["model"], page["x"]
    bow = gl.Method("bow", page["Bow"](), gl.accumulators.GradientTimesMove(), gl.baselines.Zero())
    a = gl.explain(model, x, page["Leading"](), method=bow, steps=64, rule=page["Fejer"])
    with torch.no_grad():
        leading = model(x).topk(2, 1).indices
        rise = (model(x) - model(torch.zeros_like(x))).gather(1, leading).mean(1)
    torch.testing.assert_close(a.values.sum(1), rise, rtol=1e-4, atol=1e-5)
    straight = gl.explain(model, x, page["Leading"](), steps=64)
    assert not torch.allclose(a.values, straight.values, rtol=1e-2), "another path, another map"
    assert (page["a"].values >= 0).all()
    assert set(page["a"].status) == {gl.Status.CONVERGED}
    assert page["at_layer"].values.shape == page["inside"].values.shape == (8, 64)


def test_every_name_on_the_page_exists() -> None:
    names = set(re.findall(r"`gl\.([A-Za-z_.]+)`", PAGE))
    assert {"paths.Curve", "rules.Rule", "baselines.Search", "Target"} <= names
    for name in names:
        thing: Any = gl
        for step in name.split("."):
            thing = getattr(thing, step)
    from gradline import testing

    assert all(name in testing.__all__ for name in re.findall(r"`gradline\.testing\.(\w+)`", PAGE))
