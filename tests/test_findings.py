"""The catalogue of numbers: complete, explained, documented; and the cheap ones land in what `explain` returns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.cli.explain_finding import page, sentence
from gradline.errors import InputError
from gradline.result.finding import KINDS, Finding, kind

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
X = torch.tensor([[0.9, -1.4, 0.6, 2.1], [1.3, 0.4, -0.8, 0.7]])


# ------------------------------------------------------------------------------------------------ the catalogue


def test_numbers_are_in_order_and_every_kind_says_cause_consequence_and_remedy():
    assert list(KINDS) == sorted(KINDS)
    for code, each in KINDS.items():
        assert re.fullmatch(r"GL[12]\d\d", code)
        assert each.code == code
        assert len({k.title for k in KINDS.values()}) == len(KINDS)
        for text in (each.cause, each.consequence, each.remedy):
            assert len(text) > 20
            assert not text.endswith(".")
            assert "  " not in text


def test_every_number_that_is_said_exists_and_every_one_that_exists_is_said():
    said = {code for f in SOURCES for code in re.findall(r'KINDS\["(GL\d{3})"\]', f.read_text("utf-8"))}
    assert said == set(KINDS)


def test_the_page_of_findings_is_the_one_that_the_command_writes():
    """`gradline explain-finding --markdown > docs/findings.md`"""
    assert (ROOT / "docs" / "findings.md").read_text("utf-8") == page()
    for each in KINDS.values():
        assert f"## {each.code} {each.title}\n" in page()
        assert sentence(each.remedy) in page()


def test_sentences_begin_with_a_capital_unless_with_code():
    assert sentence("the map is zero") == "The map is zero."
    assert sentence("model.eval() helps") == "model.eval() helps."


def test_a_number_is_found_however_it_is_written_and_others_are_refused_with_the_list():
    assert kind(" gl203 ").title == "flat path"
    with pytest.raises(InputError, match=r"one of GL101, GL102.*got 'GL999'"):
        kind("GL999")


def test_a_finding_reads_as_a_sentence():
    found = Finding("GL104", "gradient path cut", "no gradient", "Explain a logit", (0, 3))
    assert str(found) == "GL104 gradient path cut (examples 0, 3): no gradient. Explain a logit."
    assert str(KINDS["GL101"].found()).startswith("GL101 model in training mode: it was evaluated")


# ------------------------------------------------------------------------------------------------ inside explain


def linear(weight: float = 1.0) -> nn.Module:
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.copy_(weight * torch.eye(4)[:3])
        model.bias.zero_()
    return model.eval()


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.embed(ids)).mean(1))


def masked(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return x * mask


IDS = torch.tensor([[3, 1, 4], [1, 5, 8]])
MASK = torch.tensor([[1.0, 0, 1, 1], [1, 1, 0, 1]])

TROUBLE = {
    "GL101": lambda: gl.explain(linear().train(), X, 1),
    "GL102": lambda: gl.explain(lambda x: torch.softmax(x, 0), X, 1),
    "GL103": lambda: gl.explain(lambda x: 2 * x.reshape(1, 4), X, 1),
    "GL106": lambda: gl.explain(linear().bfloat16(), X.bfloat16(), 1),
    "GL107": lambda: gl.explain(linear(40), X, gl.Probability(0), tol=0.3),
    "GL110": lambda: gl.explain(masked, (X, MASK), 0),
    "GL111": lambda: gl.explain(Tokens().eval(), IDS, 1, site=gl.Layer("embed")),
    "GL112": lambda: gl.explain(lambda x: x * (1 + 0.3 * torch.randn_like(x)), X, 1, steps=2),
    "GL201": lambda: gl.explain(lambda x: torch.relu(torch.sin(9 * x)).sum(1), X, tol=1e-4, max_evaluations=9),
    "GL202": lambda: gl.explain(lambda x: torch.log(x).sum(1), X.abs()),
    "GL203": lambda: gl.explain(lambda x: 0 * x.sum(1) + 1, X),
    "GL204": lambda: gl.explain(lambda x: (x > 0.4).float().sum(1) * (x * x).sum(1), X, tol=0.01),
    "GL205": lambda: gl.explain(lambda x: (x**4).sum(1), X, steps=1),
    "GL208": lambda: gl.explain(lambda x: -(x**2).sum(1), X, method=gl.methods.left_integrated_gradients()),
}
HEALTHY = {
    "GL101": lambda: gl.explain(linear(), X, 1),
    "GL102": lambda: gl.explain(lambda x: torch.softmax(x, 1), X, 1),
    "GL106": lambda: gl.explain(linear(), X, 1),
    "GL107": lambda: gl.explain(linear(40), X, gl.LogProbability(0), tol=0.3),
    "GL110": lambda: gl.explain(masked, (X,), 0, context={"mask": MASK}),
    "GL111": lambda: gl.explain(Tokens().eval(), IDS, 1, site=gl.Layer("embed"), baseline=torch.full((1, 3), 2)),
    "GL201": lambda: gl.explain(lambda x: torch.relu(torch.sin(9 * x)).sum(1), X, tol=0.05),
    "GL205": lambda: gl.explain(lambda x: (x**4).sum(1), X, steps=30),
    "GL208": lambda: gl.explain(lambda x: (x**2).sum(1), X, method=gl.methods.left_integrated_gradients()),
}


@pytest.mark.parametrize("code", TROUBLE)
def test_explain_notes_the_trouble_under_its_number(code):
    a = TROUBLE[code]()
    assert code in [f.code for f in a.findings]
    assert code in repr(a)


@pytest.mark.parametrize("code", HEALTHY)
def test_explain_notes_nothing_without_the_trouble(code):
    assert HEALTHY[code]().findings == ()


def test_findings_of_explain_and_doctor_agree():
    """Where both look, both say the same numbers, with the same examples."""
    for model, x, more in (
        (linear().train(), X, {}),
        (lambda x: x - 0.5 * x.mean(0), X, {}),
        (masked, (X, MASK), {"target": 0}),
        (linear(40), X, {"target": gl.Probability(0)}),
        (linear().bfloat16(), X.bfloat16(), {}),
        (Tokens().eval(), IDS, {"site": gl.Layer("embed")}),
    ):
        arguments = {"target": 1, **more}
        noted = gl.explain(model, x, steps=9, **arguments).findings
        found = gl.doctor(model, x, **arguments).findings
        assert [(f.code, f.examples) for f in noted if f.code < "GL2"] == [(f.code, f.examples) for f in found]


def test_a_map_made_row_by_row_because_of_gl102_is_that_of_each_row_alone():
    """The remedy that the finding tells of."""
    weight = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def model(x):
        h = torch.tanh(x @ weight)
        return h - 0.5 * h.mean(0)

    a = gl.explain(model, X, 1, steps=16)
    assert [f.code for f in a.findings] == ["GL102"]
    alone = torch.cat(
        [gl.explain(lambda x: 0.5 * torch.tanh(x @ weight), X[i : i + 1], 1, steps=16).values for i in (0, 1)]
    )
    torch.testing.assert_close(a.values, alone)


def test_saturated_examples_are_named():
    a = gl.explain(linear(), torch.tensor([[1.0, 0, 0, 0], [40, 0, 0, 0]]), gl.Probability(0), tol=0.3)
    (found,) = [f for f in a.findings if f.code == "GL107"]
    assert found.examples == (1,)


def test_a_gradient_that_is_cut_raises_the_cause_in_words():
    model = nn.Sequential(nn.Linear(4, 4), nn.Flatten())
    model[1].forward = lambda x: x.detach()
    with pytest.raises(gl.ModelError, match=r"cut by Tensor.detach in layer '1'.*derivative= of gl.derivatives"):
        gl.explain(model.eval(), X, 1)
