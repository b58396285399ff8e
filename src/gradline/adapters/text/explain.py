"""Texts: from words to an attribution in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradline.adapters.text.case import TextCase, text_case
from gradline.adapters.text.model import Task, text_model
from gradline.adapters.text.noticed import noticed
from gradline.adapters.text.recipe import text_call
from gradline.core.baselines import Zero
from gradline.core.method import Method
from gradline.engine import attribute
from gradline.methods import integrated_gradients
from gradline.result import Attribution


def explain_text(
    text: Any,
    *,
    model: Any,
    tokenizer: Any = None,
    target: Any = None,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
) -> Attribution:
    """Explain what a model read in a text; the values are at the embedding, `(N, T, D)`.

    `text`: a str, a pair `(first, second)` that the model reads together, such as a question and its context, or a list
    of either; for a language model also the messages of a chat. `model`: "minilm-sentiment"; "hf:NAME" or a folder; a
    pipeline of transformers; a model of transformers, with its `tokenizer`; a `gl.text.TextModel`. `target`: the name
    of a label, or what the model's task has: `gl.text.Label`, `TokenLabel`, `Span`, `Masked`, `Similarity`, `Answer`;
    the prediction by default. `baseline`: a part of `gl.text`, another text, token ids, or a part of `gl.baselines`,
    taken at the embedding; the mask token by default; special tokens stay what they are. The rest as in
    `gradline.attribute`.

    The contribution of a token is `a.values[i, place].sum()`; `gl.text.words(a)` adds them up. The result knows its
    text: it shows itself in a notebook, and `a.save("text.html")` writes the report.

    Raises `InputError` and its kinds, `MissingExtra`, `ModelError`, `MemoryBudgetError`.
    """
    chosen = text_model(model, tokenizer)
    if chosen.task in (Task.CAUSAL, Task.SEQ2SEQ):
        from gradline.adapters.text.answers import answer_case

        case = answer_case(text, chosen, target)
    else:
        case = text_case(text, chosen, target)
    return explain_case(
        case,
        method=method,
        baseline=baseline,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        seed=seed,
        memory=memory,
        progress=progress,
        python=text_call(
            text,
            source=chosen.source,
            target=target,
            method=method,
            baseline=baseline,
            tol=tol,
            steps=steps,
            rule=rule,
            max_evaluations=max_evaluations,
            memory=memory,
            seed=seed,
        ),
    )


def explain_case(
    case: TextCase,
    *,
    method: Method | None = None,
    baseline: object = None,
    tol: float | None = None,
    steps: int | None = None,
    rule: Any = None,
    max_evaluations: int = 512,
    seed: int = 0,
    memory: int | str | None = None,
    progress: bool = False,
    command: str = "",
    python: str = "",
) -> Attribution:
    """The same for texts that were read before. `command`, `python`: what the report says would repeat it."""
    chosen = integrated_gradients() if method is None else method
    has_path = isinstance(chosen, Method) and chosen.baseline is not None
    own = chosen.baseline if has_path and chosen.baseline != Zero() else None  # zero is every method's, masks a text's
    wanted = own if baseline is None else baseline
    started = case if wanted is None else case.starting_at(wanted)
    a = attribute(
        started.score,
        started.inputs,
        chosen,
        baseline=started.baseline if has_path or baseline is not None else None,
        tol=tol,
        steps=steps,
        rule=rule,
        max_evaluations=max_evaluations,
        names=started.names,
        seed=seed,
        memory=memory,
        progress=progress,
    )
    plain = not (has_path or baseline is not None)
    texts = (_without_start(t) if plain else t for t in started.texts)
    shown = tuple(replace(text, command=command, python=python) for text in texts)
    found = replace(a, shown=shown, values=a.values["input_ids"] if isinstance(a.values, dict) else a.values)
    return found if plain else noticed(started, found)


def _without_start(text: Any) -> Any:
    return replace(text, start=(), baseline="", paths=1)
