"""Tables: numbers, one-hot groups and embeddings in one attribution; baselines; standard errors; refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from tabular_cases import FRAME, LAYERS, Embedded, adult, cancer, columns, embedded_model, one_hot_model, some
from torch import Tensor, nn

import gradline as gl
from gradline.adapters import tabular
from gradline.adapters.tabular import Background, Category, Mean, Numeric, TabularModel, Typical
from gradline.adapters.tabular import explain_table as explain
from gradline.adapters.tabular.encoding import encoder

ROW = {"age": 30, "work": "c", "study": "y", "hours": 12}

BACK = {name: values[::-1] for name, values in FRAME.items()}


def contributions(a: gl.Attribution) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in tabular.frame(a).items()}


def test_a_linear_model_on_paper() -> None:
    """F = 2 u − 3 v with u = (age − 40) / 10 and v = hours / 4: 2 (age − 30) / 10 and −3 (hours − 20) / 4."""
    net = nn.Linear(2, 1, bias=False).double()
    net.weight.data = torch.tensor([[2.0, -3.0]]).double()
    model = TabularModel(net, (Numeric("age", "years", 40, 10), Numeric("hours", "h", 0, 4)))
    a = explain({"age": [50, 20], "hours": [40, 16]}, model=model, baseline={"age": 30, "hours": 20})
    assert contributions(a)["age"] == pytest.approx([2 * 20 / 10, 2 * -10 / 10])
    assert contributions(a)["hours"] == pytest.approx([-3 * 20 / 4, 3 * 4 / 4])
    assert a.score.tolist() == pytest.approx([2 * 1 - 3 * 10, 2 * -2 - 3 * 4])
    mean = explain({"age": [50], "hours": [40]}, model=model)
    assert contributions(mean)["hours"] == pytest.approx([-30])


class Twin(nn.Module):
    """The same network with embedding vectors as its inputs, written by hand."""

    def __init__(self, net: Embedded) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, work: Tensor, study: Tensor) -> Tensor:
        return self.net.head(torch.cat([x, work, study], 1))


def twin_inputs(model: TabularModel, frame: object) -> tuple[Tensor, ...]:
    read, net = encoder(model).read(frame), model.model
    assert isinstance(net, Embedded)
    vectors = [layer(read.codes[:, k]).detach() for k, layer in enumerate(net.embed.values())]
    return read.moved["numbers"], *vectors


@pytest.mark.parametrize("target", [1, gl.Probability(0), gl.Margin(1)], ids=repr)
def test_embedded_categories_equal_a_twin_that_takes_vectors(target: object) -> None:
    model = embedded_model()
    ours = explain(FRAME, model=model, target=target, baseline=ROW, steps=12, rule=gl.rules.GaussLegendre)
    x = twin_inputs(model, FRAME)
    start = twin_inputs(model, ROW)
    theirs = gl.explain(Twin(model.model), x, target, baseline=start, steps=12, rule=gl.rules.GaussLegendre)
    found = contributions(ours)
    for name, place in (("age", 0), ("hours", 1)):
        assert found[name] == pytest.approx(theirs.values[0][:, place].numpy(), abs=1e-10)
    for name, place in (("work", 1), ("study", 2)):
        assert found[name] == pytest.approx(theirs.values[place].sum(1).numpy(), abs=1e-10)
        assert (ours.values[name] - theirs.values[place]).abs().max() < 1e-10
    assert ours.baseline_score.tolist() == pytest.approx(theirs.baseline_score.tolist(), abs=1e-12)


def test_captum_says_the_same() -> None:
    model = embedded_model()
    x, start = twin_inputs(model, FRAME), twin_inputs(model, ROW)
    theirs = IntegratedGradients(Twin(model.model)).attribute(x, tuple(start), target=1, n_steps=20)
    ours = explain(FRAME, model=model, target=1, baseline=ROW, steps=20, rule=gl.rules.GaussLegendre)
    assert contributions(ours)["work"] == pytest.approx(theirs[1].sum(1).numpy(), abs=1e-8)
    flat = one_hot_model()
    read, given = (encoder(flat).read(f).moved[""] for f in (FRAME, ROW))
    theirs = IntegratedGradients(flat.model).attribute(read, given, target=0, n_steps=20)
    ours = explain(FRAME, model=flat, target="no", baseline=ROW, steps=20, rule=gl.rules.GaussLegendre)
    assert contributions(ours)["work"] == pytest.approx(theirs[:, 1:4].sum(1).numpy(), abs=1e-8)
    assert contributions(ours)["hours"] == pytest.approx(theirs[:, 6].numpy(), abs=1e-8)


@pytest.mark.parametrize("make", [embedded_model, one_hot_model])
@pytest.mark.parametrize(
    "baseline", [None, Typical(), ROW, BACK, Background(FRAME), Background(FRAME, draws=2), gl.baselines.Zero()]
)
def test_columns_add_up_to_the_score(make: object, baseline: object) -> None:
    a = explain(FRAME, model=make(), target="yes", baseline=baseline, tol=1e-3 if baseline is None else 0.05)
    values = sum(v for name, v in contributions(a).items() if not name.endswith("±"))
    assert values == pytest.approx((a.score - a.baseline_score + a.completeness_gap).numpy(), abs=1e-12)
    assert a.completeness_gap.abs().max() < 1e-2 * (a.score - a.baseline_score).abs().max()


def test_mean_of_categories_is_the_mean_vector_and_the_frequencies() -> None:
    """Of work: a twice, b and c once in four rows."""
    model = embedded_model()
    table = model.model.embed["work"].weight.detach()
    a = explain(FRAME, model=model, target=1, steps=4, baseline=Mean())
    start = torch.cat([torch.zeros(1, 2).double(), (table[0] * 2 + table[1] + table[2])[None] / 4,
                       model.model.embed["study"].weight.detach().mean(0)[None]], 1)  # fmt: skip
    assert a.baseline_score.tolist() == pytest.approx([model.model.head(start)[0, 1].item()] * 4, abs=1e-12)
    flat = one_hot_model()
    b = explain(FRAME, model=flat, target=1, steps=4)
    group = torch.tensor([[0, 0.5, 0.25, 0.25, 0.5, 0.5, 0]]).double()
    assert b.baseline_score.tolist() == pytest.approx([flat.model(group)[0, 1].item()] * 4, abs=1e-12)
    assert b.shown[0].baseline == "the average row"
    typical = explain(FRAME, model=flat, target=1, steps=4, baseline=Typical())
    assert [cell.start for cell in typical.shown[0].cells] == ["36.25 years", "a", "x", "26.25 h"]


def test_standard_errors_of_a_linear_model_are_those_of_the_rows() -> None:
    """Contributions are linear in the start: their scatter is w s(rows), over √K."""
    net = nn.Linear(2, 1, bias=False).double()
    net.weight.data = torch.tensor([[2.0, -3.0]]).double()
    model = TabularModel(net, (Numeric("age"), Numeric("hours")))
    rows = {"age": np.arange(10.0), "hours": np.arange(10.0) ** 2}
    a = explain({"age": [3.0], "hours": [1.0]}, model=model, baseline=Background(rows))
    wanted = [2 * rows["age"].std(ddof=1) / 10**0.5, 3 * rows["hours"].std(ddof=1) / 10**0.5]
    assert a.parts["standard_error"][0].tolist() == pytest.approx(wanted)
    assert contributions(a)["age ±"] == pytest.approx(wanted[0])
    assert contributions(a)["age"] == pytest.approx(2 * (3 - 4.5))
    drawn = explain({"age": [3.0], "hours": [1.0]}, model=model, baseline=Background(rows, draws=4), tol=0.5)
    assert drawn.parts["standard_error"].shape == (1, 2)
    assert drawn.shown[0].paths == 4
    assert "standard_error" not in explain({"age": [3.0], "hours": [1.0]}, model=model, baseline=rows["age"][0]).parts


def test_standard_errors_tell_how_far_means_move() -> None:
    """Means over 12 of 40 rows: nine of ten lie within two standard errors of the mean over all."""
    model, train, new = cancer()
    row, rng = some(new, slice(1)), np.random.default_rng(0)
    train = some(train, slice(40))

    def mean(places: np.ndarray) -> gl.Attribution:
        rows = {name: [values[k] for k in places] for name, values in train.items()}
        return explain(row, model=model, target="benign", baseline=Background(rows), tol=0.2)

    whole = contributions(explain(row, model=model, target="benign", baseline=Background(train), tol=0.2))
    within = []
    for _ in range(3):
        found = contributions(mean(rng.choice(40, 12, replace=False)))
        within += [abs(found[n] - whole[n])[0] <= 2 * found[f"{n} ±"][0] for n in found if not n.endswith("±")]
    assert np.mean(within) > 0.8


def test_models_take_their_inputs_as_they_like() -> None:
    """The same network by name, by position, with codes among the numbers, with one layer for all categories."""
    model = embedded_model()
    net, known = model.model, columns()
    want = contributions(explain(FRAME, model=model, target=1, baseline=ROW, steps=6))

    def check(call: object, inputs: object, known: object = known) -> None:
        a = explain(FRAME, model=TabularModel(call, known, inputs=inputs), target=1, baseline=ROW, steps=6)
        for name, values in contributions(a).items():
            assert values == pytest.approx(want[name], abs=1e-12), name

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = net.embed, net.head

        def forward(self, hours: Tensor, age: Tensor, cats: Tensor) -> Tensor:
            return net(torch.stack([age, hours], 1), cats.long())

        def together(self, x: Tensor) -> Tensor:
            return self(x[:, 3], x[:, 0], x[:, 1:3])

    check(Named(), {"age": "age", "hours": "hours", "cats": ["work", "study"]})
    check(Named().together, [["age", "work", "study", "hours"]])
    check(lambda x, c: net(x, c), None, tuple(map(on_module(net), known)))

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(5, 3), nn.Linear(8, 2)

        def forward(self, x: Tensor, codes: Tensor) -> Tensor:
            return self.head(torch.cat([x, self.table(codes + torch.tensor([0, 3])).flatten(1)], 1)).tanh()

    shared, layer = Shared().double(), gl.Layer("table")
    both = tabular.columns_of(FRAME, layers={"work": layer, "study": layer})
    a = explain(FRAME, model=TabularModel(shared, both), target=1, tol=1e-3)
    assert a.values["work+study"].shape == (4, 2, 3)
    assert contributions(a)["study"] == pytest.approx(a.values["work+study"][:, 1].sum(1).numpy())


def on_module(net: Embedded) -> object:
    """Columns whose layers are the modules themselves, for a model that is only a function."""

    def moved(column: object) -> object:
        if not isinstance(column, Category):
            return column
        return Category(column.name, column.values, gl.Layer(net.embed[column.name]), frequencies=column.frequencies)

    return moved


def test_nothing_of_the_model_changes() -> None:
    model = embedded_model()
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    model.model.train()
    a = explain(FRAME, model=model, target=1, steps=3)
    assert model.model.training
    assert any(f.code == "GL101" for f in a.findings)
    model.model.eval()
    assert not explain(FRAME, model=model, target=gl.Neuron("head.1", 3), steps=3).findings
    assert all((before[name] == tensor).all() for name, tensor in model.model.state_dict().items())
    assert all(not m._forward_hooks and m.weight.grad is None for m in model.model.embed.values())
    assert a.provenance["model"].endswith("Embedded")


def test_adult_and_cancer_are_learned_and_explained() -> None:
    model, _, new = adult()
    a = explain(new, model=model, target=">50K", tol=0.02)
    assert set(a.status) == {gl.Status.CONVERGED}
    assert (a.completeness_gap.abs() < 0.02 * (a.score - a.baseline_score).abs() + 0.02).all()
    found = contributions(a)
    married = np.array(new["marital_status"]) == "Married-civ-spouse"
    assert found["marital_status"][married].mean() > 0 > found["marital_status"][~married].mean()
    assert np.corrcoef(new["education_num"], found["education_num"])[0, 1] > 0.8
    model, _, new = cancer()
    b = explain(new, model=model, target="benign", tol=0.02)
    right = (b.score > 0) == torch.tensor([d == "benign" for d in new["diagnosis"]])
    assert right.double().mean() > 0.85
    assert np.corrcoef(new["concave_points"], contributions(b)["concave_points"])[0, 1] < -0.8


def refused(match: str, **changed: object) -> None:
    frame = {k: v for k, v in (FRAME | changed).items() if v is not None}
    with pytest.raises(gl.InputError, match=match):
        explain(frame, model=embedded_model())


def test_refusals_of_rows() -> None:
    nan = float("nan")
    refused(r"column 'age'.*did you mean 'Age'", age=None, Age=[1, 2, 3, 4])
    refused(r"all 4 columns, got one without 'age', 'work'", age=None, work=None)
    refused(r"number in column 'age', row 2, got a missing value.*missing=", age=[1, 2, nan, 4])
    refused(r"finite number in column 'age', row 1, got inf", age=[1, float("inf"), 3, 4])
    refused(r"number in column 'age', row 0, got 'old' \(str\)", age=["old", 2, 3, 4])
    refused(r"known value in column 'work', row 3, got 'd'; known: a, b, c", work=["a", "a", "a", "d"])
    refused(r"value in column 'study', row 1, got a missing value", study=["x", None, "y", "x"])
    refused(r"whose columns have as many rows", age=[1, 2])
    refused(r"at least one row", **{name: [] for name in FRAME})
    with pytest.raises(gl.InputError, match="polars DataFrame, or a mapping"):
        explain(torch.zeros(2, 4), model=embedded_model())
    with pytest.raises(gl.InputError, match=r"TabularModel, got Linear; say how"):
        explain(FRAME, model=nn.Linear(2, 2))


def test_missing_values_that_are_declared() -> None:
    known = tabular.columns_of(FRAME | {"work": ["a", None, "a", "c"]}, missing={"work": "?", "age": 33.0})
    assert known[1].values == ("?", "a", "c")
    model = TabularModel(nn.Linear(7, 1).double(), known)
    rows = FRAME | {"age": [None, 1, 2, 3], "work": [float("nan"), "a", "c", "?"]}
    a = explain(rows, model=model, steps=2)
    assert [cell.value for cell in a.shown[0].cells][:2] == ["33", "?"]


def test_refusals_of_models_and_baselines() -> None:
    net = Embedded().double()
    with pytest.raises(gl.InputError, match=r"did you mean 'embed\.work'"):
        TabularModel(net, (Category("work", "abc", gl.Layer("embed.wrok")),))
    with pytest.raises(gl.InputError, match="'age' twice"):
        TabularModel(net, (Numeric("age"), Numeric("age")))
    with pytest.raises(gl.InputError, match="every column in one of inputs=, got 'hours' in none"):
        TabularModel(net, columns(), inputs=[["age"], ["work", "study"]])
    with pytest.raises(gl.ModelError, match=r"inputs= of the TabularModel says what it takes"):
        explain(FRAME, model=TabularModel(net, columns(), inputs=[["age", "work", "study", "hours"]]))
    with pytest.raises(gl.InputError, match="2 labels for Embedded, one each output, got 3"):
        explain(FRAME, model=TabularModel(net, columns(), labels=("a", "b", "c")))
    with pytest.raises(gl.InputError, match="one of the model's labels, got 'maybe'"):
        explain(FRAME, model=embedded_model(), target="maybe")
    with pytest.raises(gl.BaselineError, match=r"one row, or of 4.*Background"):
        explain(FRAME, model=embedded_model(), baseline={k: v[:2] for k, v in FRAME.items()})
    bare = tuple(Category(c.name, c.values, LAYERS[c.name]) if isinstance(c, Category) else c for c in columns())
    for wanted in (None, Typical()):
        with pytest.raises(gl.BaselineError, match="frequencies of the values of 'work'"):
            explain(FRAME, model=TabularModel(net, bare), baseline=wanted)
    with pytest.raises(gl.BaselineError, match=r"write gl.tabular.Mean\("):
        explain(FRAME, model=embedded_model(), baseline=Mean)
    with pytest.raises(gl.InputError, match=r"an attribution of gl\.explain_table"):
        tabular.frame(gl.explain(nn.Linear(2, 1), torch.ones(1, 2)))
    with pytest.raises(gl.InputError, match="scale above 0"):
        Numeric("age", scale=0)
    with pytest.raises(gl.InputError, match="different values"):
        Category("work", ("a", "a"))


def test_one_output_for_two_labels() -> None:
    model = TabularModel(nn.Linear(7, 1).double(), columns(embedded=False), labels=("no", "yes"))
    a = explain(FRAME, model=model, target="yes", steps=2)
    assert [name for name, _ in a.shown[0].candidates]
    assert a.shown[0].title == "yes"
    assert sum(p for _, p in a.shown[0].candidates) == pytest.approx(1)
    with pytest.raises(gl.InputError, match="explain 'yes' and turn the signs round"):
        explain(FRAME, model=model, target="no")
