"""Pictures of the neurons behind a region: boxes through scaling and cropping, cuts, channels, the page, the figure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from browser import asked_for, chromium, complaints, needs_browser, opened
from PIL import Image
from report_elements import HOSTILE, Elements
from torch import Tensor, nn

import gradline as gl
from gradline.adapters import ImageCase
from gradline.adapters.layers import last_block, layers_seen
from gradline.adapters.models import ImageModel, Preprocessing
from gradline.adapters.models.preprocessing import Rounding
from gradline.adapters.neurons import Frame, box_mask, explain_region
from gradline.plots import write_figure
from gradline.plots.channels import Region, channels, curves
from gradline.plots.drawing.neurons import neurons
from gradline.plots.places import framed, lit, pooled, spread
from gradline.report.neurons import fragment, write_neurons
from gradline.report.page import rendered

PLAIN = Preprocessing(resize=24, crop=24, mean=(0.0,) * 3, std=(255.0,) * 3)


class Block(nn.Module):
    """A block with a way past its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(self.one(x).relu())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, stride=4)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.stem(x))
        for block in self.blocks:
            h = self.act(block(h))
        return self.head(h.mean((2, 3)))


def model(**changed: Any) -> ImageModel:
    torch.manual_seed(0)
    return replace(ImageModel("tiny", Net().eval(), PLAIN, ("cat", "cup", "pot")), **changed)


PHOTO = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def region() -> Region:
    found = explain_region(PHOTO, (15, 5, 40, 30), model=model(), layers=["blocks.0", "blocks.1"], steps=6, top=4)
    left = torch.tensor([[4.0, 1, -1], [4, 3, 2]], dtype=torch.float64)[..., None]
    pruned = SimpleNamespace(
        names=("region", "random"), shares=(0, 0.01, 0.3), inside=left, outside=-left, whole=0 * left, score=2 * left
    )
    first, second = found.layers
    return replace(found, layers=(replace(first, curves=curves(pruned)), second))


# ------------------------------------------------------------------------------------------------ boxes


@pytest.mark.parametrize(
    "preprocessing",
    [
        PLAIN,
        replace(PLAIN, resize=37, crop=31),
        replace(PLAIN, resize=50, crop=40, rounding=Rounding.EXACT),
        replace(PLAIN, resize=37, crop=32, rounding=Rounding.DOWN),
        replace(PLAIN, resize=(30, 50), crop=None),
        replace(PLAIN, resize=None, crop=30),
        replace(PLAIN, resize=20, crop=40),
        replace(PLAIN, resize=None, crop=None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [(60, 40), (45, 77)])
def test_a_box_lands_where_its_pixels_do(preprocessing: Preprocessing, size: tuple[int, int]) -> None:
    """A white box in a black photo, scaled and cut as the model sees it, is the mask up to the filter's blur."""
    box = size[0] // 3, size[1] // 3, size[0] // 2, 2 * size[1] // 3
    photo = np.zeros((size[1], size[0], 3), np.uint8)
    photo[box[1] : box[3], box[0] : box[2]] = 255
    seen = np.asarray(preprocessing.picture(Image.fromarray(photo)), dtype=float)[..., 0] / 255
    frame = Frame.of(preprocessing, size, seen.shape)  # type: ignore[arg-type]
    mask = box_mask(frame.box(box), seen.shape).numpy()  # type: ignore[arg-type]
    assert mask.sum() == pytest.approx(seen.sum(), rel=0.06)
    for axis in (0, 1):
        middle = [float((m.sum(1 - axis) * np.arange(m.shape[axis])).sum() / m.sum()) for m in (mask, seen)]
        assert middle[0] == pytest.approx(middle[1], abs=0.15)


def test_boxes_that_touch_add_up() -> None:
    left, right, both = (box_mask(b, (8, 8)) for b in ((1.25, 0.5, 3.6, 7), (3.6, 0.5, 6, 7), (1.25, 0.5, 6, 7)))
    torch.testing.assert_close(left + right, both)
    assert float(both.sum()) == pytest.approx(4.75 * 6.5)


def test_what_the_model_does_not_see_is_refused_with_what_is_left() -> None:
    frame = Frame.of(PLAIN, (60, 40), (24, 24))
    assert frame.seen == pytest.approx((10, 0, 50, 40))
    with pytest.raises(gl.InputError, match=r"10,0,50,40.*what is left of it is 10,5,40,30"):
        frame.box((0, 5, 40, 30))
    with pytest.raises(gl.InputError, match=r"10,0,50,40.*got 1,5,8,30"):
        frame.box((1, 5, 8, 30))
    assert frame.box((9.5, 0, 50, 40)) == pytest.approx((0, 0, 24, 24))
    for wrong in ((40, 5, 15, 30), (1, 2, 3), (0, 0, np.nan, 4), "box"):
        with pytest.raises(gl.InputError, match="left, top, right, bottom"):
            frame.box(wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ layers


def case() -> ImageCase:
    return gl.adapters.image_case(PHOTO, model())  # type: ignore[attr-defined, no-any-return]


def test_layers_that_carry_all_are_those_without_which_nothing_depends_on_x() -> None:
    one = case()
    net = one.model.model
    assert isinstance(net, nn.Module)
    modules = dict(net.named_modules())
    found = {seen.name: seen for seen in layers_seen(one)}
    assert set(found) == {"stem", *(f"blocks.{k}{part}" for k in (0, 1) for part in ("", ".one", ".two"))}
    for name, seen in found.items():
        handle = modules[name].register_forward_hook(lambda m, args, out: out.detach())
        x = one.x.clone().requires_grad_()
        for p in net.parameters():
            p.requires_grad_(False)
        cut = not net(x).requires_grad
        for p in net.parameters():
            p.requires_grad_(True)
        handle.remove()
        assert seen.carries_all == cut, name
        assert seen.shape == (6, 6, 6)
    assert last_block(one) == "blocks.1"
    assert not any(m._forward_hooks for m in modules.values())


def test_models_without_blocks_or_layers() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    one = gl.adapters.image_case(PHOTO, model(model=plain.eval()))  # type: ignore[attr-defined]
    assert last_block(one) == "1"
    with pytest.raises(gl.SiteError, match=r"torch.nn.Module"):
        layers_seen(replace(one, model=model(model=lambda x: x.mean((2, 3)))))
    with pytest.raises(gl.InputError, match="the name of a layer"):
        last_block(replace(one, model=model(model=One())))


class One(nn.Module):
    """A network that is one function."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


# ------------------------------------------------------------------------------------------------ numbers


def test_channels_by_hand() -> None:
    values = np.zeros((3, 2, 2))
    values[0, 0, 0], values[1, 1, 1], values[2, 0, 1] = 1, -4, 2
    active = np.zeros((3, 2, 2))
    active[1] = [[0, 0], [-1, 3]]
    mask = np.zeros((6, 6))
    mask[3:, :3] = 1
    found = channels(values, active, -1.0, mask, 2)
    assert found.shape == (3, 2, 2)
    assert [(c.index, c.contribution, c.share) for c in found.top] == [(1, -4, 4), (2, 2, -2)]
    assert [c.size for c in found.top] == pytest.approx([4 / 7, 2 / 7])
    assert (found.others, found.rest, found.rest_share, found.total) == (1, 1, -1, -1)
    assert found.map.tolist() == [[1, 2], [0, -4]]
    assert (found.top[0].where, found.top[0].inside) == ("bottom right", 0.25)
    assert found.top[1].where == ""
    assert np.isnan(found.top[1].inside)
    with pytest.raises(gl.InputError, match="top"):
        channels(values, active, -1.0, mask, 0)


def test_vectors_and_tokens() -> None:
    vector = channels(np.array([1.0, -3]), np.ones(2), 0.0, np.ones((4, 4)), 5)
    assert (vector.shape, vector.has_places, vector.others) == ((2, 1, 1), False, 0)
    assert np.isnan(vector.top[0].share)
    tokens = np.arange(10.0).reshape(5, 2)
    found = channels(tokens, tokens, 45.0, np.ones((4, 4)), 2)
    assert (found.shape, found.total) == ((2, 2, 2), 45)
    assert found.top[0].map.tolist() == [[3, 5], [7, 9]]


def test_pictures_of_places() -> None:
    assert pooled(np.eye(4), (2, 2)).tolist() == [[0.5, 0], [0, 0.5]]
    assert pooled(np.ones((5, 7)), (2, 3)) == pytest.approx(np.ones((2, 3)))
    assert spread(np.full((2, 3), 4.0), (5, 7)) == pytest.approx(np.full((5, 7), 4))
    assert spread(np.array([[0.0, 1]]), (1, 4))[0].tolist() == [0, 0.25, 0.75, 1]
    photo = np.full((4, 4, 3), 200, np.uint8)
    light = lit(photo, np.array([[0, -2.0], [np.nan, 1]]))
    assert light[0, 3].tolist() == [200] * 3
    assert light[0, 0].tolist() == [24] * 3
    drawn = framed(photo, (1, 1, 3, 3), 200)
    assert drawn.shape == (200, 200, 3)
    assert (drawn[50:150, 50:150] == 200).all()
    assert (drawn[49, 50:150] == 255).all()
    assert (drawn[48, 50:150] == 20).all()


def test_all_channels_add_up_to_the_region_and_to_integrated_gradients(region: Region) -> None:
    whole = explain_region(PHOTO, (15, 5, 40, 30), model=model(), steps=6, top=99)
    assert [layer.name for layer in whole.layers] == ["blocks.1"]
    assert whole.chosen
    assert not region.chosen
    assert sum(c.contribution for c in whole.layers[0].channels.top) == pytest.approx(whole.contribution, rel=1e-4)
    a = gl.explain_image(PHOTO, model=model(), steps=6)
    mask = box_mask(whole.box, (24, 24))
    assert float((a.values[0] * mask).sum()) == pytest.approx(whole.contribution, rel=1e-4)
    assert whole.contribution == pytest.approx(region.contribution, rel=1e-5)
    assert whole.area == pytest.approx(float(mask.sum()) / 24**2)
    assert "explain_region" not in whole.photo.python  # type: ignore[attr-defined]


def test_the_library_knocks_out() -> None:
    found = explain_region(PHOTO, (15, 5, 40, 30), model=model(), steps=3, knockout=True)
    left = found.layers[0].curves
    assert left is not None
    assert left.names == ("region", "conductance", "random")
    assert left.inside[:, 0] == pytest.approx(np.full(3, found.contribution), rel=1e-4)


# ------------------------------------------------------------------------------------------------ the page


def test_the_page_is_a_closed_file_with_all_of_it(region: Region, tmp_path: Path) -> None:
    html = write_neurons(region, tmp_path / "region.html").read_text("utf-8")
    found = Elements(html)
    sources = [image["src"] for image in found.all("img")]
    assert len(sources) == 2 * (2 + 4)
    assert all(str(source).startswith("data:image/") for source in sources)
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
    assert len(html) < 400_000
    assert found.text.count("channel ") >= 8
    for words in ("The region contributes", "Layer blocks.0", "Contribution outside", "the other 2 together"):
        assert words in found.text
    assert len(found.all("polyline")) == 3 * 2 + 2
    assert len([a for a in found.all("rect") if a.get("class") == "over"]) == len(sources)
    assert html == write_neurons(region, tmp_path / "again.html").read_text("utf-8")


def test_names_are_only_names(region: Region) -> None:
    photo = replace(region.photo, name=HOSTILE, title=HOSTILE, model=HOSTILE, command=HOSTILE)  # type: ignore[type-var]
    finding = gl.Finding("GL999", HOSTILE, HOSTILE, HOSTILE)
    first, second = region.layers
    a = replace(
        first.a, explained=(HOSTILE,), findings=(finding,), provenance=dict(first.a.provenance) | {"x": HOSTILE}
    )
    left = replace(first.curves, names=(HOSTILE, "random"))  # type: ignore[type-var]
    evil = replace(region, photo=photo, layers=(replace(first, name=HOSTILE, a=a, curves=left), second))
    found = Elements(fragment(evil))
    assert len(found.all("script")) == 2
    assert not any("onerror" in attributes for _, attributes in found.tags)
    assert found.text.count("alert('1')") >= 8
    json.loads(found.numbers)


def test_figures(region: Region, tmp_path: Path) -> None:
    figure = neurons(region)
    said = " ".join(text.get_text() for text in figure.texts)
    for words in ("The region contributes", "Layer blocks.1: 6 channels × 6 × 6 places", "Score F(x)", "random"):
        assert words in said
    lines = [
        line.get_ydata() for axes in figure.axes for line in axes.lines if len(np.atleast_1d(line.get_ydata())) == 3
    ]
    assert [list(map(float, line)) for line in lines[:2]] == [[4, 1, -1], [4, 3, 2]]
    one = neurons(replace(region, layers=region.layers[1:]), width=3.3, columns=2)
    assert write_figure(one, tmp_path / "region.svg").stat().st_size > 10_000


def test_layers_without_places_are_tables_alone(tmp_path: Path) -> None:
    found = explain_region(PHOTO, (15, 5, 40, 30), model=model(), layers=["head"], target="cup", steps=3)
    assert not found.layers[0].channels.has_places
    elements = Elements(write_neurons(found, tmp_path / "region.html").read_text("utf-8"))
    assert len(elements.all("img")) == 1
    assert "3 channels." in elements.text
    assert neurons(found).axes


@needs_browser
def test_nothing_is_fetched_and_nothing_complains(region: Region, tmp_path: Path) -> None:
    with chromium() as driver:
        opened(driver, write_neurons(region, tmp_path / "region.html"))
        assert all(url.startswith(("file:", "data:")) for url in asked_for(driver))
        assert complaints(driver) == []
        assert driver.execute_script("return [...document.images].every(i => i.naturalWidth > 1)")
        shown = driver.execute_script("return getComputedStyle(document.querySelector('.boxed svg')).position")
        assert shown == "absolute"


def test_the_template_needs_all_that_it_is_given() -> None:
    with pytest.raises(Exception, match="undefined"):
        rendered("neurons.html.jinja", {"data": {}, "question": "", "made_by": ""}, name="x", whole=True)
