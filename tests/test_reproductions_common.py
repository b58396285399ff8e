"""What reproductions share: photos, claims and their verdicts, pages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from reproduction_cases import reproduction
from torch import nn

import gradline as gl


@pytest.fixture(scope="module")
def common() -> Iterator[ModuleType]:
    with reproduction("common") as module:
        yield module


def test_a_verdict_is_where_the_interval_lies(common: ModuleType) -> None:
    def verdict(low: float, high: float, n: int = 9, needs: int = 0, null: float = 0.0) -> str:
        told: str = common.Claim("c", n, (low + high) / 2, low, high, needs=needs, null=null).verdict
        return told

    assert verdict(0.1, 0.3) == "holds"
    assert verdict(-0.3, -0.1) == "does not hold here"
    assert verdict(-0.1, 0.1) == verdict(0.0, 0.1) == verdict(-0.1, 0.0) == "undecided"
    assert verdict(0.1, 0.3, null=0.2) == "undecided"
    assert verdict(0.1, 0.3, n=5, needs=6) == "undecided"
    assert verdict(math.nan, math.nan) == "undecided"


def test_differences_over_few_examples_decide_nothing(common: ModuleType) -> None:
    """With five, all of one sign, a sign test says p = 1/16; with six 1/32."""
    assert common.paired("c", [1.0, 2.0, 3.0, 2.0, 1.0]).verdict == "undecided"
    assert common.paired("c", [1.0, 2.0, 3.0, 2.0, 1.0, 1.5]).verdict == "holds"
    assert common.paired("c", [-1.0, -2.0, -3.0, -2.0, -1.0, -1.5]).verdict == "does not hold here"


def test_differences_that_are_missing_do_not_count(common: ModuleType) -> None:
    values = torch.cat([torch.linspace(0, 1, 11), torch.tensor([math.nan, math.inf])])
    claim = common.paired("c", values, quantity="q", source="s")
    assert (claim.n, claim.estimate) == (11, pytest.approx(0.5))
    assert 0.2 < claim.low < 0.4 < 0.6 < claim.high < 0.8
    assert claim.plain() | {"low": 0, "high": 0, "estimate": 0} == {
        "text": "c", "n": 11, "estimate": 0, "low": 0, "high": 0, "quantity": "q", "source": "s", "null": 0.0,
        "needs": 6, "verdict": "holds",
    }  # fmt: skip
    nothing = common.paired("c", [math.nan])
    assert (nothing.n, nothing.verdict) == (0, "undecided")
    json.dumps(nothing.plain(), allow_nan=False)


def test_shares_have_wilsons_interval(common: ModuleType) -> None:
    """8 of 10: (0.490, 0.943); 9 of 10: (0.596, 0.982)."""
    claim = common.share("c", 8, 10)
    assert (claim.low, claim.high) == (pytest.approx(0.490, abs=5e-4), pytest.approx(0.943, abs=5e-4))
    assert claim.verdict == "undecided"
    assert common.share("c", 9, 10).verdict == "holds"
    assert common.share("c", 1, 10).verdict == "does not hold here"
    assert common.share("c", 0, 0).verdict == "undecided"


def test_numbers_and_tables_are_spelt(common: ModuleType) -> None:
    assert common.spelt(21.304, 20.92, 21.69) == "21.30 (20.92 … 21.69)"
    assert common.spelt(1234.5, 1200.0, 1300.0) == "1234 (1200 … 1300)"
    assert common.spelt(-0.001, -0.2, 0.2) == "0.00 (-0.20 … 0.20)"
    assert common.spelt(0.5) == "0.5"
    assert common.spelt(math.nan) == "–"
    assert common.table(("a", "b"), [("x", 1), ("y", 2.5)]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 2.5 |"
    told = common.claims_table([common.Claim("it is so", 9, 0.2, 0.1, 0.3, "q", "Table I")])
    assert told.splitlines()[1:] == [
        "|---|---|---|---:|---:|---|",
        "| it is so | Table I | q | 0.20 (0.10 … 0.30) | 9 | **holds** |",
    ]


def test_arguments_choose_form_photos_and_device(common: ModuleType, tmp_path: Path) -> None:
    def asked(*argv: str, render: bool = False) -> object:
        return common.arguments("doc", small=2, usual=30, full=300, argv=argv, render=render)

    assert asked() == common.Asked(common.Form.USUAL, 30)
    assert asked("--small", "--seed", "4") == common.Asked(common.Form.SMALL, 2, 4)
    full = asked("--full", "--photos", "7", "--device", "cpu", "--out", str(tmp_path))
    assert full == common.Asked(common.Form.FULL, 7, 0, "cpu", tmp_path)
    assert asked("--render", render=True) == common.Asked(common.Form.USUAL, 30, render=True)
    for wrong in (("--photos", "0"), ("--small", "--full"), ("--render",)):
        with pytest.raises(SystemExit):
            asked(*wrong)


def test_photos_meet_a_network_with_the_class_that_it_predicts(common: ModuleType) -> None:
    """Without the data pack: the free photos, no labels."""
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4))
    tiny = gl.models.ImageModel("tiny", model, gl.models.Preprocessing(20, 16, (127.0,) * 3, (128.0,) * 3))
    found = common.examples(common.Asked(common.Form.SMALL, 3), tiny)
    assert [one.name for one in found] == ["astronaut.png", "chelsea.png", "coffee.png"]
    for one in found:
        assert one.x.shape == (1, 3, 16, 16)
        assert one.label is None
        assert one.predicted == int(model(one.x).argmax())
        assert float(gl.attribute(one.score, one.x, steps=1).score) == pytest.approx(float(model(one.x).max().detach()))
    assert len(common.examples(common.Asked(common.Form.SMALL, 9), tiny)) == 4


def test_files_are_written_whole_and_read_back(
    common: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = common.Asked(common.Form.USUAL, 2, out=tmp_path / "new")
    found = common.settings(asked) | {"value": 1.5}
    assert (found["form"], found["seed"], found["photos"]) == ("usual", 0, 2)
    assert not {"platform", "created"} & set(found["made"])
    written = common.publish(asked, "a-page", found, "# A\n\n", {"a.svg": lambda p: p.write_text("<svg/>")})
    assert [p.name for p in written] == ["a_page.json", "a.svg", "a-page.md"]
    assert capsys.readouterr().out.split() == [str(p) for p in written]
    assert common.kept(asked, "a-page") == found
    assert (tmp_path / "new" / "a-page.md").read_text("utf-8") == "# A\n"
    with pytest.raises(ValueError, match="JSON"):
        common.publish(asked, "a-page", {"value": math.nan}, "# B")
    assert (tmp_path / "new" / "a-page.md").read_text("utf-8") == "# A\n", "nothing half written"


def test_progress_says_how_many_there_are(common: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(common.counted("ab", "letters")) == [(0, "a"), (1, "b")]
    first, last = capsys.readouterr().err.splitlines()
    assert "1 of 2 letters, about" in first
    assert last.endswith("2 of 2 letters")
