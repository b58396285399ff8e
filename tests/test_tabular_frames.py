"""Frames in and out: mappings, pandas, polars; what comes back has their kind and their index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tabular_cases import FRAME, embedded_model, some

import gradline as gl
from gradline.adapters import tabular
from gradline.adapters.tabular import explain_table as explain
from gradline.adapters.tabular.frames import read_table


class Index(list):  # type: ignore[type-arg]
    """As far as pandas is needed."""

    def __getitem__(self, places: Any) -> Any:
        return Index(list.__getitem__(self, k) for k in places) if isinstance(places, list) else super()[places]


class Frame:
    """The part of a pandas DataFrame that is used, for machines without pandas."""

    def __init__(self, data: dict[str, Any], index: Any = None, columns: Any = None) -> None:
        self.data, self.columns = data, list(data) if columns is None else columns
        self.index = Index(range(len(next(iter(data.values()), [])))) if index is None else index

    @property
    def iloc(self) -> Any:
        data = list(self.data.values())

        class At:
            def __getitem__(self, place: tuple[slice, int]) -> Any:
                return data[place[1]]

        return At()


def test_a_mapping_gives_a_mapping() -> None:
    model = embedded_model()
    lists = tabular.frame(explain(FRAME, model=model, target=1, steps=4))
    assert list(lists) == list(FRAME)
    assert all(isinstance(v, list) and len(v) == 4 for v in lists.values())
    arrays = {"age": np.array(FRAME["age"]), **{k: FRAME[k] for k in ("work", "study")}, "hours": torch.arange(4)}
    assert isinstance(tabular.frame(explain(arrays, model=model, target=1, steps=4))["age"], np.ndarray)
    more = FRAME | {"other": [None] * 4}
    again = tabular.frame(explain(dict(reversed(more.items())), model=model, target=1, steps=4))
    assert again["work"] == pytest.approx(lists["work"])
    one = tabular.frame(explain({k: v[2] for k, v in FRAME.items()}, model=model, target=1, steps=4))
    assert one["age"] == pytest.approx(lists["age"][2:3])


def test_something_like_pandas_keeps_its_index() -> None:
    model = embedded_model()
    a = explain(Frame(FRAME, Index("pqrs")), model=model, target=1, steps=4)
    assert a.names == ("p", "q", "r", "s")
    made = tabular.frame(a[1:3])
    assert isinstance(made, Frame)
    assert made.index == ["q", "r"]
    assert made.data["age"] == pytest.approx(tabular.frame(a).data["age"][1:3])
    assert a.shown[1].name == "row q"
    assert explain(Frame(FRAME, Index("ppqq")), model=model, target=1, steps=2).names == ("0", "1", "2", "3")
    with pytest.raises(gl.InputError, match="'age' twice"):
        read_table(Frame(FRAME, columns=["age", "age", "study", "hours"]))


def test_rows_do_not_influence_one_another() -> None:
    model = embedded_model()
    whole = tabular.frame(explain(FRAME, model=model, target=1, steps=6))
    alone = tabular.frame(explain(some(FRAME, slice(2, 3)), model=model, target=1, steps=6))
    assert all(alone[name] == pytest.approx(whole[name][2:3], abs=1e-12) for name in FRAME)


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    model, frame = embedded_model(), pandas.DataFrame(FRAME, index=[10, 20, 30, 40])
    frame["work"] = frame["work"].astype("category")
    frame["hours"] = frame["hours"].astype("Int64")
    made = tabular.frame(explain(frame, model=model, target=1, steps=4))
    assert isinstance(made, pandas.DataFrame)
    assert made.index.equals(frame.index)
    assert list(made.columns) == list(frame.columns)
    assert made["work"].to_numpy() == pytest.approx(
        tabular.frame(explain(FRAME, model=model, target=1, steps=4))["work"]
    )
    frame.loc[20, "hours"] = pandas.NA
    with pytest.raises(gl.InputError, match="'hours', row 1, got a missing value"):
        explain(frame, model=model)
    known = tabular.columns_of(pandas.DataFrame(FRAME))
    assert [type(c).__name__ for c in known] == ["Numeric", "Category", "Category", "Numeric"]
    with pytest.raises(gl.InputError, match="'age' twice"):
        explain(pandas.concat([frame, frame[["age"]]], axis=1), model=model)


def test_polars() -> None:
    polars = pytest.importorskip("polars")
    model, frame = embedded_model(), polars.DataFrame(FRAME)
    made = tabular.frame(explain(frame, model=model, target=1, steps=4))
    assert isinstance(made, polars.DataFrame)
    assert made.columns == frame.columns
    with pytest.raises(gl.InputError, match="collect"):
        explain(frame.lazy(), model=model)
    with pytest.raises(gl.InputError, match="'age', row 0, got a missing value"):
        explain(frame.with_columns(age=polars.lit(None)), model=model)


def test_columns_of_a_training_frame() -> None:
    known = tabular.columns_of(FRAME, without=["hours"], units={"age": "years"}, categories=["age"][:0])
    age, work, study = known
    assert age == tabular.Numeric("age", "years", np.mean(FRAME["age"]), np.std(FRAME["age"]))
    assert (work.values, work.frequencies) == (("a", "b", "c"), (0.5, 0.25, 0.25))
    assert study.usual == 0
    coded = tabular.columns_of(FRAME, categories=["hours"])[3]
    assert coded.values == (10, 20, 30, 45)
    with pytest.raises(gl.InputError, match=r"'income'.*it has age, work"):
        tabular.columns_of(FRAME, without=["income"])
    with pytest.raises(gl.InputError, match="'work', row 1, got a missing value"):
        tabular.columns_of(FRAME | {"work": ["a", None, "a", "c"]})
    with pytest.raises(gl.InputError, match="units for columns of numbers, and 'work' is none"):
        tabular.columns_of(FRAME, units={"work": "h"})
    with pytest.raises(gl.InputError, match="beside those of without="):
        tabular.columns_of(FRAME, without=list(FRAME))
