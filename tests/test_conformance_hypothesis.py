"""Laws over whatever comes: packing of inputs, trees of outputs, tables of rules."""

import copy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradline.core.rules import RULES, ByOutputChange, Rule, Stratified
from gradline.errors import InputError
from gradline.question.inputs import Inputs, check_inputs
from gradline.question.trees import floating, joined, replaced, tensors

quick = settings(max_examples=80, deadline=None, derandomize=True, database=None)

FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
HELD = (torch.int64, torch.int32, torch.uint8, torch.bool)
shapes = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@st.composite
def filled(draw: st.DrawFn, rows: int, dtypes: tuple[torch.dtype, ...], shape: Any = shapes) -> Tensor:
    size = (rows, *draw(shape))
    values = torch.randn(size, generator=torch.Generator().manual_seed(draw(st.integers(0, 10**6)))) * 50
    return values.abs().to(draw(st.sampled_from(dtypes)))


# --------------------------------------------------------------------------------------------------------------- inputs


@st.composite
def inputs(draw: st.DrawFn) -> Any:
    """A tensor, a tuple or a dict, of any precisions and shapes, with at least one entry of floats."""
    rows = draw(st.integers(1, 4))
    if draw(st.integers(0, 3)) == 0:
        return draw(filled(rows, FLOATS, shapes.filter(bool)))
    entries = [draw(filled(rows, FLOATS)), *draw(st.lists(filled(rows, FLOATS + HELD), max_size=3))]
    entries = draw(st.permutations(entries))
    if draw(st.booleans()):
        return tuple(entries)
    keys = draw(st.lists(st.text("abc_1", min_size=1, max_size=3), min_size=4, max_size=4, unique=True))
    return dict(zip(keys, entries, strict=False))


def entries_of(x: Any) -> dict[str, Tensor]:
    if isinstance(x, Tensor):
        return {"0": x}
    return dict(x) if isinstance(x, dict) else {str(k): entry for k, entry in enumerate(x)}


@quick
@given(inputs())
def test_unpacking_undoes_packing_for_any_mix(x: Any) -> None:
    packed = check_inputs(x).packed
    parts = check_inputs(x).unpack(packed)
    due = {name: entry for name, entry in entries_of(x).items() if entry.is_floating_point()}
    assert list(parts) == list(due)
    assert packed.ndim >= 2
    for name, entry in due.items():
        assert parts[name].shape == entry.shape
        assert parts[name].dtype == entry.dtype
        assert torch.equal(parts[name], entry)
    assert torch.equal(check_inputs(x).pack(parts), packed), "and packing undoes unpacking"
    assert packed.dtype == check_inputs(x).dtype
    assert all(torch.promote_types(packed.dtype, entry.dtype) == packed.dtype for entry in due.values())


@quick
@given(inputs())
def test_values_come_back_in_the_structure_of_x(x: Any) -> None:
    checked = check_inputs(x)
    values = checked.structured(checked.packed)
    if isinstance(x, Tensor):
        assert torch.equal(values, x)
        return
    assert type(values) is type(x)
    found = values if isinstance(values, dict) else dict(enumerate(values))
    given_ = x if isinstance(x, dict) else dict(enumerate(x))
    assert list(found) == list(given_)
    for key, entry in given_.items():
        assert (found[key] is not None) == entry.is_floating_point()
        assert found[key] is None or torch.equal(found[key].to(entry.dtype), entry)


@quick
@given(inputs(), st.data())
def test_the_model_is_handed_the_rows_of_each_owner(x: Any, data: st.DataObject) -> None:
    checked = check_inputs(x)
    owner = torch.tensor(data.draw(st.lists(st.integers(0, checked.rows - 1), min_size=1, max_size=6)))
    parts = checked.unpack(checked.packed[owner] / 2)
    args, named = checked.arguments(parts, owner)
    handed = named if checked.form is dict else {str(k): a for k, a in enumerate(args)}
    for name, entry in entries_of(x).items():
        own = entry[owner]
        assert torch.equal(handed[name], parts[name].reshape(own.shape) if name in parts else own)


@quick
@given(inputs(), st.data())
def test_a_row_too_few_is_refused(x: Any, data: st.DataObject) -> None:
    entries = entries_of(x)
    if len(entries) > 1 and len(next(iter(entries.values()))) > 1:
        key = data.draw(st.sampled_from(list(entries)))
        try:
            check_inputs(entries | {key: entries[key][1:]})
        except InputError as error:
            assert "rows" in str(error)  # noqa: PT017
        else:
            raise AssertionError("entries of different length were taken")


# ---------------------------------------------------------------------------------------------------------------- trees


class Pair(NamedTuple):
    one: Any
    other: Any


@dataclass(frozen=True)
class Frozen:
    inside: Any
    flag: Any


leaves = st.one_of(
    filled(3, (*FLOATS, torch.int64)),
    st.none(),
    st.integers(0, 9),
    st.text("ab", max_size=2),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3),
        st.builds(Pair, inner, inner),
        st.builds(Frozen, inner, inner),
        st.builds(lambda a, b: SimpleNamespace(logits=a, cache=b), inner, inner),
    )


trees = st.recursive(leaves, containers, max_leaves=6)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return same(vars(one), vars(other)) if hasattr(one, "__dict__") else one == other


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key] if isinstance(tree, dict | list | tuple) else getattr(tree, key)
    return tree


def cut(tree: Any, rows: slice) -> Any:
    for path, tensor in tensors(tree):
        tree = replaced(tree, path, tensor[rows])
    return tree


@quick
@given(trees)
def test_every_tensor_is_found_where_its_path_leads(tree: Any) -> None:
    found = tensors(tree)
    assert len({path for path, _ in found}) == len(found)
    assert all(at(tree, path) is tensor for path, tensor in found)
    assert [path for path, _ in floating(tree)] == [path for path, t in found if t.is_floating_point()]


@quick
@given(trees, st.data())
def test_a_tensor_is_replaced_and_nothing_else(tree: Any, data: st.DataObject) -> None:
    found = tensors(tree)
    if not found:
        return
    place, _ = data.draw(st.sampled_from(found))
    before, leaf = copy.deepcopy(tree), torch.full((2,), 7.0)
    changed = replaced(tree, place, leaf)
    assert same(tree, before), "the tree that was given is left alone"
    assert type(changed) is (Tensor if not place else type(tree))
    assert at(changed, place) is leaf
    for path, tensor in found:
        assert path == place or at(changed, path) is tensor
    assert same(replaced(changed, place, at(tree, place)), tree), "and back again"


@quick
@given(trees, st.integers(1, 2))
def test_what_was_cut_into_batches_is_joined_again(tree: Any, first: int) -> None:
    parts = [cut(tree, slice(0, first)), cut(tree, slice(first, 3))]
    whole = joined(parts, [first, 3 - first])
    for path, tensor in tensors(tree):
        assert torch.equal(at(whole, path), tensor)
    assert all(same(part, again) for part, again in zip(parts, [cut(tree, slice(0, first)), parts[1]], strict=True))


@quick
@given(st.lists(st.integers(0, 3), min_size=2, max_size=3), st.data())
def test_lists_with_an_element_a_row_are_laid_end_to_end(counts: list[int], data: st.DataObject) -> None:
    """As detectors return them: so many boxes each."""
    rows = [[{"boxes": torch.randn(data.draw(st.integers(0, 2)), 4)} for _ in range(n)] for n in counts]
    if sum(counts) and all(counts):
        assert same(joined(rows, counts), [row for part in rows for row in part])


# ---------------------------------------------------------------------------------------------------------------- rules

rules = st.sampled_from([kind() for kind in RULES])
counts_of_nodes = st.integers(1, 60)
words = st.lists(st.text("abc/ ", min_size=1, max_size=4), min_size=1, max_size=4, unique=True).map(tuple)


def taken(rule: Rule, n: int) -> int:
    """The next count of nodes that a rule takes."""
    n = max(n, rule.minimum)
    try:
        rule.check(n)
    except InputError:
        n += 1
    return n


@quick
@given(rules, counts_of_nodes, words, st.integers(0, 2**40), st.integers(0, 5))
def test_tables_are_sound_for_any_count_names_seed_and_draw(
    rule: Rule, n: int, names: tuple[str, ...], seed: int, draw: int
) -> None:
    n = taken(rule, n)
    t, w = rule.table(n, names, seed, draw, 6)
    assert t.shape == w.shape == (len(names), n)
    assert (t >= 0).all() and (t <= 1).all() and (np.diff(t) > 0).all()  # noqa: PT018
    np.testing.assert_allclose(w.sum(1), 1, rtol=0, atol=1e-12)
    for row, name in enumerate(names):
        alone = rule.table(n, (name,), seed, draw, 6)
        assert (alone[0][0] == t[row]).all()
        assert (alone[1][0] == w[row]).all()


@quick
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=20), counts_of_nodes)
def test_whatever_the_score_does_its_nodes_are_midpoints_of_cells_that_fill_the_path(
    scores: list[float], n: int
) -> None:
    rule = ByOutputChange(max(2, len(scores) - 1))
    value = np.array(scores if len(scores) > 2 else [*scores, scores[-1]])
    (t,), (w,) = rule.table(n, ("only",), 0, 0, 1, value[None])
    edges = np.concatenate([[0.0], w.cumsum()])
    assert (w > 0).all()
    np.testing.assert_allclose(edges[-1], 1, atol=1e-12)
    np.testing.assert_allclose(t, (edges[1:] + edges[:-1]) / 2, atol=1e-12)
    assert w.max() <= 4 / n * (1 + 1e-9), "a quarter of the nodes is spread evenly, so no cell is wider than four"


@quick
@given(st.integers(1, 12), st.integers(1, 6), st.text("ab", max_size=3), st.integers(0, 99))
def test_stratified_draws_share_no_piece_of_the_path(n: int, draws: int, name: str, seed: int) -> None:
    t = [Stratified().table(n, (name,), seed, draw, draws)[0][0] for draw in range(draws)]
    pieces = np.floor(np.concatenate(t) * n * draws).astype(int)
    assert sorted(pieces) == list(range(n * draws))


def test_the_strategies_reach_what_they_are_meant_to() -> None:
    """Several entries, of several precisions, with some that are held; trees of depth two with tensors."""
    seen: set[str] = set()

    @settings(quick, max_examples=150)
    @given(inputs(), trees)
    def look(x: Any, tree: Any) -> None:
        checked: Inputs = check_inputs(x)
        seen.add(checked.form.__name__)
        seen.update(
            ["several"] * (len(checked.attributed) > 1) + ["held"] * (len(checked.entries) > len(checked.attributed))
        )
        mixed = {checked.entries[name].dtype for name in checked.attributed}
        seen.update(["mixed"] * (len(mixed) > 1) + ["deep"] * any(len(path) > 1 for path, _ in tensors(tree)))

    look()
    assert seen == {"Tensor", "tuple", "dict", "several", "held", "mixed", "deep"}
