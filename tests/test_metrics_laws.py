"""What holds for every metric of the catalogue, whatever it measures."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import gradline as gl
from gradline.evaluation.fitting import fitting
from gradline.methods import REFERENCES
from gradline.metrics import catalogue
from gradline.metrics.base import Evaluation, Kind, Metric
from gradline.sanity import tasks

JUDGES = [entry.name for entry in catalogue.entries() if "explainer" not in entry.needs]
TASKS = ("linear", "planted patch")
EXAMPLES = 2


@cache
def some(task: str, first: int, last: int) -> tasks.Task:
    """Some examples of a task alone, with the names that they have in company."""
    whole = tasks.EVERY[task]()
    target = whole.score.target
    if isinstance(target, gl.targets.ClassTarget) and isinstance(target.index, Tensor):
        target = replace(target, index=target.index[first:last])
    rows = slice(first, last)
    score = replace(whole.score, target=target)
    return replace(
        whole, score=score, x=whole.x[rows], oracle=whole.oracle[rows], masks=whole.masks[rows], swapped=None
    )


def metric_for(name: str, task: tasks.Task) -> Metric:
    found = fitting(task)[name]
    return replace(found, draws=8) if any(f.name == "draws" for f in fields(found)) else found  # type: ignore[call-arg]


def judge(metric: Metric, task: tasks.Task, maps: Tensor, names: tuple[str, ...]) -> Evaluation:
    return gl.evaluate(
        metric, task.score, task.x, maps, kind=Kind.CONTRIBUTION, masks=task.masks, pixels=task.pixels, names=names
    )


def together(name: str, task_name: str, maps: Any = None) -> Evaluation | None:
    """Judged in company; None for metrics of pictures, which refuse rows of features in clear words."""
    task = some(task_name, 0, EXAMPLES)
    try:
        return judge(metric_for(name, task), task, task.oracle if maps is None else maps, ("0", "1"))
    except gl.InputError as error:
        if "linear" in task_name and any(word in str(error) for word in ("image", "pixel", "PixelSpace")):
            return None
        raise


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize("task", TASKS)
def test_an_example_is_judged_as_if_it_were_alone(task: str, name: str) -> None:
    both = together(name, task)
    if both is None:
        return
    assert both.values.shape == (EXAMPLES,)
    assert both.values.dtype == torch.float64
    for i in range(EXAMPLES):
        one = some(task, i, i + 1)
        alone = judge(metric_for(name, one), one, one.oracle, (str(i),))
        torch.testing.assert_close(both.values[i : i + 1], alone.values, rtol=2e-4, atol=1e-6, equal_nan=True)
        assert both.notes[i] == alone.notes[0]


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize("task", TASKS)
def test_a_map_that_is_not_finite_has_no_value_and_a_note(task: str, name: str) -> None:
    whole = some(task, 0, EXAMPLES)
    maps = whole.oracle.clone()
    maps[0].view(-1)[0] = torch.nan
    found = together(name, task, maps)
    good = together(name, task)
    if found is None or good is None:
        assert found is good
        return
    assert found.values[0].isnan()
    assert found.notes[0]
    torch.testing.assert_close(found.values[1], good.values[1], rtol=2e-4, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", JUDGES)
def test_a_map_of_zeros_has_a_documented_end(name: str) -> None:
    """A number, or NaN and a sentence: never a crash, an infinity, or NaN without a word."""
    task = "planted patch"
    found = together(name, task, torch.zeros_like(some(task, 0, EXAMPLES).oracle))
    assert found is not None
    for value, note in zip(found.values.tolist(), found.notes, strict=True):
        assert value == value or note
        assert abs(value) != float("inf")


@pytest.mark.parametrize("name", JUDGES)
def test_nothing_of_the_callers_is_changed(name: str) -> None:
    task = some("planted patch", 0, EXAMPLES)
    model: Any = task.score.model
    before = [t.clone() for t in (task.x, task.oracle, task.masks, *model.state_dict().values())]
    state = torch.get_rng_state()
    together(name, "planted patch")
    after = [task.x, task.oracle, task.masks, *model.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda e: e.name)
def test_the_catalogue_says_what_the_class_says(entry: catalogue.Entry) -> None:
    if not entry.ready:
        assert entry.name in ("polarity-agreement",), "a metric without defaults cannot be named on the command line"
        with pytest.raises(gl.InputError, match="arguments"):
            catalogue.by_name(entry.name)
        return
    made = catalogue.by_name(entry.name)
    facts = ("name", "higher_is_better", "range", "cost", "cites", "needs")
    assert [getattr(made, fact) for fact in facts] == [getattr(entry, fact) for fact in facts]
    assert set(entry.cites) <= set(REFERENCES)
    assert entry.text[0]
    assert made.settings or not fields(made)
    assert type(made)() == made
    assert hash(type(made)()) == hash(made)


def test_names_are_told_apart() -> None:
    names = [entry.name for entry in catalogue.entries()]
    assert len(set(names)) == len(names)
    with pytest.raises(gl.InputError, match="insertion-minus-deletion"):
        catalogue.by_name("nonsense")
