"""Paths through a vocabulary: corners derived on paper, the authors' algorithms written out, laws on random words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gradline as gl
from gradline.core.paths.neighbours import Nearest
from gradline.testing import drive, frame
from gradline.testing.drive import OpenRoom

DIG, UDIG = gl.methods.discretized_integrated_gradients, gl.methods.uniform_discretized_integrated_gradients
BY_WORDS, UNIFORM, Strategy = gl.paths.Discretized, gl.paths.UniformDiscretized, gl.paths.Strategy


def rows(*words: tuple[float, ...]) -> Tensor:
    return torch.tensor(words, dtype=torch.float64)


def words(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def corners(path: Any, start: Tensor, end: Tensor) -> Tensor:
    """Of one token, from x' to x: `(m + 2, D)`."""
    return path.corners(start[None, None], end[None])[0, 0]


class Reader(nn.Module):
    """Ids `(N, T)` and a mask to two scores: embeddings, a look at each other, a mean over what is not padding."""

    def __init__(self, vocabulary: Tensor, seed: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding.from_pretrained(vocabulary.clone())
        size = vocabulary.shape[1]
        self.mix, self.last = nn.Linear(size, size).double(), nn.Linear(size, 2).double()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        h = self.embedding(ids)
        seen = (h @ h.mT).masked_fill(~mask[:, None], -torch.inf).softmax(2) @ self.mix(h)
        return self.last(((h + seen).tanh() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


def text(count: int = 40, size: int = 6) -> tuple[Reader, Tensor, Tensor, Tensor, Tensor]:
    """A reader; ids of three texts of 5, 3 and 5 tokens, the same with all but the first replaced by 1, the mask."""
    vocabulary = words(count, size, 0)
    ids = torch.randint(2, count, (3, 5), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids, dtype=torch.bool)
    ids[1, 3:], mask[1, 3:] = 0, False
    start = torch.where(mask, 1, ids)
    start[:, 0] = ids[:, 0]
    return Reader(vocabulary).eval(), vocabulary, ids, start, mask


def explained(reader: Reader, ids: Tensor, start: Tensor, mask: Tensor, method: gl.Method, **more: Any) -> Any:
    x, baseline = {"ids": ids}, {"ids": start}
    there = {"site": gl.Layer("embedding"), "context": {"mask": mask}}
    return gl.explain(reader, x, 1, method=method, baseline=baseline, **there, **more)


# ------------------------------------------------------------------------------------------------ on paper


def test_greedy_takes_what_lies_between_and_pulls_in_the_rest() -> None:
    """x = (4, 4), m = 2. (3, 1) lies between; of (1, 5) the second feature does not: 1 − (1 − 0)/2."""
    end, start = rows((4, 4))[0], rows((0, 0))[0]
    found = corners(BY_WORDS(rows((0, 0), (1, 5), (4, 4), (3, 1)), anchors=2), start, end)
    assert found.tolist() == [[0, 0], [1, 0.5], [3, 1], [4, 4]]


def test_a_product_along_that_way() -> None:
    """F = a b: ∫ b da = 1·0.25 + 2·0.75 + 1·2.5 = 4.25, ∫ a db = 0.5·0.5 + 0.5·2 + 3·3.5 = 11.75, together F(x) = 16.

    Gradients are linear on each stretch, so that midpoints of stretches and the trapezoid over corners are exact. The
    left rule gives 0 + 2·0.5 + 1·1 = 2 and 0 + 0.5·1 + 3·3 = 9.5.
    """
    vocabulary, x = rows((0, 0), (1, 5), (4, 4), (3, 1)), rows((4, 4))[None]
    method = DIG(vocabulary, anchors=2)
    due = torch.tensor([[[4.25, 11.75]]], dtype=torch.float64)

    def product(p: Tensor) -> Tensor:
        return p[:, :, 0] * p[:, :, 1]

    for more in ({"steps": 3}, {"steps": 4, "rule": gl.rules.Trapezoid}, {"steps": 6}):
        a = gl.explain(product, x, method=method, **more)
        torch.testing.assert_close(a.values, due, atol=1e-12, rtol=0)
        assert float(a.completeness_gap) == pytest.approx(0, abs=1e-12)
    left = gl.explain(product, x, method=DIG(vocabulary, anchors=2, as_published=True))
    torch.testing.assert_close(left.values, torch.tensor([[[2, 9.5]]], dtype=torch.float64))
    assert float(left.completeness_gap) == pytest.approx(-4.5)
    assert left.evaluations.tolist() == [3]


def test_the_strategies_differ() -> None:
    """m = 2. (5, 5) needs 3 in both features, √18; (−9, 1) has one right and needs 11 in the other."""
    end, start = rows((4, 4))[0], rows((0, 0))[0]
    vocabulary = rows((0, 0), (4, 4), (5, 5), (-9, 1))
    greedy, count = (corners(BY_WORDS(vocabulary, s, anchors=2), start, end)[2].tolist() for s in Strategy)
    assert greedy == [2, 2]
    assert count == [2, 1]


def test_uniform_words_are_near_the_line() -> None:
    """m = 1: the point is (2, 2), (2.5, 1) is nearest to it, and lies between."""
    vocabulary = rows((0, 0), (4, 4), (2.5, 1), (4, 3.9))
    found = corners(UNIFORM(vocabulary, anchors=1, neighbours=1), *rows((0, 0), (4, 4)))
    assert found.tolist() == [[0, 0], [2.5, 1], [4, 4]]


@pytest.mark.parametrize("published", [False, True])
def test_without_words_the_way_is_straight(published: bool) -> None:
    """Of two words, the ends, none is free. The authors' way jumps, or their code fails."""
    start, end = rows((0, 2), (4, -4))
    vocabulary = torch.stack([start, end])
    line = torch.stack([start + j / 4 * (end - start) for j in range(5)])
    uniform = corners(UNIFORM(vocabulary, anchors=3, from_words=published), start, end)
    torch.testing.assert_close(uniform, line)
    jumps = torch.stack([start] * 4 + [end])
    torch.testing.assert_close(
        corners(BY_WORDS(vocabulary, anchors=3, from_words=published), start, end), jumps if published else line
    )


def test_where_words_run_out_the_rest_is_straight() -> None:
    """One free word, (3, 3), m = 2: then half of the way that is left."""
    found = corners(BY_WORDS(rows((0, 0), (4, 4), (3, 3)), anchors=2), *rows((0, 0), (4, 4)))
    assert found.tolist() == [[0, 0], [1.5, 1.5], [3, 3], [4, 4]]


def test_the_nearest_words_are_exact() -> None:
    """Equal distances: the earlier word; without one; and words far out, where a product of floats is of no use."""
    vocabulary = rows((1, 0), (0, 1), (-1, 0), (3, 0), (1, 0)) + 1000
    near, points = Nearest(vocabulary.float()), rows((1000, 1000), (1003, 1000)).float()
    bar = torch.tensor([-1, 3])
    found = near.among(near.candidates(points, 2, bar), points, 2, bar)
    assert [found.index[i][found.near[i]].tolist() for i in range(2)] == [[0, 1], [0, 4]]
    assert near.place(rows((1003, 1000), (1002, 1000)).float()).tolist() == [3, -1]
    many, one = words(200, 8, 1), words(3, 8, 2)
    none = torch.full((3,), -1)
    found = Nearest(many).among(Nearest(many).candidates(one, 9, none), one, 9, none)
    due = (many[None] - one[:, None]).norm(dim=2).argsort(1)[:, :9].sort(1).values
    assert torch.equal(torch.stack([i[n] for i, n in zip(found.index, found.near, strict=True)]), due)


# ------------------------------------------------------------------------------------------------ laws


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("kind", [BY_WORDS, UNIFORM])
def test_every_feature_goes_one_way(kind: Any, strategy: Strategy, published: bool) -> None:
    """Random vocabularies, ends out of them and not, more anchors than words, in both precisions."""
    for seed in range(12):
        count, size, anchors = 3 + 5 * seed, 1 + seed % 5, 1 + seed % 7
        dtype = torch.float32 if seed % 2 else torch.float64
        vocabulary = words(count, size, seed).to(dtype)
        end = torch.cat([vocabulary[:2], words(1, size, 99).to(dtype)])[None]
        start = torch.cat([vocabulary[2:3], vocabulary[1:2], vocabulary[:1]])[None, None]
        path = kind(vocabulary, strategy, anchors, 1 + seed, published)
        found = path.corners(start, end)
        assert found.shape == (1, 1, anchors + 2, 3, size)
        assert torch.equal(found[:, :, 0], start)
        assert torch.equal(found[:, :, -1], end[:, None])
        assert bool((found.diff(dim=2) * (end[:, None] - start)[:, :, None] >= 0).all())
        assert bool((found[:, :, :, 1] == end[0, 1]).all())  # where x' = x nothing moves


@pytest.mark.parametrize("rule", gl.rules.RULES, ids=lambda r: r.__name__)
def test_moves_add_up_by_every_rule(rule: type[gl.rules.Rule]) -> None:
    """Whatever the number of nodes has to do with that of corners, and one row at a time."""
    vocabulary, x = words(30, 4, 0), words(2, 4, 5)[:, None].repeat(1, 3, 1)
    start = vocabulary[:12].reshape(2, 2, 3, 4)
    ground = frame(lambda p: p.flatten(1).tanh().sum(1, keepdim=True), x, start, room=OpenRoom(1))
    flow = BY_WORDS(vocabulary, anchors=5).flow(ground, gl.paths.FixedBudget(9, rule()))
    told = drive(flow, lambda p: p.flatten(1).tanh().sum(1, keepdim=True), x)
    total = torch.zeros_like(x)
    for step in told.steps:
        total.index_add_(0, step.reading.owner, step.move * step.weight[:, None, None])
    torch.testing.assert_close(total, x - start.mean(1))


@pytest.mark.parametrize("make", [DIG, UDIG])
def test_to_a_tolerance_the_map_is_that_right(make: Any) -> None:
    reader, vocabulary, ids, start, mask = text()
    method = make(vocabulary, anchors=6, neighbours=12)
    a = explained(reader, ids, start, mask, method, max_evaluations=2000)
    fine = explained(reader, ids, start, mask, method, steps=7 * 60).values
    error = (a.values - fine).flatten(1).norm(dim=1) / fine.flatten(1).norm(dim=1)
    assert a.status == (gl.Status.CONVERGED,) * 3
    assert bool((error < 0.05).all())
    assert bool((error < 1.5 * a.error_estimate).all())
    assert bool((a.error_estimate < 0.05).all())


@pytest.mark.parametrize("more", [{"steps": 7}, {"tol": 0.1, "max_evaluations": 2000}])
@pytest.mark.parametrize("make", [DIG, UDIG])
def test_padding_and_company_change_nothing(make: Any, more: dict[str, Any]) -> None:
    reader, vocabulary, ids, start, mask = text()
    method = make(vocabulary, anchors=6, neighbours=12)
    together = explained(reader, ids, start, mask, method, **more)
    assert not together.values[:, 0].any()
    assert not together.values[1, 3:].any()
    for i, length in enumerate((5, 3, 5)):
        own = (slice(i, i + 1), slice(length))
        alone = explained(reader, ids[own], start[own], mask[own], method, **more)
        torch.testing.assert_close(alone.values, together.values[own], atol=1e-12, rtol=1e-9)
        assert alone.evaluations[0] == together.evaluations[i]
        assert float(alone.completeness_gap) == pytest.approx(float(together.completeness_gap[i]), abs=1e-12)


def test_a_small_memory_changes_nothing() -> None:
    reader, vocabulary, ids, start, mask = text()
    one, other = (explained(reader, ids, start, mask, DIG(vocabulary, anchors=4), steps=5, memory=m) for m in (None, 1))
    torch.testing.assert_close(one.values, other.values)


# ------------------------------------------------------------------------------------------------ as published


def written_out(
    vocabulary: np.ndarray, word: int, base: int, *, m: int, k: int, greedy: bool, uniform: bool, halvings: int
) -> np.ndarray:
    """The points of one token from the baseline's embedding to the word's, `(2^f (m + 1) + 1, D)`, in plain loops."""
    far = vocabulary[base]

    def between(v: np.ndarray, here: np.ndarray) -> np.ndarray:
        return (np.minimum(far, here) <= v) & (v <= np.maximum(far, here))

    def pulled(v: np.ndarray, here: np.ndarray) -> np.ndarray:
        return np.where(between(v, here), v, here - (here - far) / m)

    passed, last = [word], word
    for step in range(m):
        place = vocabulary[last]
        if uniform:
            place = far + (m - step) / (m + 1) * (vocabulary[word] - far)
        order = np.argsort(np.linalg.norm(vocabulary - place, axis=1), kind="stable").tolist()
        around = order[:k] if uniform else [j for j in order if j != last][:k]
        free = [j for j in around if j != base and j not in passed]
        if last != base and free:
            here = vocabulary[last]
            cost = {j: np.linalg.norm(vocabulary[j] - pulled(vocabulary[j], here)) for j in free}
            if not greedy:
                cost = {j: -between(vocabulary[j], here).sum() for j in free}
            last = min(free, key=lambda j: cost[j])
        else:
            assert not uniform, "the authors' code fails here"
            last = base
        passed.append(last)
    points = [vocabulary[word]]
    for j in passed[1:]:
        points.append(pulled(vocabulary[j], points[-1]))
    line = np.array([*points, far])[::-1]
    for _ in range(halvings):
        finer = np.empty((2 * len(line) - 1, line.shape[1]))
        finer[::2], finer[1::2] = line, (line[1:] + line[:-1]) / 2
        line = finer
    return line


@pytest.mark.parametrize(("halvings", "k"), [(0, 12), (2, 3)])
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("make", [DIG, UDIG])
def test_the_published_form_is_the_authors_algorithm(make: Any, strategy: Strategy, halvings: int, k: int) -> None:
    """With few neighbours words run out for DIG, and its way jumps to the baseline."""
    reader, vocabulary, ids, start, mask = text()
    m, k = 6, 12 if make is UDIG else k
    method = make(vocabulary, strategy, m, k, midpoints=halvings, as_published=True)
    a = explained(reader, ids[:1], start[:1], mask[:1], method)
    kind = {"m": m, "k": k, "greedy": strategy is Strategy.GREEDY, "uniform": make is UDIG, "halvings": halvings}
    pairs = zip(ids[0].tolist(), start[0].tolist(), strict=True)
    lines = [
        np.repeat(vocabulary[w : w + 1].numpy(), 2**halvings * (m + 1) + 1, 0)
        if w == b
        else written_out(vocabulary.numpy(), w, b, **kind)
        for w, b in pairs
    ]
    points = torch.from_numpy(np.stack(lines, 1)).requires_grad_()
    model = Reader(vocabulary).eval()
    model.embedding = nn.Identity()
    (grad,) = torch.autograd.grad(model(points, mask[:1].expand(len(points), -1))[:, 1].sum(), points)
    due = (grad[:-1] * points.detach().diff(dim=0)).sum(0)
    torch.testing.assert_close(a.values[0], due, atol=1e-6, rtol=1e-6)
    assert a.evaluations.tolist() == [2**halvings * (m + 1)]


def test_words_are_chosen_from_where_the_path_is() -> None:
    """The authors see them from the last word, which need not be on the path."""
    differ = 0
    for seed in range(6):
        vocabulary = words(30, 5, seed)
        start, end = vocabulary[:2]
        ours, theirs = (
            corners(BY_WORDS(vocabulary, anchors=6, from_words=f), start, end).flip(0) for f in (False, True)
        )
        torch.testing.assert_close(ours[1], theirs[1])  # the first word is seen from x by both
        differ += not torch.allclose(ours, theirs)
    assert differ > 2


# ------------------------------------------------------------------------------------------------ the vocabulary


def test_a_vocabulary_is_filled_in_where_there_is_none() -> None:
    reader, vocabulary, ids, start, mask = text()
    method = UDIG(anchors=4).with_vocabulary(lambda: reader.embedding.weight)
    a = explained(reader, ids, start, mask, method, steps=5)
    b = explained(reader, ids, start, mask, UDIG(vocabulary, anchors=4), steps=5)
    c = explained(reader, ids, start, mask, UDIG(anchors=4), steps=5)  # that of the embedding that is driven
    assert torch.equal(a.values, b.values)
    assert torch.equal(c.values, b.values)
    assert method.with_vocabulary(lambda: vocabulary[:3]) is method
    plain = gl.methods.gradient()
    assert plain.with_vocabulary(lambda: vocabulary) is plain


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DIG(torch.zeros(3)), r"an embedding matrix \(V, D\)"),
        (lambda: DIG(torch.zeros(3, 2, dtype=torch.long)), "int64"),
        (lambda: DIG(torch.full((3, 2), torch.nan)), "finite vocabulary"),
        (lambda: DIG(None, "greedy"), "gl.paths.Strategy"),
        (lambda: DIG(anchors=0), "anchors as a whole number"),
        (lambda: UDIG(neighbours=2.5), "neighbours as a whole number"),
        (lambda: UDIG(midpoints=2), "as_published=True alone"),
        (lambda: UDIG(midpoints=-1, as_published=True), "midpoints as a whole number"),
    ],
)
def test_what_makes_no_path_is_refused(make: Any, said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        make()


def test_without_words_or_elsewhere_it_is_said_what_to_do() -> None:
    reader, vocabulary, ids, start, mask = text()
    with pytest.raises(gl.InputError, match="pass vocabulary=model"):
        gl.explain(nn.Linear(2, 1), torch.ones(1, 2), method=DIG())
    with pytest.raises(gl.InputError, match="drive the path where words are embedded"):
        explained(reader, ids, start, mask, DIG(vocabulary[:, :3]))
