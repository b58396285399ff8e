"""Where the path starts: padding or zero, black in pixels or after normalisation, one start or a distribution."""

import pytest
import torch
from torch import nn

import gradline as gl

D = torch.float64
base = gl.baselines


def mlp(features=5):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 12), nn.Tanh(), nn.Linear(12, 3)).double().eval()


class Text(nn.Module):
    """Words and the places they stand at, each with an embedding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.words, self.places, self.top = nn.Embedding(10, 4), nn.Embedding(8, 4), nn.Linear(4, 2)
        self.double()

    def forward(self, ids, places):
        return self.top(torch.tanh(self.words(ids) + self.places(places)).mean(1))


IDS, PLACES = torch.tensor([[5, 3, 7], [2, 4, 6]]), torch.tensor([[0, 1, 2], [0, 1, 2]])
PADS = torch.full_like(IDS, 9)
WORDS = gl.Layer("words")


def test_zero_is_not_taken_for_padding_in_silence():
    """Without a baseline the path starts at word 0, whatever that is, and a finding says so."""
    model = Text().eval()

    def start(baseline):
        return gl.explain(model, IDS, 1, site=WORDS, context={"places": PLACES}, baseline=baseline, steps=30)

    assumed, padded, nothing = start(None), start(PADS), start(base.AtSite(0.0))
    assert [f.code for f in assumed.findings] == ["GL111"]
    assert padded.findings == nothing.findings == ()
    with torch.no_grad():
        for a, ids in ((assumed, IDS * 0), (padded, PADS)):
            torch.testing.assert_close(a.baseline_score, model(ids, PLACES)[:, 1])
        empty = model.top(torch.tanh(model.places(PLACES)).mean(1))[:, 1]
    torch.testing.assert_close(nothing.baseline_score, empty)
    assert ["Zero()" in a.provenance["method"] for a in (assumed, padded, nothing)] == [True, False, False]


def test_positions_are_held_unless_a_baseline_names_them():
    """Two inputs of whole numbers: which of them starts elsewhere has to be said, and the other is as it is at x."""
    model, x = Text().eval(), {"ids": IDS, "places": PLACES}
    with pytest.raises(gl.BaselineError, match=r"which of the inputs \['ids', 'places'\].*held at x"):
        gl.explain(model, x, 1, site=WORDS)
    seen = []
    handle = model.register_forward_pre_hook(lambda m, args, named: seen.append(named["places"]), with_kwargs=True)
    gl.explain(model, x, 1, site=WORDS, baseline={"ids": PADS}, tol=0.05)
    handle.remove()
    assert {tuple(row) for places in seen for row in places.tolist()} == {(0, 1, 2)}
    with pytest.raises(gl.BaselineError, match="a baseline of shape"):
        gl.explain(model, x, 1, site=WORDS, baseline={"ids": PADS[:, :2]})


MEAN, SPREAD = torch.tensor([0.4, 0.5]).double(), torch.tensor([0.2, 0.25]).double()


def test_black_is_black_in_pixels_and_not_zero_after_normalisation():
    """A model behind a normalisation, from zero pixels, has the map of the model itself from `Black`."""
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 2)).double().eval()
    pixels = torch.rand(2, 2, 5, 5, dtype=D)

    def normal(p):
        return (p - MEAN[:, None, None]) / SPREAD[:, None, None]

    space = base.PixelSpace(black=tuple((-MEAN / SPREAD).tolist()), white=tuple(((1 - MEAN) / SPREAD).tolist()))
    for start, colour in ((base.Black(space), 0.0), (base.White(space), 1.0)):
        ours = gl.explain(net, normal(pixels), 1, baseline=start, steps=6)
        theirs = gl.explain(lambda p: net(normal(p)), pixels, 1, baseline=colour, steps=6)
        torch.testing.assert_close(ours.values, theirs.values)
        torch.testing.assert_close(ours.baseline_score, theirs.baseline_score)
    zero = gl.explain(net, normal(pixels), 1, steps=6)
    mean = gl.explain(
        lambda p: net(normal(p)), pixels, 1, baseline=MEAN[None, :, None, None].expand(1, 2, 5, 5), steps=6
    )
    torch.testing.assert_close(zero.values, mean.values)  # zero after normalisation is the mean colour
    with pytest.raises(gl.BaselineError, match=r"a colour.*PixelSpace"):
        gl.explain(net, normal(pixels), 1, baseline=base.Black())


def test_several_starts_come_with_the_standard_error_of_their_mean():
    """400 times the same example, each with eight starts of its own: the spread of the maps is what was reported."""
    torch.manual_seed(3)
    data, x = torch.randn(2000, 5, dtype=D), torch.randn(1, 5, dtype=D)
    matrix = torch.randn(5, 5, dtype=D)

    def quadratic(p):
        return ((p @ matrix) * p).sum(1)

    a = gl.explain(quadratic, x.expand(400, 5), baseline=base.FromData(data, draws=8), steps=1)  # exact for this field
    whole = gl.explain(quadratic, x, baseline=base.FromData(data), steps=1)
    true = (a.values - whole.values).norm(dim=1).square().mean().sqrt()
    reported = torch.tensor(a.details["standard_error"], dtype=D) * a.values.norm(dim=1)
    assert reported.square().mean().sqrt() == pytest.approx(float(true), rel=0.15)
    torch.testing.assert_close(a.values.mean(0), whole.values[0], atol=float(4 * true / 20), rtol=0)


def test_a_data_set_is_used_whole_and_nothing_is_drawn_unless_asked():
    model, x, data = mlp(), torch.randn(2, 5, dtype=D), torch.randn(7, 5, dtype=D)

    def values(draws, seed):
        return gl.explain(model, x, 1, baseline=base.FromData(data, draws), steps=5, seed=seed).values

    whole = torch.stack([gl.explain(model, x, 1, baseline=row[None], steps=5).values for row in data]).mean(0)
    assert torch.equal(values(None, 0), values(None, 1))
    torch.testing.assert_close(values(None, 0), whole)
    assert torch.equal(values(3, 0), values(3, 0))
    assert not torch.equal(values(3, 0), values(3, 1))


def test_the_map_of_several_baselines_is_the_mean_of_their_maps():
    model, x = mlp(), torch.randn(3, 5, dtype=D)
    parts = base.Zero(), torch.randn(3, 5, dtype=D), base.Mean()
    each = gl.explain(model, x, 1, baseline=base.Each(*parts), steps=7)
    apart = [gl.explain(model, x, 1, baseline=part, steps=7) for part in parts]
    torch.testing.assert_close(each.values, sum(a.values for a in apart) / 3)
    torch.testing.assert_close(each.baseline_score, sum(a.baseline_score for a in apart) / 3)
    torch.testing.assert_close(each.completeness_gap, sum(a.completeness_gap for a in apart) / 3)


IMAGES = {
    "blur": base.Blur(sigma=1.0),
    "mean": base.Mean(),
    "noise added": base.GaussianNoise(0.5, draws=3),
    "noise": base.Uniform(-1, 1, draws=3),
    "boundary": base.Boundary(),
    "grey": 0.5,
}


@pytest.mark.parametrize("start", IMAGES.values(), ids=IMAGES.keys())
def test_every_start_people_ask_for_is_a_part_and_adds_up(start):
    """Values add up to F(x) less the mean score of the starts; that three drawn starts are few is said."""
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 2)).double().eval()
    a = gl.explain(net, torch.randn(2, 1, 6, 6, dtype=D), baseline=start, tol=0.01)
    drawn = getattr(start, "random", False)
    assert (a.completeness_gap.abs() <= 0.01 * a.values.flatten(1).norm(dim=1) * 6).all()  # |Σ e| ≤ ‖e‖ √36
    assert a.status == ((gl.Status.BUDGET_EXHAUSTED if drawn else gl.Status.CONVERGED),) * 2
    assert [f.code for f in a.findings] == ["GL207"] * drawn


def test_a_sequence_of_letters_starts_at_all_letters_alike():
    """DNA: a quarter of each letter is the score of no sequence, and needs no name: it is a tensor."""
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv1d(4, 6, 3), nn.GELU(), nn.Flatten(), nn.Linear(36, 1)).double().eval()
    x = nn.functional.one_hot(torch.randint(0, 4, (3, 8)), 4).double().transpose(1, 2)
    a = gl.explain(net, x, baseline=0.25, tol=0.01)
    given = gl.explain(net, x, baseline=torch.full((1, 4, 8), 0.25, dtype=D), tol=0.01)
    assert torch.equal(a.values, given.values)
    assert (a.completeness_gap.abs() <= 0.05 * (a.score - a.baseline_score).abs() + 1e-3).all()
