"""TokenSpan: a float64 transcription, gradients by hand, refusals; and that a span costs what one token costs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import gradline as gl
from gradline.question.targets import TokenSpan

N, R, T, V, K = 2, 5, 6, 7, 3
OWNER = torch.tensor([1, 0, 0, 1, 1])
IDS = torch.tensor([[3, 0, 6], [2, 2, 5]])
PLACES = torch.tensor([[1, 2, 3], [0, 3, 5]])
OTHERS = torch.tensor([[4, 0, 1], [2, 6, 3]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def logits(rows: int = R, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return 3 * torch.randn(rows, T, V, generator=torch.Generator().manual_seed(1), dtype=dtype)


def log_p(row: list[float], token: int) -> float:
    top = max(row)
    return row[token] - top - math.log(sum(math.exp(z - top) for z in row))


def transcribed(z: torch.Tensor, *, against: bool, masked: bool, shared: bool) -> torch.Tensor:
    """The docstring's sum in plain Python."""
    out = []
    for row, example in zip(z.tolist(), OWNER.tolist(), strict=True):
        e, total = 0 if shared else example, 0.0
        for k in range(K):
            if masked and not MASK[e, k]:
                continue
            place = row[int(PLACES[e, k])]
            total += log_p(place, int(IDS[e, k]))
            total -= log_p(place, int(OTHERS[e, k])) if against else 0.0
        out.append(total)
    return torch.tensor(out, dtype=torch.float64)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("against", [False, True])
def test_it_is_the_sum_that_it_says(against: bool, masked: bool, shared: bool) -> None:
    own = [t[0] if shared else t for t in (IDS, PLACES, OTHERS, MASK)]
    target = TokenSpan(*own[:2], against=own[2] if against else None, mask=own[3] if masked else None)
    frozen = target.freeze(logits(N), N)
    picked = frozen.pick(logits(), OWNER)
    assert picked.dtype == torch.float64
    torch.testing.assert_close(picked, transcribed(logits(), against=against, masked=masked, shared=shared))


def test_one_token_is_the_log_probability_of_a_class() -> None:
    z = logits()
    span = TokenSpan(torch.tensor([4]), torch.tensor([2])).freeze(z, R).pick(z, OWNER)
    torch.testing.assert_close(span, gl.LogProbability(4).freeze(z[:, 2], R).pick(z[:, 2], OWNER))


def test_the_gradient_is_the_tokens_less_their_probabilities() -> None:
    """d log p_i / dz = e_i − p; of a contrast e_i − e_j."""
    z = logits().requires_grad_()
    target = TokenSpan(torch.tensor([4]), torch.tensor([2]))
    (grad,) = torch.autograd.grad(target.freeze(z, R).pick(z, OWNER).sum(), z)
    expected = torch.zeros_like(z)
    expected[:, 2] = nn.functional.one_hot(torch.tensor(4), V) - torch.softmax(z.detach()[:, 2], 1)
    torch.testing.assert_close(grad, expected)
    contrast = TokenSpan(torch.tensor([4]), torch.tensor([2]), against=torch.tensor([1]))
    (grad,) = torch.autograd.grad(contrast.freeze(z, R).pick(z, OWNER).sum(), z)
    expected[:, 2] = nn.functional.one_hot(torch.tensor(4), V) - nn.functional.one_hot(torch.tensor(1), V)
    torch.testing.assert_close(grad, expected)


def test_half_precision_is_summed_in_float32() -> None:
    """20 tokens of a vocabulary of 7: in bfloat16 sums would be off by some 1e-2 of their size."""
    z = logits(1).repeat(1, 4, 1)[:, :20].bfloat16()
    target = TokenSpan(torch.arange(20) % V, torch.arange(20))
    low, wide = (target.freeze(y, 1).pick(y, torch.tensor([0])) for y in (z, z.double()))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.double(), wide, rtol=1e-6, atol=1e-6)


def test_filled_up_places_do_not_matter_even_where_logits_are_infinite() -> None:
    z = logits(N)
    z[0, 3] = -torch.inf
    z[0, 3, 0] = 0.0
    leaf = z.clone().requires_grad_()
    target = TokenSpan(IDS, PLACES, mask=MASK).freeze(z, N)
    picked = target.pick(leaf, torch.arange(N))
    (grad,) = torch.autograd.grad(picked.sum(), leaf)
    assert picked.isfinite().all()
    assert grad.isfinite().all()
    assert not grad[0, 3].any()


def test_it_says_what_it_explains() -> None:
    def says(target: TokenSpan) -> list[str]:
        frozen = target.freeze(logits(N), N)
        return [frozen.describe(i) for i in range(N)]

    assert says(TokenSpan(IDS[:, :1], PLACES[:, :1])) == ["log-probability of token 3", "log-probability of token 2"]
    assert says(TokenSpan(IDS, PLACES, mask=MASK))[0] == "log-probability of 2 tokens"
    pair = TokenSpan(IDS[0, :1], PLACES[0, :1], against=OTHERS[0, :1])
    assert says(pair)[1] == "log-probability of token 3 less that of token 4"
    assert says(TokenSpan(IDS, PLACES, words=("a", "b")))[1] == "log-probability of b"


WRONG = {
    "as a tensor": {"ids": [1, 2, 3]},
    "whole numbers": {"ids": IDS.float()},
    r"shape \(K,\) or \(2, K\)": {"ids": IDS[None]},
    r"ids from 0 to 6, got 7": {"ids": IDS + 1},
    r"positions from 0 to 5, got -1": {"positions": PLACES - 1},
    r"as many positions as ids": {"positions": PLACES[:, :2]},
    r"as many against as ids": {"against": OTHERS[:, :2]},
    r"tensor of booleans": {"mask": MASK.long()},
    r"every example a token": {"mask": torch.zeros_like(MASK)},
    r"a mask of shape": {"mask": MASK[:, :2]},
    r"words for 2 examples": {"words": ("a",)},
}


@pytest.mark.parametrize("said", WRONG)
def test_what_does_not_fit_is_refused(said: str) -> None:
    with pytest.raises(gl.TargetError, match=said):
        TokenSpan(**({"ids": IDS, "positions": PLACES} | WRONG[said])).freeze(logits(N), N)


def test_an_output_without_tokens_is_refused() -> None:
    with pytest.raises(gl.TargetError, match=r"logits of shape \(2, tokens, vocabulary\), got shape \(2, 6\)"):
        TokenSpan(IDS, PLACES).freeze(logits(N)[:, :, 0], N)


class Writer(nn.Module):
    """Words to logits of the next: the running mean of embeddings, through tanh, to the vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(11, 5), nn.Linear(5, 11)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        h = self.embed(ids).cumsum(1)
        return self.head(torch.tanh(h))


def test_a_span_is_the_sum_of_its_tokens_and_costs_what_one_costs() -> None:
    """A span of 20 tokens: the model's rows are those of one attribution, not 20."""
    model, rows = Writer().eval(), []
    handle = model.register_forward_hook(lambda m, a, out: rows.append(len(out)))
    x = torch.randint(0, 11, (1, 30), generator=torch.Generator().manual_seed(3))
    start = x.clone()
    start[:, :10] = 0
    ids, places = x[0, 10:], torch.arange(9, 29)
    options = {"site": gl.Layer("embed"), "baseline": start, "steps": 16}
    whole = gl.explain(model, x, TokenSpan(ids, places), **options)
    spent = sum(rows)
    rows.clear()
    gl.explain(model, x, TokenSpan(ids[:1], places[:1]), **options)
    assert sum(rows) == spent
    assert int(whole.evaluations[0]) == 16
    rows.clear()
    each = gl.explain(model, x, [TokenSpan(ids[k : k + 1], places[k : k + 1]) for k in range(20)], **options)
    assert sum(rows) == spent
    handle.remove()
    torch.testing.assert_close(sum(a.values for a in each), whole.values, rtol=1e-4, atol=1e-5)
    assert not whole.values[:, 10:].any()
