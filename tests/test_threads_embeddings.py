"""Whole numbers in front of embeddings: cut gradients, categories in tables, several embeddings in one model."""

import pytest
import torch
from torch import nn

import gradline as gl

D = torch.float64
WORDS = torch.tensor([[5, 3, 7, 9], [2, 4, 6, 8]])


def reference(function, x, start, nodes=400):
    """The map by a plain loop: midpoint sum of gradient ⊙ move."""
    start, total = start.expand_as(x).detach(), torch.zeros_like(x)
    for k in range(nodes):
        point = (start + (k + 0.5) / nodes * (x - start)).detach().requires_grad_()
        total += torch.autograd.grad(function(point).sum(), point)[0] / nodes
    return (total * (x - start)).detach()


def close(a, exact, tol=0.01):
    error = (a.values - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
    return bool((error <= tol).all())


class Text(nn.Module):
    """Takes ids in any dtype, as many models do: the cast cuts the gradient."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.top = nn.Embedding(10, 4), nn.Linear(4, 3)
        self.double()

    def read(self, embedded, scale=1.0):
        return self.top(torch.tanh(embedded * scale).mean(1))

    def forward(self, ids, scale=1.0, *, names=None, strict=False):
        assert not strict or names == "given"
        return self.read(self.embed(ids.long()), scale)


# ---------------------------------------------------------------------------------------------------- the border


def test_ids_cut_the_gradient_and_the_error_names_operation_and_embedding():
    model = Text().eval()
    with pytest.raises(gl.InputError, match=r"got torch.int64.*no gradient.*gl.Layer\('embed'\)"):
        gl.explain(model, WORDS, 1)
    with pytest.raises(gl.ModelError, match=r"cut by Tensor\.long.*gl.Layer\('embed'\)"):
        gl.explain(model, WORDS.double(), 1)
    (found,) = gl.doctor(model, WORDS.double(), 1).findings
    assert found.code == "GL104"
    assert "Tensor.long" in found.detail


def test_the_map_at_an_embedding_is_that_of_embedded_inputs():
    model, pads = Text().eval(), torch.zeros(1, 4, dtype=torch.int64)
    with torch.no_grad():
        x, start = model.embed(WORDS), model.embed(pads)
    exact = reference(lambda p: model.read(p)[:, 1], x, start)
    for site in (gl.Layer("embed"), gl.Layer(model.embed)):
        a = gl.explain(model, WORDS, 1, site=site, baseline=pads, tol=0.01)
        assert a.status == (gl.Status.CONVERGED,) * 2
        assert close(a, exact)
    one = gl.explain(model, WORDS[1:], 1, site=gl.Layer("embed"), baseline=pads, steps=8)
    assert one.values.shape == (1, 4, 4)  # the batch axis stays


def test_arguments_that_are_no_tensors_are_passed_on():
    model = Text().eval()
    context, zero = {"scale": 2.0, "names": "given", "strict": True}, gl.baselines.AtSite(0.0)
    a = gl.explain(model, WORDS, 1, site=gl.Layer("embed"), baseline=zero, context=context, tol=0.01)
    with torch.no_grad():
        x = model.embed(WORDS)
    assert close(a, reference(lambda p: model.read(p, 2.0)[:, 1], x, torch.zeros_like(x)))
    by_place = gl.explain(model, (WORDS, 2.0), 1, site=gl.Layer("embed"), baseline=zero, steps=5)
    assert by_place.values.shape == (2, 4, 4)


def test_noise_goes_to_the_embedding_and_never_into_ids():
    """x is given to the model as it is, whole numbers, at every forward; noise is added where the path runs."""
    model, seen = Text().eval(), []
    handle = model.register_forward_pre_hook(lambda m, args: seen.append(args[0].clone()))
    start = gl.baselines.AtSite(gl.baselines.GaussianNoise(0.5, draws=4))
    a = gl.explain(model, WORDS, 1, site=gl.Layer("embed"), baseline=start, tol=0.05)
    handle.remove()
    assert {s.dtype for s in seen} == {torch.int64}
    assert {tuple(row) for s in seen for row in s.tolist()} == {tuple(row) for row in WORDS.tolist()}
    assert a.details["standard_error"][0] > 0
    for noise in (gl.baselines.GaussianNoise(0.5), gl.baselines.Uniform()):
        with pytest.raises(gl.BaselineError, match=r"floating-point.*int64"):
            gl.explain(model, WORDS, 1, site=gl.Layer("embed"), baseline=noise)


# ---------------------------------------------------------------------------------------------------- tables


class Table(nn.Module):
    """Numbers beside two categories, each with an embedding of its own width."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.shop, self.day = nn.Embedding(6, 3), nn.Embedding(7, 2)
        self.join, self.hidden, self.top = nn.Identity(), nn.Linear(4 + 3 + 2, 12), nn.Linear(12, 1)
        self.double()

    def read(self, joined):
        return self.top(torch.tanh(self.hidden(joined))).squeeze(1)

    def forward(self, numbers, categories):
        shop, day = self.shop(categories[:, 0]), self.day(categories[:, 1])
        return self.read(self.join(torch.cat([numbers, shop, day], 1)))


def table():
    model = Table().eval()
    x = {"numbers": torch.randn(3, 4, dtype=D), "categories": torch.tensor([[1, 2], [5, 6], [3, 0]])}
    start = {"numbers": torch.zeros(1, 4, dtype=D), "categories": torch.zeros(1, 2, dtype=torch.int64)}
    with torch.no_grad():
        shop, day = ((layer(x["categories"][:, k])) for k, layer in enumerate((model.shop, model.day)))
        joined = torch.cat([x["numbers"], shop, day], 1)
        nothing = torch.cat([start["numbers"], model.shop.weight[:1], model.day.weight[:1]], 1)
    return model, x, start, joined, nothing


def test_numbers_beside_embedded_categories_get_a_map_of_their_own():
    model, x, _, joined, _ = table()
    a = gl.explain(model, x, tol=0.01)
    assert a.values["categories"] is None
    start = torch.cat([torch.zeros(3, 4, dtype=D), joined[:, 4:]], 1)
    exact = reference(lambda p: model.read(p), joined, start)[:, :4]
    assert ((a.values["numbers"] - exact).norm(dim=1) <= 0.01 * exact.norm(dim=1)).all()


def test_a_category_is_attributed_at_its_embedding_while_numbers_are_held():
    model, x, start, joined, nothing = table()
    for name, columns in (("shop", slice(4, 7)), ("day", slice(7, 9))):
        held = joined.clone()
        held[:, columns] = nothing[:, columns]
        a = gl.explain(model, x, site=gl.Layer(name), baseline=start, tol=0.01)
        exact = reference(lambda p: model.read(p), joined, held)[:, columns]
        assert (a.values - exact).norm() <= 0.01 * exact.norm()


def test_numbers_and_categories_add_up_together_where_they_meet():
    model, x, start, joined, nothing = table()
    a = gl.explain(model, x, site=gl.Layer("join"), baseline=start, tol=0.01)
    assert close(a, reference(model.read, joined, nothing))
    with torch.no_grad():
        torch.testing.assert_close(a.score - a.baseline_score, model.read(joined) - model.read(nothing))


# ---------------------------------------------------------------------------------------------------- several parts


class Glance(nn.Module):
    """An image and a question about it: pixels go through a convolution, words through an embedding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.patch, self.embed = nn.Conv2d(1, 4, 2, stride=2), nn.Embedding(10, 4)
        self.sequence, self.mix, self.top = (
            nn.Identity(),
            nn.MultiheadAttention(4, 2, batch_first=True),
            nn.Linear(4, 3),
        )
        self.double()

    def read(self, sequence):
        return self.top(torch.tanh(self.mix(sequence, sequence, sequence, need_weights=False)[0][:, -1]))

    def forward(self, pixels, ids):
        patches = self.patch(pixels).flatten(2).transpose(1, 2)
        return self.read(self.sequence(torch.cat([patches, self.embed(ids)], 1)))


def test_pixels_and_words_are_explained_apart_and_together():
    model = Glance().eval()
    x = {"pixels": torch.randn(2, 1, 4, 4, dtype=D), "ids": WORDS}
    pads, dark = torch.zeros(1, 4, dtype=torch.int64), torch.zeros(1, 1, 4, 4, dtype=D)
    with torch.no_grad():
        patches = model.patch(x["pixels"]).flatten(2).transpose(1, 2)
        nothing = model.patch(dark).flatten(2).transpose(1, 2)
        words, none = model.embed(WORDS), model.embed(pads)
    pixels = gl.explain(model, x, 1, tol=0.01)
    assert pixels.values["ids"] is None
    image = reference(lambda p: model(p, WORDS)[:, 1], x["pixels"], dark)
    assert (pixels.values["pixels"] - image).norm() <= 0.01 * image.norm()
    text = gl.explain(model, x, 1, site=gl.Layer("embed"), baseline={"ids": pads}, tol=0.01)
    assert close(text, reference(lambda p: model.read(torch.cat([patches, p], 1))[:, 1], words, none))
    both = gl.explain(model, x, 1, site=gl.Layer("sequence"), baseline={"pixels": dark, "ids": pads}, tol=0.01)
    ends = torch.cat([patches, words], 1), torch.cat([nothing, none], 1).expand(2, 8, 4)
    assert close(both, reference(lambda p: model.read(p)[:, 1], *ends))
    assert both.values[:, :4].any()
    assert both.values[:, 4:].any()


class Pair(nn.Module):
    """Two texts of different lengths, one of them with embeddings at two levels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.words, self.letters, self.top = nn.Embedding(10, 4), nn.Embedding(5, 2), nn.Linear(6, 2)
        self.double()

    def read(self, words, letters):
        return self.top(torch.tanh(torch.cat([words.mean(1), letters.sum((1, 2))], 1)))

    def forward(self, ids, spelled, weight):
        return self.read(self.words(ids), self.letters(spelled)) * weight


def test_two_texts_of_different_widths_stay_in_step():
    """Every row of one input keeps its row of the others, and its weight, however many points stand in a batch."""
    model = Pair().eval()
    x = {"ids": WORDS, "spelled": torch.tensor([[[1, 2], [3, 4], [0, 1]], [[4, 4], [0, 2], [1, 1]]])}
    weight = torch.tensor([[1.0], [-3.0]], dtype=D)
    with torch.no_grad():
        words, letters = model.words(x["ids"]), model.letters(x["spelled"])
    for name, own, read in (
        ("words", words, lambda p: model.read(p, letters)),
        ("letters", letters, lambda p: model.read(words, p)),
    ):
        exact = reference(lambda p, read=read: (read(p) * weight)[:, 1], own, torch.zeros_like(own))
        for memory in (None, 6000):
            start = gl.baselines.AtSite(0.0)
            options = {"context": {"weight": weight}, "baseline": start, "tol": 0.01, "memory": memory}
            assert close(gl.explain(model, x, 1, site=gl.Layer(name), **options), exact)


class Document(nn.Module):
    """Sentences are unfolded into the batch axis and folded back: hierarchical encoders do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.embed, self.sentence, self.top = nn.Embedding(10, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.double()

    def forward(self, ids):
        documents, sentences, words = ids.shape
        inner = torch.tanh(self.sentence(self.embed(ids.reshape(-1, words)).mean(1)))
        return self.top(torch.tanh(inner.reshape(documents, sentences, -1).sum(1)))


def test_sentences_unfolded_into_the_batch_axis_are_taken_document_by_document():
    model = Document().eval()
    ids = torch.randint(1, 10, (3, 5, 4), generator=torch.Generator().manual_seed(0))
    a = gl.explain(model, ids, 1, site=gl.Layer("embed"), baseline=gl.baselines.AtSite(0.0), tol=0.01)
    assert a.values.shape == (3, 5, 4, 4)
    assert [f.code for f in a.findings] == ["GL103"]

    def score(embedded):
        inner = torch.tanh(model.sentence(embedded.mean(2)))
        return model.top(torch.tanh(inner.sum(1)))[:, 1]

    with torch.no_grad():
        x = model.embed(ids)
    assert close(a, reference(score, x, torch.zeros_like(x)))
