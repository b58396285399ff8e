"""A model of text with what belongs to it: tokenizer, task, names of labels."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from gradline.adapters.models.factory import is_place, product
from gradline.errors import GradlineError, InputError, ModelError
from gradline.question.guard import undisturbed
from gradline.question.sites import Layer
from gradline.question.trouble import cause

BUILT_IN = "minilm-sentiment"
"""The text model that comes with gradline."""

NO_LIMIT = 10**9
"""Tokenizers without a limit of their own say a number beyond this."""


class Task(StrEnum):
    """What a text model is made for. `SIMILARITY`: an encoder without a head, for the meaning of sentences."""

    SEQUENCE = "sequence classification"
    TOKENS = "token classification"
    QUESTION = "question answering"
    MASKED = "masked language model"
    SIMILARITY = "sentence similarity"
    CAUSAL = "causal language model"
    SEQ2SEQ = "encoder-decoder language model"


@dataclass(frozen=True, eq=False)
class TextModel:
    """A model of text and how text becomes its input.

    `model`: takes `input_ids (N, T)` by name and has `get_input_embeddings()`, as models of transformers do.
    `tokenizer`: of transformers. `labels`: names of its classes in order, empty if nobody knows. `source`: the name
    that `text_model` made it from, None if it was made from objects. `call`: which call of the embedding is the text's,
    if one forward calls it several times.

    Raises `InputError` where something of this is not so.
    """

    name: str
    model: nn.Module
    tokenizer: Any
    task: Task
    labels: tuple[str, ...] = ()
    source: str | None = None
    call: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise InputError("a model of text as a torch.nn.Module", type(self.model).__name__)
        if not callable(self.tokenizer) or not hasattr(self.tokenizer, "convert_ids_to_tokens"):
            remedy = "transformers.AutoTokenizer.from_pretrained(…) reads the one that the model was trained with"
            raise InputError("a tokenizer of transformers", type(self.tokenizer).__name__, remedy)
        if not isinstance(self.task, Task):
            raise InputError("a task such as gl.text.Task.SEQUENCE", repr(self.task))
        if not (isinstance(self.labels, tuple) and all(isinstance(name, str) for name in self.labels)):
            raise InputError("labels as a tuple of names", repr(self.labels)[:80])

    @property
    def plain(self) -> nn.Module:
        """The module itself, where `model` is a compiled or parallel copy."""
        inner = getattr(self.model, "_orig_mod", self.model)
        return inner.module if isinstance(inner, nn.DataParallel) else inner

    @property
    def embedding(self) -> nn.Module:
        """The layer that embeds the text's tokens; of an encoder and a decoder the encoder's."""
        owner: Any = self.plain
        while not hasattr(owner, "get_input_embeddings") and isinstance(getattr(owner, "model", None), nn.Module):
            owner = owner.model  # a module of the user's, or one that runs a model twice
        if getattr(self.config, "is_encoder_decoder", False) and callable(getattr(owner, "get_encoder", None)):
            owner = owner.get_encoder()
        try:
            found = owner.get_input_embeddings()
        except (AttributeError, NotImplementedError):
            found = None
        if not isinstance(found, nn.Module):
            remedy = "give it a method get_input_embeddings() that returns its nn.Embedding"
            raise InputError("a model that says where it embeds tokens", type(owner).__name__, remedy)
        return found

    @property
    def site(self) -> Layer:
        """Where the path is driven: behind the embedding."""
        return Layer(self.embedding, call=self.call)

    @property
    def table(self) -> Tensor | None:
        """The embedding's weights `(V, D)`, None if it keeps no such table."""
        weight = getattr(self.embedding, "weight", None)
        return weight if isinstance(weight, Tensor) and weight.ndim == 2 else None

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the embedding."""
        return next((p.device for p in self.embedding.parameters()), torch.device("cpu"))

    @property
    def config(self) -> Any:
        """The transformers configuration of the model, or of the first part that has one; None without."""
        parts = (getattr(module, "config", None) for module in self.plain.modules())
        return next((config for config in parts if config is not None), None)

    @property
    def limit(self) -> int | None:
        """The most tokens of an input, special ones included; None if nobody says."""
        said = [getattr(self.tokenizer, "model_max_length", None)]
        said.append(getattr(self.config, "max_position_embeddings", None))
        for name, module in self.plain.named_modules():
            if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx:
                said.append(module.num_embeddings - module.padding_idx - 1)  # places are counted from behind padding
        known = [n for n in said if isinstance(n, int) and 0 < n < NO_LIMIT]
        return min(known) if known else None

    @property
    def mask_token(self) -> int | None:
        """The id that stands for a hidden token."""
        return self._own("mask_token_id")

    @property
    def pad_token(self) -> int | None:
        """The id that fills up short texts; None also where that is the token for the end of a text."""
        pad = self._own("pad_token_id")
        return None if pad is not None and pad == getattr(self.tokenizer, "eos_token_id", None) else pad

    def _own(self, name: str) -> int | None:
        """An id of the tokenizer's that the model has an embedding for."""
        found = getattr(self.tokenizer, name, None)
        table = self.table
        return found if isinstance(found, int) and (table is None or found < len(table)) else None

    def accepts(self, name: str) -> bool:
        """Whether the model's forward takes an argument of this name."""
        known = inspect.signature(self.plain.forward).parameters
        alone = all(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in known.values())
        return name in known or alone

    def label(self, index: int) -> str:
        """The name of a label; "class 3" if nobody knows."""
        return self.labels[index] if 0 <= index < len(self.labels) else f"class {index}"

    def output(self, arguments: dict[str, Any]) -> Any:
        """What the model returns, without gradients, in evaluation mode, undisturbed. Raises `ModelError`."""
        with undisturbed(self.model, self.device), torch.no_grad():
            try:
                return self.model(**arguments)
            except GradlineError:
                raise
            except Exception as error:
                shape = tuple(arguments["input_ids"].shape)
                raise ModelError(f"{self.name} failed on input_ids of shape {shape}: {cause(error)}") from error


def text_model(model: Any, tokenizer: Any = None, *, task: Task | None = None) -> TextModel:
    """A model of text by name, from objects, or as it is.

    `model`: "minilm-sentiment", the built-in one; "hf:NAME" or the name of a repository, "hf:./folder" or a folder that
    `save_pretrained` wrote (nothing is downloaded where the files are here); "package.module:factory", a function of
    yours that returns a model with its tokenizer, or any of what follows; a pipeline of transformers; a model of
    transformers, which then comes with its `tokenizer`; a `TextModel`. `task`: what the model is made for, where its
    class does not say.

    Raises `InputError`, `MissingExtra`, `ModelError`.
    """
    if task is not None and not isinstance(task, Task):
        raise InputError(f"task= as one of gl.text.Task: {', '.join(t.name for t in Task)}", repr(task))
    match model:
        case TextModel():
            made = model
        case str():
            made = _by_name(model, tokenizer, task)
            tokenizer = None
        case nn.Module():
            made = _of_module(model, tokenizer, task)
        case _ if isinstance(getattr(model, "model", None), nn.Module) and hasattr(model, "tokenizer"):
            own = model.tokenizer if tokenizer is None else tokenizer
            return _of_module(model.model, own, task or PIPELINES.get(getattr(model, "task", "")))
        case _:
            expected = "a text model: hf:NAME, a pipeline, a transformers model with tokenizer=, or a gl.text.TextModel"
            raise InputError(expected, type(model).__name__)
    if isinstance(model, TextModel) and tokenizer is not None:
        made = replace(made, tokenizer=tokenizer)
    return made if task is None or task is made.task else replace(made, task=task)


def _by_name(name: str, tokenizer: Any, task: Task | None) -> TextModel:
    if name == BUILT_IN:
        from gradline.adapters.text.sentiment import minilm_sentiment

        network, own, labels = minilm_sentiment()
        return TextModel(name, network, own if tokenizer is None else tokenizer, Task.SEQUENCE, tuple(labels), name)
    if is_place(name) and not name.startswith("hf:"):
        made = product(name, TextModel)
        module, own = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
        return replace(text_model(module, tokenizer or own, task=task), name=name, source=name)
    from gradline.adapters.text.hub import from_hub

    module, own = from_hub(name.removeprefix("hf:"), tokenizer, task)
    said = name if name.startswith("hf:") else f"hf:{name}"
    made = _of_module(module, own, task, said)
    return replace(made, source=said if tokenizer is None else None)


def _of_module(module: nn.Module, tokenizer: Any, task: Task | None, name: str | None = None) -> TextModel:
    kind = type(getattr(module, "_orig_mod", module)).__name__
    if tokenizer is None:
        remedy = "tokenizer=transformers.AutoTokenizer.from_pretrained(…), the one that the model was trained with"
        raise InputError(f"the tokenizer of the {kind} beside it", "none", remedy)
    found = task or task_of(module)
    if found is None:
        tasks = ", ".join(Task.__members__)
        remedy = f"say it: gl.text.text_model(model, tokenizer, task=gl.text.Task.…), one of {tasks}"
        raise InputError("a model whose class says its task, such as BertForSequenceClassification", kind, remedy)
    called = name or getattr(getattr(module, "config", None), "name_or_path", "") or kind
    made = TextModel(called, module, tokenizer, found)
    return replace(made, labels=labels_of(made.config)) if found in (Task.SEQUENCE, Task.TOKENS) else made


ENDINGS = {
    "ForSequenceClassification": Task.SEQUENCE,
    "ForTokenClassification": Task.TOKENS,
    "ForQuestionAnswering": Task.QUESTION,
    "ForQuestionAnsweringSimple": Task.QUESTION,
    "ForMaskedLM": Task.MASKED,
    "ForCausalLM": Task.CAUSAL,
    "LMHeadModel": Task.CAUSAL,
    "ForConditionalGeneration": Task.SEQ2SEQ,
    "MTModel": Task.SEQ2SEQ,
    "Model": Task.SIMILARITY,
}
"""How names of transformers classes end."""

PIPELINES = {
    "text-classification": Task.SEQUENCE,
    "sentiment-analysis": Task.SEQUENCE,
    "token-classification": Task.TOKENS,
    "ner": Task.TOKENS,
    "question-answering": Task.QUESTION,
    "fill-mask": Task.MASKED,
    "feature-extraction": Task.SIMILARITY,
    "text-generation": Task.CAUSAL,
}
"""What pipelines of transformers call their tasks."""


def task_of(module: nn.Module) -> Task | None:
    """What the name of a class says; of an adapter around a model, of the model inside."""
    modules = [getattr(module, "_orig_mod", module)]
    base = getattr(modules[0], "get_base_model", None)
    modules += [base()] if callable(base) else []
    for one in modules:
        for ending, task in ENDINGS.items():
            if type(one).__name__.endswith(ending):
                return task
    return None


def labels_of(config: Any) -> tuple[str, ...]:
    """The names of the labels in order; () for names that were never given (LABEL_0, LABEL_1 …)."""
    names = {int(index): str(label) for index, label in (getattr(config, "id2label", None) or {}).items()}
    given = any(label != f"LABEL_{index}" for index, label in names.items())
    return tuple(names[i] for i in range(len(names))) if given and set(names) == set(range(len(names))) else ()
