"""How alike two maps are: by hand, against SciPy and scikit-image, and where there is no answer."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor

import gradline.sanity as sanity
from gradline.errors import InputError
from gradline.result.ranks import midranks
from gradline.sanity import HOG, SSIM, Cosine, Pearson, Similarity, Spearman, TopK, similarity

EVERY = (Spearman(), Spearman(absolute=True), Pearson(), Cosine(), TopK(), SSIM(), SSIM(clip=0.99), HOG())


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_midranks_by_hand() -> None:
    """Of 3 1 3 0: 0 is 1st, 1 is 2nd, both 3s share (3 + 4) / 2; of −0 and 0, which are equal, 1.5 each."""
    assert midranks(torch.tensor([[3.0, 1.0, 3.0, 0.0], [-0.0, 0.0, 5.0, -1.0]])).tolist() == [
        [3.5, 2, 3.5, 1],
        [2.5, 2.5, 4, 1],
    ]
    assert midranks(torch.tensor([1.0, math.nan])).isnan().all()


def test_spearman_by_hand() -> None:
    """Ranks of (1, 2, 3, 4) and (1, 3, 2, 4): 1 − 6 (0 + 1 + 1 + 0) / (4 · 15) = 0.8. By size −4 is the largest of
    (1, 2, 3, −4), and the order that of (1, 2, 3, 4): 1; with its sign, ranks (2, 3, 4, 1): 1 − 6 · 12 / 60 = −0.2."""
    a = torch.tensor([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    b = torch.tensor([[1.0, 3, 2, 4], [1, 2, 3, -4]])
    torch.testing.assert_close(similarity(Spearman(), a, b), torch.tensor([0.8, -0.2], dtype=torch.float64))
    torch.testing.assert_close(similarity(Spearman(absolute=True), a, b), torch.tensor([0.8, 1.0], dtype=torch.float64))


def test_the_others_by_hand() -> None:
    """Of (1, 0, 0, 1) and (1, 1, 0, 0): cosine 1 / (√2 √2) = ½; around the mean ½ the products are ¼ − ¼ + ¼ − ¼, so
    Pearson 0. The largest half of (4, 3, 2, 1) is {0, 1}, of (1, 4, 0, 3) {1, 3}: one of two in common."""
    a, b = torch.tensor([[1.0, 0, 0, 1]]), torch.tensor([[1.0, 1, 0, 0]])
    assert float(similarity(Cosine(), a, b)) == pytest.approx(0.5)
    assert float(similarity(Pearson(), a, b)) == pytest.approx(0.0)
    a, b = torch.tensor([[4.0, 3, 2, 1]]), torch.tensor([[1.0, 4, 0, 3]])
    assert float(similarity(TopK(0.5), a, b)) == 0.5
    assert float(similarity(TopK(0.5, absolute=True), a, -b)) == 0.5
    assert float(similarity(TopK(0.01), a, b)) == 0  # one value at least, and not the same


@pytest.mark.parametrize("absolute", [False, True])
def test_spearman_as_scipy_has_it_with_plateaus_of_zeros(absolute: bool) -> None:
    a, b = noise(5, 3, 6, 6), noise(5, 3, 6, 6, seed=1)
    a[a.abs() < 0.8], b[b < 0.3] = 0, 0
    a = (a * 4).round()
    flat = [(m.abs() if absolute else m).flatten(1).numpy() for m in (a, b)]
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(*flat, strict=True)]
    torch.testing.assert_close(similarity(Spearman(absolute), a, b), torch.tensor(expected, dtype=torch.float64))


def test_pearson_as_scipy_has_it() -> None:
    a, b = noise(4, 30) + 1e3, noise(4, 30, seed=1)
    expected = [stats.pearsonr(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    torch.testing.assert_close(similarity(Pearson(), a, b), torch.tensor(expected, dtype=torch.float64))


def ssim_by_the_book(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. (2004), equation 13, mean over the pixels whose window is inside: 11 × 11, Gaussian of 1.5."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    span = max(a.max(), b.max()) - min(a.min(), b.min())
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = []
    for i in range(5, len(a) - 5):
        for j in range(5, a.shape[1] - 5):
            x, y = (m[i - 5 : i + 6, j - 5 : j + 6] for m in (a, b))
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            vxy = (window * (x - mx) * (y - my)).sum()
            found.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(found))


def test_ssim_is_that_of_the_paper_on_maps_of_largest_size_one() -> None:
    a = noise(2, 3, 14, 15)
    b = a + noise(2, 3, 14, 15, seed=1)
    expected = [ssim_by_the_book(*(m[i].sum(0).numpy() for m in (a, b))) for i in range(2)]
    torch.testing.assert_close(similarity(SSIM(), a, 7 * b), torch.tensor(expected, dtype=torch.float64))


def test_ssim_clipped_does_not_hang_on_one_pixel() -> None:
    """One pixel of 1000 makes two maps flat in comparison, and alike; cut off at a quantile they are not."""
    a, b = noise(1, 1, 24, 24), noise(1, 1, 24, 24, seed=1)
    a[..., 3, 3] = b[..., 3, 3] = 1000.0
    assert float(similarity(SSIM(), a, b)) > 0.99
    assert float(similarity(SSIM(clip=0.99), a, b)) < 0.3
    scaled = [m[0, 0] / m.abs().flatten().sort().values[570] for m in (a, b)]  # ceil(.99 · 576) = 571st of 576
    whole = [m.clamp(-1, 1).numpy() for m in scaled]
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 2.0}
    assert float(similarity(SSIM(clip=0.99), a, b)) == pytest.approx(structural_similarity(*whole, **settings))


def test_hog_is_of_ranks() -> None:
    a, b = noise(2, 3, 32, 48), noise(2, 3, 32, 48, seed=1)
    features = [
        [hog((m.sum(0) / m.sum(0).abs().max()).numpy(), 8, (16, 16), (1, 1), "L2") for m in maps] for maps in (a, b)
    ]
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(*features, strict=True)]
    torch.testing.assert_close(similarity(HOG(), a, b), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("kind", EVERY, ids=repr)
def test_laws(kind: Similarity) -> None:
    """1 for a map and itself, on any scale; symmetric; rows alone; nothing of the caller's changed."""
    a, b = noise(3, 2, 17, 18), noise(3, 2, 17, 18, seed=1)
    before = a.clone(), b.clone()
    torch.testing.assert_close(similarity(kind, a, 1e-200 * a), torch.ones(3).double())
    together = similarity(kind, a, b)
    torch.testing.assert_close(similarity(kind, b, a), together)
    torch.testing.assert_close(torch.cat([similarity(kind, a[i : i + 1], b[i : i + 1]) for i in range(3)]), together)
    assert (together.abs() < 0.5).all()
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])
    assert kind.words


@pytest.mark.parametrize("kind", EVERY, ids=repr)
def test_no_value_for_maps_that_look_like_nothing(kind: Similarity) -> None:
    """Zero, constant (0.1, whose mean rounds), NaN, infinite; the others of the batch have their values."""
    a, b = noise(5, 1, 16, 16), noise(5, 1, 16, 16, seed=1)
    a[0], a[1], b[2], b[3, 0, 2, 2] = 0, 0.1, math.nan, math.inf
    found = similarity(kind, a, b)
    assert found.isnan().tolist() == [True, True, True, True, False]
    assert float(found[4]) == pytest.approx(float(similarity(kind, a[4:], b[4:])))


def test_no_value_where_sizes_or_channel_sums_are_constant() -> None:
    a = torch.tensor([[1.0, -1, 1, -1]])
    assert similarity(Spearman(absolute=True), a, torch.arange(4.0)[None]).isnan().all()
    cancelled = torch.cat([noise(1, 1, 16, 16), -noise(1, 1, 16, 16)], 1)
    for kind in (SSIM(), HOG()):
        assert similarity(kind, cancelled, noise(1, 2, 16, 16, seed=3)).isnan().all()


def test_refusals() -> None:
    with pytest.raises(InputError, match="one shape"):
        similarity(Cosine(), noise(2, 3), noise(2, 4))
    with pytest.raises(InputError, match="large enough for SSIM"):
        similarity(SSIM(), noise(2, 3), noise(2, 3))
    with pytest.raises(InputError, match="large enough for HOG"):
        similarity(HOG(), noise(2, 1, 12, 30), noise(2, 1, 12, 30))
    for wrong in (0.0, 1.5, True):
        with pytest.raises(InputError, match="share in"):
            TopK(wrong)
    with pytest.raises(InputError, match="clip in"):
        SSIM(clip=99)
    with pytest.raises(InputError, match="orientations"):
        HOG(orientations=1)


def test_every_public_name_is_there() -> None:
    assert sanity.__all__ == sorted(set(sanity.__all__)) == dir(sanity)
    assert all(hasattr(sanity, name) for name in sanity.__all__)
