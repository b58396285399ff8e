"""The card: what a person is told about a result."""

import math
from html.parser import HTMLParser

import pytest
import torch

import gradline as gl
from gradline.result.card import rows
from gradline.result.spelling import percent


def parabola(x):
    return x.square().sum(1)


def jumpy(x):
    """Not to be integrated to a tolerance with few gradients."""
    return torch.sin(60 * x).sum(1)


def broken(x):
    """NaN in the middle of the path."""
    return torch.where((x[:, 0] > 0.5) & (x[:, 0] < 0.6), math.nan, 1.0) * x.sum(1)


ONES = torch.ones(1, 3)


@pytest.mark.parametrize(
    ("arguments", "status", "card"),
    [
        (
            {"model": parabola},
            gl.Status.CONVERGED,
            [
                "integrated-gradients of the output: 1 example of shape 3",
                "converged: estimated map error",
                "asked for 5.0 %",
                "score F(x)        3\n",
                "baseline F(x')    0\n",
                "completeness gap",
                "evaluations       8 gradients",
            ],
        ),
        (
            {"model": jumpy, "max_evaluations": 9, "tol": 0.001},
            gl.Status.BUDGET_EXHAUSTED,
            [
                "NOT converged: estimated map error ",
                "asked for 0.10 %",
                "evaluations       9 gradients",
                "GL201 tolerance not met (example 0)",
                "9 evaluations",
                "Raise max_evaluations",
            ],
        ),
        (
            {"model": parabola, "steps": 4},
            gl.Status.FIXED,
            ["fixed: a fixed number of steps was asked for; the error was not controlled", "4 gradients", "gap"],
        ),
        (
            {"model": broken},
            gl.Status.NONFINITE,
            [
                "nonfinite: a score or a gradient on the path is NaN or infinite",
                "score F(x)        3\n",
                "GL202 non-finite reading (example 0)",
                "the score is not finite at t = 0.5625",
            ],
        ),
        (
            {"model": lambda x: x.log().sum(1), "steps": 4},
            gl.Status.NONFINITE,
            [
                "nonfinite:",
                "score F(x)        0\n",
                "baseline F(x')    -inf\n",
                "the score at the baseline is not finite",
            ],
        ),
        (
            {"model": lambda x: 0 * x.sum(1) + 2},
            gl.Status.FLAT,
            ["flat: the map is zero", "score F(x)        2\n", "baseline F(x')    2\n", "GL203 flat path (example 0)"],
        ),
        (
            {"model": parabola, "method": gl.methods.gradient()},
            gl.Status.NO_CLAIM,
            ["gradient of the output", "no claim: this method has no error estimate", "1 gradient"],
        ),
    ],
    ids=lambda value: value.value if isinstance(value, gl.Status) else None,
)
def test_the_card_says_how_it_ended(arguments, status, card):
    a = gl.explain(**{"x": ONES, **arguments})
    assert a.status == (status,)
    for words in card:
        assert words in repr(a)
    assert ("baseline" in repr(a)) == (a.baseline_score is not None)
    assert repr(a).isprintable() or all(line.isprintable() for line in repr(a).splitlines())


def mixed():
    """Six examples that end in four ways: converged, flat, non-finite, exhausted, converged, exhausted."""
    fields, kinds = (parabola, lambda x: 0 * x.sum(1), broken, jumpy), torch.tensor([0, 1, 2, 3, 0, 3])

    def model(x, kind):
        return torch.cat([fields[k](row) for k, row in zip(kind.tolist(), x.split(1), strict=True)])

    x = torch.linspace(0.7, 1.3, 18).reshape(6, 3)
    names = ["zero", "one", "two", "three", "four", "five"]
    return gl.explain(model, x, context={"kind": kinds}, names=names, max_evaluations=16)


def test_a_card_of_several_lists_them_and_counts_them():
    card = repr(mixed()).splitlines()
    assert card[0] == "integrated-gradients of the output: 6 examples of shape 3"
    assert [line.split()[0] for line in card[1:7]] == ["zero", "one", "two", "three", "four", "five"]
    assert "converged" in card[1]
    assert "NOT converged" in card[4]
    assert card[7] == "  2 converged, 1 flat, 1 nonfinite, 2 budget exhausted"
    assert [line.split()[0] for line in card[8:]] == ["GL201", "GL203", "GL202"]


def test_a_card_of_many_stays_short():
    a = gl.explain(parabola, torch.ones(20, 3), steps=1)
    card = repr(a).splitlines()
    assert len(card) < 15
    assert "20 examples" in card[0]
    assert "  … and 12 more" in card
    assert "  20 fixed" in card


def test_a_card_of_none():
    a = gl.explain(parabola, torch.ones(2, 3), steps=1)[:0]
    assert len(a) == 0
    assert a.values.shape == (0, 3)
    assert "0 examples" in repr(a)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.039, "3.9 %"),
        (0.00041, "0.041 %"),
        (0.05, "5.0 %"),
        (0.1, "10 %"),
        (0.25, "25 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.0999, "10 %"),
        (0.00996, "1.0 %"),
        (9.31, "931 %"),
        (1e-09, "below 0.001 %"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
    ],
)
def test_shares_have_two_digits(share, text):
    assert percent(share) == text


class Table(HTMLParser):
    """The tags of a fragment, and the cells of its lines."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.lines, self.inside = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = tag
        if tag == "tr":
            self.lines.append([])
        if tag in ("th", "td"):
            self.lines[-1].append("")

    def handle_endtag(self, tag):
        self.inside = "" if tag == "style" else self.inside

    def handle_data(self, data):
        if self.lines and self.inside != "style" and self.lines[-1]:
            self.lines[-1][-1] += data


def test_the_notebook_card_of_one_says_the_same_as_the_text():
    a = gl.explain(jumpy, ONES, max_evaluations=9, tol=0.001)
    card = Table(a._repr_html_())
    assert [line[0] for line in card.lines] == [label for label, _ in rows(a, 0)]
    assert [line[1] for line in card.lines[:-1]] == [text for _, text in rows(a, 0)][:-1]  # the last one holds the list
    assert dict(map(tuple, card.lines))["verdict"].startswith("NOT converged")
    assert 'class="bad"' in a._repr_html_()
    assert "<b>GL201</b>" in a._repr_html_()


def test_the_notebook_card_of_several_is_a_table():
    card = Table(mixed()._repr_html_())
    assert card.lines[0] == ["example", "verdict", "score F(x)", "evaluations"]
    assert [line[0] for line in card.lines[1:7]] == ["zero", "one", "two", "three", "four", "five"]
    assert card.lines[7][0].startswith("2 converged, 1 flat, 1 nonfinite, 2 budget exhausted")
    many = Table(gl.explain(parabola, torch.ones(20, 3), steps=1)._repr_html_())
    assert [line[0][:13] for line in many.lines[-2:]] == ["… and 12 more", "20 fixed"]
    none = gl.explain(parabola, torch.ones(2, 3), steps=1)[:0]
    assert "0 examples" in none._repr_html_()


def test_a_card_of_several_targets_names_them():
    two = lambda x: torch.stack([x.sum(1), x.square().sum(1)], 1)  # noqa: E731
    card = Table(gl.explain(two, torch.ones(2, 3), torch.tensor([0, 1]), steps=1)._repr_html_())
    assert card.lines[0][:3] == ["example", "target", "verdict"]
    assert [line[1] for line in card.lines[1:3]] == ["logit of class 0", "logit of class 1"]


def test_the_notebook_card_escapes_what_it_shows():
    evil = "<script>alert(1)</script>"
    a = gl.explain(parabola, torch.ones(2, 3), steps=1, names=[evil, "b & c"])
    card = Table(a._repr_html_())
    assert "script" not in card.tags
    assert [line[0] for line in card.lines[1:3]] == [evil, "b & c"]
