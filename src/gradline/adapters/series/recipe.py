"""The Python that repeats an explanation of series, where the series and the model are at hand."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gradline.adapters.recipe import WIDTH, Unwritable, method_text, written
from gradline.adapters.series import targets
from gradline.adapters.series.baselines import SeriesBaseline
from gradline.core.baselines import Given
from gradline.core.method import Method

SET_ASIDE = ("max_evaluations", 512), ("seed", 0), ("window", None)
"""Arguments and their defaults."""


def python_call(function: str, *, method: Method | None = None, **given: Any) -> str:
    """The call with these arguments, defaults left out; `series` and `model` stand for what was explained.

    "" where a value cannot be written: an array as a baseline, a target that is a function.
    """
    try:
        said = method_text(method)
        texts = {} if said is None else {"method": said}
        for name, value in given.items():
            if value is not None and (name, value) not in SET_ASIDE:
                texts[name] = _value(value)
    except Unwritable:
        return ""
    arguments = ["series", "model=model", *(f"{name}={text}" for name, text in texts.items())]
    line = f"a = {function}({', '.join(arguments)})"
    if len(line) > WIDTH:
        line = f"a = {function}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    return f"import gradline as gl\n\n# series: the array; model: the gl.series.SeriesModel\n{line}"


def _value(value: Any) -> str:
    if isinstance(value, targets.Forecast):
        parts = f"{value.ahead}" if value.variable is None else f"{value.ahead}, {value.variable!r}"
        return f"gl.series.Forecast({parts})"
    if isinstance(value, SeriesBaseline):
        return _baseline(value)
    if isinstance(value, Given) or hasattr(value, "shape"):
        raise Unwritable("an array")
    return written(value)


def _baseline(part: SeriesBaseline) -> str:
    """One of our own, without a layout that was filled in."""
    own = [field.name for field in fields(part) if field.name != "layout"]
    return f"gl.series.{type(part).__name__}({', '.join(written(getattr(part, name)) for name in own)})"
