"""`gl.leaderboard`: every number is that of `gl.evaluate`, in any groups; what it shares, refuses, and writes."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from board_cases import (
    CONTROLS,
    GRADIENT,
    IG,
    METHODS,
    NAMES,
    Inside,
    Repeats,
    Size,
    board,
    judged,
    network,
    noise,
    photos,
)
from torch import Tensor, nn

import gradline as gl
from gradline.evaluation.contest import boards
from gradline.evaluation.groups import joined, score_of
from gradline.metrics.base import Evaluation, Kind
from gradline.metrics.curves.deletion import Deletion, Insertion
from gradline.metrics.curves.sweep import Steps


def same(one: gl.Leaderboard, other: gl.Leaderboard) -> None:
    assert one.methods == other.methods
    for method, row in one.evaluations.items():
        for metric, found in row.items():
            torch.testing.assert_close(found.values, other.evaluations[method][metric].values, equal_nan=True)
            assert found.notes == other.evaluations[method][metric].notes
            assert found.names == other.evaluations[method][metric].names


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("metric", [Deletion(), Insertion(), Size()], ids=lambda m: m.name)
def test_every_number_is_that_of_evaluate(method: str, metric: Any) -> None:
    score = gl.Score(network(), 1)
    steps = 4 if METHODS[method].path.integrates else None
    a = gl.attribute(score, photos(), METHODS[method], steps=steps, names=NAMES)
    alone = gl.evaluate(metric, score, photos(), a)
    found = board().evaluations[method][metric.name]
    torch.testing.assert_close(found.values, alone.values)
    assert found.settings == alone.settings
    if alone.curve is not None:
        torch.testing.assert_close(found.curve, alone.curve)


@pytest.mark.parametrize("group", [1, 2, 5])
def test_groups_do_not_matter(group: int) -> None:
    same(board(), judged(group=group))


def test_targets_and_context_are_cut_with_their_examples() -> None:
    """A class each, and a context each: as if every example were judged alone."""
    net = network()

    def model(x: Tensor, tilt: Tensor) -> Tensor:
        return net(x) * tilt[:, None]

    classes, tilt = torch.tensor([0, 2, 1, 1, 0]), torch.tensor([1.0, -1, 2, 3, 0.5]).double()
    score = gl.Score(model, gl.Margin(classes), context={"tilt": tilt})
    metrics = [Deletion()]
    whole = judged(score=score, metrics=metrics, controls={}, group=2)
    for i in range(5):
        one = gl.Score(model, gl.Margin(int(classes[i])), context={"tilt": tilt[i : i + 1]})
        alone = judged(score=one, metrics=metrics, controls={}, x=photos()[i : i + 1], names=NAMES[i : i + 1])
        for method in METHODS:
            got = whole.evaluations[method]["deletion"].values[i]
            torch.testing.assert_close(got, alone.evaluations[method]["deletion"].values[0])


def test_what_holds_for_all_examples_is_not_cut() -> None:
    """A mask of a region whose height is the number of examples belongs to no example."""
    mask = torch.ones(5, 5)
    cut = score_of(gl.Score(network(), gl.Region(0, mask)), slice(0, 2), 5)
    assert cut.target.mask is mask  # type: ignore[union-attr]
    each = score_of(gl.Score(network(), gl.Region(torch.arange(5), torch.ones(5, 6, 6))), slice(0, 2), 5)
    assert each.target.mask.shape == (2, 6, 6)  # type: ignore[union-attr]
    assert each.target.index.tolist() == [0, 1]  # type: ignore[union-attr]
    pair = gl.Contrast(torch.arange(5), gl.Logit(2))
    assert score_of(gl.Score(network(), pair), slice(3, 5), 5).target.first.tolist() == [3, 4]  # type: ignore[union-attr]
    assert pair.first.tolist() == [0, 1, 2, 3, 4]  # type: ignore[union-attr]


def test_forwards_are_shared_by_methods_and_metrics() -> None:
    """Deletion and insertion of M maps: 15 inner steps each, and two ends that all share."""
    metrics = [Deletion(), Insertion()]
    found = [judged(metrics=metrics, methods=m, controls={}) for m in ({"ig": IG}, METHODS)]
    counts = [b.provenance["forwards_of_metrics"] / 5 for b in found]
    assert counts == [2 * 15 + 2, 2 * 2 * 15 + 2]


def test_methods_may_be_functions_tensors_and_attributions() -> None:
    score = gl.Score(network(), 1)
    a = gl.attribute(score, photos(), IG, steps=4, names=NAMES)
    several = {
        "method": IG,
        "function": lambda s, x: gl.attribute(s, x, IG, steps=4).values,
        "made": a,
        "tensor": a.values,
        "pixels": a.values.sum(1),
    }
    found = judged(methods=several, metrics=[Deletion()], controls={}, group=2)
    values = [row["deletion"].values for row in found.evaluations.values()]
    for other in values[1:]:
        torch.testing.assert_close(other, values[0])
    kinds = dict.fromkeys(("tensor",), Kind.GRADIENT)
    turned = judged(methods=several, metrics=[Deletion()], controls={}, kinds=kinds)
    assert "absolute ranking" in turned.evaluations["tensor"]["deletion"].settings


def test_maps_made_beforehand_cannot_be_made_anew() -> None:
    methods = METHODS | {"made": torch.randn(5, 3, 8, 8)}
    found = judged(methods=methods, metrics=[Repeats(), Deletion()])
    assert found.evaluations["ig"]["repeats"].values.tolist() == [0] * 5
    made = found.evaluations["made"]["repeats"]
    assert made.values.isnan().all()
    assert all("made beforehand" in note for note in made.notes)
    assert found.standing("repeats").examples == 5
    assert "made beforehand" in found.standing("repeats").absent["made"]
    assert found.evaluations["made"]["deletion"].values.isfinite().all()
    assert "made: its maps were made beforehand" in repr(found)


def test_controls_stand_beside_every_number() -> None:
    usual = judged(controls=None, metrics=[Deletion()])
    assert usual.controls == ("random map", "edge detector")
    assert [row["control"] for row in usual.table[::5]] == [False, False, True, True]
    assert judged(controls={}, metrics=[Size()]).controls == ()
    chance = next(p for p in board().ranking("insertion") if p.method == "noise")
    assert chance.position == 0 or math.isnan(chance.position)


def test_controls_of_rows_and_at_layers() -> None:
    """Edges are for images; at a layer there is no control that knows nothing of it."""
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    metrics = [Deletion(steps=Steps(4))]
    rows = gl.leaderboard(gl.Score(net), x, {"ig": IG}, metrics, steps=3)
    assert rows.controls == ("random map",)
    assert rows.at_home == {"deletion": ("ig",)}  # both start at zero, which fills rows
    assert "the path starts where this metric fills" in repr(rows)
    inside = gl.leaderboard(gl.Score(net, 0, site=gl.Layer("0")), x, {"ig": IG}, metrics, steps=3)
    assert inside.controls == ()
    assert board().at_home == {}


def test_a_long_table_has_a_row_for_everything() -> None:
    table = board().table
    assert len(table) == 4 * 3 * 5
    assert json.loads(json.dumps(table)) == list(table)
    first = board().evaluations["ig"]["deletion"].values
    assert [row["value"] for row in table[:5]] == first.tolist()
    assert set(table[0]) == {"method", "metric", "example", "value", "note", "control"}


def test_a_map_without_an_order_has_no_value_and_a_note() -> None:
    maps = torch.randn(5, 3, 8, 8).double()
    maps[2] = 0
    found = judged(methods=METHODS | {"made": maps}, metrics=[Deletion()])
    row = next(r for r in found.table if r["method"] == "made" and r["example"] == "photo 2")
    assert row["value"] is None
    assert "constant" in row["note"]
    standing = found.standing("deletion")
    assert (standing.examples, standing.left_out) == (4, 1)
    assert "1 left out" in repr(found)


def test_curves_are_means_over_examples() -> None:
    curve = board().curves("deletion")["ig"]
    whole = board().evaluations["ig"]["deletion"]
    torch.testing.assert_close(curve.values, whole.curve.mean(0))  # type: ignore[union-attr]
    assert board().curves("size") == {}


def test_curves_of_different_lengths_are_filled_up() -> None:
    def part(length: int) -> Evaluation:
        axis = torch.linspace(0, 1, length).double()
        return Evaluation(Size(), torch.ones(2).double(), torch.ones(2, length).double(), axis, notes=("", ""))

    found = joined([part(3), part(5)])
    assert found.curve is not None
    assert found.curve.shape == (4, 5)
    assert found.curve[:2, 3:].isnan().all()
    assert found.axis is None
    assert joined([part(3), part(3)]).axis is not None


def test_unsound_maps_are_counted() -> None:
    found = judged(metrics=[Size()], steps=None, tol=1e-9, max_evaluations=8)
    assert found.unsound == {"ig": 5}


def test_an_interruption_leaves_what_was_done() -> None:
    seen: list[gl.Leaderboard] = []

    def second(score: gl.Score, x: Tensor) -> Tensor:
        if seen:
            raise KeyboardInterrupt
        return noise(score, x)

    growing = boards(gl.Score(network(), 1), photos(), {"f": second}, [Size()], controls={}, group=2)
    seen.append(next(growing))
    with pytest.raises(KeyboardInterrupt):
        next(growing)
    assert [len(one) for one in seen] == [2]
    assert seen[0].evaluations["f"]["size"].values.shape == (2,)


def test_nothing_of_the_callers_is_changed() -> None:
    net, x = network().train(), photos()
    before = [p.clone() for p in net.parameters()], x.clone(), torch.get_rng_state()
    maps = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    kept = maps.clone()
    gl.leaderboard(gl.Score(net, 1), x, {"ig": IG, "made": maps}, [Deletion()], controls=CONTROLS, steps=2)
    assert all(torch.equal(a, b) for a, b in zip(before[0], net.parameters(), strict=True))
    assert torch.equal(before[1], x)
    assert torch.equal(kept, maps)
    assert torch.equal(before[2], torch.get_rng_state())
    assert net.training
    assert all(p.grad is None for p in net.parameters())


# ------------------------------------------------------------------------------------------------ names and refusals


def test_metrics_of_one_name_are_told_apart_by_their_settings() -> None:
    found = judged(metrics=[Deletion(), Deletion(fill=gl.baselines.Zero()), Size()], controls={})
    assert list(found.metrics) == ["deletion (fill default)", "deletion (fill Zero())", "size"]
    assert list(judged(metrics={"mine": Size()}, controls={}).metrics) == ["mine"]


def never(*_: Any) -> Tensor:
    raise AssertionError("the work began")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no masks": ({"metrics": [Inside()]}, "masks= for inside"),
    "few masks": ({"metrics": [Inside()], "masks": torch.ones(4, 8, 8)}, "5 masks"),
    "no metric": ({"metrics": []}, "at least one metric"),
    "a class": ({"metrics": [Deletion]}, "call it"),
    "twice": ({"metrics": [Size(), Size()]}, "metrics that differ"),
    "no method": ({"methods": {}}, "methods by name"),
    "a word": ({"methods": {"ig": "ig"}}, "a method of gl.methods"),
    "few maps": ({"methods": {"made": torch.ones(4, 3, 8, 8)}}, "5 maps for made"),
    "a control's name": ({"methods": {"noise": never}}, "no control has"),
    "kinds of nobody": ({"kinds": {"other": Kind.GRADIENT}}, "kinds= of methods"),
    "no group": ({"group": 0}, "group as a whole number"),
    "several targets": ({"score": gl.Score(network(), [0, 1])}, "one target"),
    "no score": ({"score": network()}, "a Score"),
    "names": ({"names": ["a", "a", "b", "c", "d"]}, "5 different names"),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_wrong_calls_are_refused_before_the_work(given: dict[str, Any], said: str) -> None:
    with pytest.raises(gl.InputError, match=said):
        judged(**({"methods": {"f": never}} | given))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(gl.InputError, match="deletion, insertion, size"):
        board().ranking("delition")


def test_masks_are_cut_with_their_examples() -> None:
    masks = torch.zeros(5, 8, 8)
    masks[:, :, :4] = 1
    masks[3] = 1
    found = judged(metrics=[Inside()], masks=masks, group=2).evaluations["ig"]["inside"].values
    assert float(found[3]) == pytest.approx(1)
    assert bool((found[:3] < 1).all())


# ------------------------------------------------------------------------------------------------ files and text


def test_files_hold_the_same_numbers(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = list(board().table)
    written = {suffix: board().save(tmp_path / f"b{suffix}") for suffix in (".csv", ".json", ".parquet", ".md")}
    assert json.loads(written[".json"].read_text("utf-8"))["table"] == table
    rows = pq.read_table(written[".parquet"])
    assert rows.to_pylist() == table
    kept = json.loads(rows.schema.metadata[b"gradline"])
    assert kept["provenance"]["seed"] == 0
    assert kept["provenance"]["model_digest"]
    with written[".csv"].open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(r["value"]) for r in read] == [r["value"] for r in table]
    page = written[".md"].read_text("utf-8")
    assert "| ig |" in page
    assert "model digest" in page


def test_json_says_what_follows(tmp_path: Path) -> None:
    content = json.loads(board().save(tmp_path / "b.json").read_text("utf-8"))
    metric = content["metrics"]["deletion"]
    assert [row["method"] for row in metric["ranking"]] == [p.method for p in board().ranking("deletion")]
    assert {"first", "second", "mean", "low", "high", "p", "real"} == set(metric["differences"][0])
    assert content["agreement"]["metrics"] == ["deletion", "insertion"]
    assert any("16 steps" in said for said in metric["settings"])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(gl.StorageError, match=r"ends in \.html"):
        board().save(tmp_path / "b.txt")
    with pytest.raises(gl.StorageError, match="cannot write"):
        board().save(tmp_path / "nowhere" / "b.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_text_says_what_decided_the_numbers() -> None:
    text = repr(board())
    assert "deletion ↓  lower is better; 5 examples" in text
    assert "insertion ↑" in text
    assert "size –  ranks nothing" in text
    assert "gradient: fill Blur(sigma=15.0), absolute ranking, probability, 16 steps" in text
    assert "noise (control)" in text
    assert "With 5 examples no difference can be called real: 5 pairs need at least 8." in text


def test_a_figure_is_drawn(tmp_path: Path) -> None:
    figure = gl.plots.leaderboard(board())
    said = [text.get_text() for text in figure.texts]
    assert "insertion ↑" in said
    assert "noise" in said
    assert len(figure.axes) == 3
    assert len(gl.plots.leaderboard(board(), ["deletion"]).axes) == 1
    assert board().save(tmp_path / "b.svg").stat().st_size > 1000


# ------------------------------------------------------------------------------------------------ gl.compare


def test_compare_has_a_column_for_each_metric() -> None:
    score = gl.Score(network(), 1)
    both = gl.compare(score, photos(), METHODS, metrics=[Deletion(), Repeats()], steps=4, names=NAMES)
    values = [row["deletion"] for row in both.table]
    expected = torch.cat([board().evaluations[m]["deletion"].values for m in METHODS])
    assert values == pytest.approx(expected.tolist())
    assert [row["repeats"] for row in both.table] == [0.0] * 10
    assert "deletion" not in gl.compare(score, photos(), {"g": GRADIENT}).table[0]


def test_compare_refuses_before_the_work() -> None:
    wrong = {"masks= for inside": [Inside()], "call it": [Deletion], "metrics, such as": ["deletion"]}
    for said, metrics in wrong.items():
        with pytest.raises(gl.InputError, match=said):
            gl.compare(gl.Score(never, 1), photos(), METHODS, metrics=metrics)  # type: ignore[arg-type]


def test_a_board_can_be_told_what_repeats_it(tmp_path: Path) -> None:
    told = replace(board(), command="gradline evaluate a.jpg")
    assert "gradline evaluate a.jpg" in told.save(tmp_path / "b.md").read_text("utf-8")
