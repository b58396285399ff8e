"""The Python that repeats the explanation of a text, from the values it was made with."""

from __future__ import annotations

import dataclasses
from typing import Any

from gradline.adapters.recipe import WIDTH, Unwritable, method_text, written
from gradline.core.method import Method

PARTS = ("gradline.adapters.text.targets", "gradline.adapters.text.baselines", "gradline.adapters.text.answers")
"""Where the parts of `gl.text` live."""


def text_call(
    text: Any,
    *,
    source: str | None,
    target: Any = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    memory: int | str | None = None,
    seed: int = 0,
) -> str:
    """The call of `explain_text` with these arguments, defaults left out.

    "" where a value cannot be written: a model made from objects, a baseline that is a tensor, a function as target.
    """
    if source is None:
        return ""
    given = {"tol": tol, "steps": steps, "rule": rule, "memory": memory}
    given |= {"max_evaluations": None if max_evaluations == 512 else max_evaluations, "seed": seed or None}
    try:
        more = {"target": target, "baseline": baseline}
        texts = {name: part_text(value) for name, value in more.items() if value is not None}
        made = method_text(method)
        texts |= {} if made is None else {"method": made}
        texts |= {name: written(value) for name, value in given.items() if value is not None}
        arguments = [plain(text), f"model={written(source)}", *(f"{name}={said}" for name, said in texts.items())]
    except Unwritable:
        return ""
    line = f"a = gl.explain_text({', '.join(arguments)})"
    if len(line) > WIDTH:
        line = "a = gl.explain_text(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
    return f"import gradline as gl\n\n{line}"


def part_text(value: Any) -> str:
    """A part of `gl.text` as the call that makes it; anything else as recipes write it. Raises `Unwritable`."""
    kind = type(value)
    if kind.__module__ not in PARTS or not dataclasses.is_dataclass(value):
        return written(value)
    arguments = []
    for number, field in enumerate(dataclasses.fields(value)):
        own = getattr(value, field.name)
        if own != field.default:
            arguments.append(written(own) if number == 0 else f"{field.name}={written(own)}")
    return f"gl.text.{kind.__name__}({', '.join(arguments)})"


def plain(text: Any) -> str:
    """A text, a pair, messages, or a list of such, as Python. Raises `Unwritable`."""
    match text:
        case dict():
            return "{" + ", ".join(f"{written(k)}: {plain(v)}" for k, v in text.items()) + "}"
        case list():
            return f"[{', '.join(plain(one) for one in text)}]"
        case _:
            return written(text)
