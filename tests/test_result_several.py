"""Attributions of models with several inputs: values in x's own structure, everywhere a single tensor would be."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch import nn

import gradline as gl
from gradline.result.structure import flat, mapped, named, shape_of


class Model(nn.Module):
    """F = Σ w·image² + 3 age · Σ bonus[ids]: A_image = w image², A_age = 3 age Σ bonus, from zero."""

    def __init__(self):
        super().__init__()
        self.weight = torch.arange(1.0, 13).reshape(3, 2, 2)
        self.bonus = torch.tensor([0.0, 1.0, 10.0, 100.0])

    def forward(self, image, age, ids, scale=1.0):
        return ((self.weight * image**2).flatten(1).sum(1) + 3 * age.reshape(-1) * self.bonus[ids].sum(1)) * scale


IMAGE = torch.linspace(-1, 2, 24).reshape(2, 3, 2, 2)
AGE, IDS = torch.tensor([2.0, -1.0]), torch.tensor([[1, 2], [3, 0]])
EXACT = Model().weight * IMAGE**2, 3 * AGE * torch.tensor([11.0, 100.0])
TUPLE, DICT = (IMAGE, AGE, IDS), {"image": IMAGE, "age": AGE, "ids": IDS}


def explained(x=TUPLE, **arguments):
    return gl.explain(Model(), x, **({"steps": 2} | arguments))


def test_values_come_in_the_structure_of_x_with_nothing_for_what_is_held():
    """Two midpoints are exact for squares and products; ages of shape (N,) have values of that shape."""
    a, b = explained(), explained(DICT)
    assert isinstance(a.values, tuple)
    assert isinstance(b.values, dict)
    assert list(b.values) == ["image", "age", "ids"]
    for values in (a.values, tuple(b.values.values())):
        torch.testing.assert_close(values[0], EXACT[0])
        torch.testing.assert_close(values[1], EXACT[1])
        assert values[2] is None
        assert values[1].shape == AGE.shape
    torch.testing.assert_close(a.completeness_gap, torch.zeros(2).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(a.score, Model()(*TUPLE).double())


def test_a_list_of_inputs_is_a_tuple():
    assert isinstance(explained(list(TUPLE)).values, tuple)


def test_one_entry_in_a_tuple_stays_in_a_tuple():
    (values,) = gl.explain(lambda x: x.square().sum((1, 2, 3)), (IMAGE,), steps=2).values
    torch.testing.assert_close(values, IMAGE**2)
    assert list(gl.explain(lambda x: x.square().sum((1, 2, 3)), {"x": IMAGE}, steps=2).values) == ["x"]


def test_entries_of_two_precisions_have_values_of_the_working_one():
    a = gl.explain(lambda x, y: x.double().sum(1) + y.sum(1), (IMAGE.flatten(1), AGE.double()[:, None]), steps=2)
    assert [v.dtype for v in a.values] == [torch.float64] * 2


def test_at_a_layer_values_are_one_tensor_in_its_shape():
    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(4, 3)

        def forward(self, ids, mask):
            return (self.embed(ids).square().sum(2) * mask).sum(1)

    model = Embedded().eval()
    for x in ((IDS, IDS > 0), {"ids": IDS, "mask": IDS > 0}):
        a = gl.explain(model, x, site=gl.Layer("embed"), baseline=gl.baselines.AtSite(0.0), steps=2)
        torch.testing.assert_close(a.values, model.embed(IDS).detach() ** 2 * (IDS > 0).unsqueeze(2))
        assert a.provenance["site"] == "'embed'"


@pytest.mark.parametrize(("index", "rows"), [(1, [1]), (-2, [0]), (slice(None, None, -1), [1, 0]), (slice(1, 1), [])])
@pytest.mark.parametrize("x", [TUPLE, DICT], ids=["tuple", "dict"])
def test_indexing_takes_the_same_rows_of_every_entry(x, index, rows):
    a = explained(x)
    b = a[index]
    assert type(b.values) is type(a.values)
    assert len(b) == len(rows)
    for name, whole in named(a.values).items():
        assert torch.equal(named(b.values)[name], whole[rows])
    held = b.values["ids"] if isinstance(b.values, dict) else b.values[2]
    assert held is None


def test_sums_and_moves_go_into_every_entry():
    a = gl.explain(lambda x, y: x.flatten(1).sum(1) + y.flatten(1).sum(1), (IMAGE, IMAGE[:, :2]), steps=1)
    assert [s.shape for s in a.sum(1)] == [(2, 2, 2), (2, 2, 2)]
    torch.testing.assert_close(a.sum((1, 2, 3))[1], IMAGE[:, :2].sum((1, 2, 3)))
    b = explained(DICT).to("meta")
    assert {name: v if v is None else v.device.type for name, v in b.values.items()} == {
        "image": "meta",
        "age": "meta",
        "ids": None,
    }
    assert b.score.device.type == "cpu"


@pytest.mark.parametrize(("x", "shape"), [(TUPLE, "0: 3×2×2, 1: 1"), (DICT, "image: 3×2×2, age: 1")])
def test_the_card_names_every_entry(x, shape):
    a = explained(x)
    assert repr(a).splitlines()[0] == f"integrated-gradients of the output: 2 examples of shape {shape}"
    assert f"of shape {shape}" in repr(a[0])
    assert "image: 3×2×2" in explained(DICT)._repr_html_()


def assert_same(a, b):
    one, other = named(a.values), named(b.values)
    assert type(a.values) is type(b.values)
    assert list(one) == list(other)
    assert all(torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one)
    assert len(a.values) == len(b.values)
    assert repr(a) == repr(b)
    assert (a.status, a.findings, dict(a.details)) == (b.status, b.findings, dict(b.details))


@pytest.mark.parametrize("x", [TUPLE, DICT, (IMAGE, AGE, IDS, 2.0)], ids=["tuple", "dict", "flag"])
@pytest.mark.parametrize("budget", [{"steps": 2}, {"steps": None, "tol": 0.1}], ids=["steps", "tol"])
def test_several_inputs_are_saved_and_come_back(tmp_path, x, budget):
    a = explained(x, **budget)
    assert_same(a, gl.load(a.save(tmp_path / "a.safetensors")))
    assert_same(a[1:], gl.load(a[1:].save(tmp_path / "part.safetensors")))


def test_keys_may_be_any_words(tmp_path):
    """Also such as look like positions, paths or other tensors of the file."""
    keys = ["0", "score", "a/b", "values", "π ", "curve/0/t"]
    a = explained(DICT)
    a = replace(a, values={key: torch.full((2, k + 1), float(k)) for k, key in enumerate(keys)})
    b = gl.load(a.save(tmp_path / "a.safetensors"))
    assert list(b.values) == keys
    assert all(torch.equal(b.values[key], a.values[key]) for key in keys)


def test_another_reader_finds_the_entries_by_name(tmp_path):
    a = explained(DICT)
    tensors = safetensors.torch.load_file(a.save(tmp_path / "a.safetensors"))
    assert torch.equal(tensors["values/image"], a.values["image"])
    assert torch.equal(tensors["values/age"], a.values["age"])
    assert "values/ids" not in tensors


@pytest.mark.parametrize(
    "structure", [3, "tuple", {}, {"kind": "dict"}, {"kind": "list", "keys": []}, {"kind": "dict", "keys": 3}]
)
def test_a_structure_that_makes_no_sense_is_damage(tmp_path, structure):
    path = explained(DICT).save(tmp_path / "a.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    header = {**json.loads(metadata["header"]), "structure": structure}
    safetensors.torch.save_file(tensors, path, {**metadata, "header": json.dumps(header)})
    with pytest.raises(gl.StorageError, match="damaged"):
        gl.load(path)


def test_a_file_from_before_there_were_structures_is_read(tmp_path):
    a = gl.explain(lambda x: x.square().sum(1), IMAGE.flatten(1), steps=1)
    path = a.save(tmp_path / "a.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    header = {k: v for k, v in json.loads(metadata["header"]).items() if k != "structure"}
    safetensors.torch.save_file(tensors, path, {**metadata, "header": json.dumps(header)})
    assert torch.equal(gl.load(path).values, a.values)


# ------------------------------------------------------------------------------------------------ the helpers


def test_structures_are_walked_and_named():
    one, pair = torch.ones(2, 3), (torch.ones(2), None, torch.zeros(2, 1, 4))
    assert list(named(one)) == [""]
    assert list(named(pair)) == ["0", "2"]
    assert list(named({"a": one, "b": None})) == ["a"]
    assert mapped(lambda t: t + 1, pair)[1] is None
    assert torch.equal(mapped(lambda t: t + 1, {"a": one})["a"], one + 1)
    assert flat(pair).tolist() == [[1.0, 0, 0, 0, 0]] * 2
    assert shape_of(torch.ones(5)) == "1"
    assert shape_of({"x": one, "y": None, "z": torch.ones(2)}) == "x: 3, z: 1"
