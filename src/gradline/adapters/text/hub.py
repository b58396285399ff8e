"""`hf:`: text models of the Hugging Face hub, or of a local folder, by transformers."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradline.adapters.models.hub import got, place_of, quiet
from gradline.adapters.text.model import ENDINGS, Task
from gradline.errors import InputError, MissingExtra, ModelError

FEW = 3
"""Names of weights listed in an error."""

CLASSES = {
    Task.SEQUENCE: "AutoModelForSequenceClassification",
    Task.TOKENS: "AutoModelForTokenClassification",
    Task.QUESTION: "AutoModelForQuestionAnswering",
    Task.MASKED: "AutoModelForMaskedLM",
    Task.SIMILARITY: "AutoModel",
    Task.CAUSAL: "AutoModelForCausalLM",
    Task.SEQ2SEQ: "AutoModelForSeq2SeqLM",
}


def from_hub(name: str, tokenizer: Any = None, task: Task | None = None) -> tuple[nn.Module, Any]:
    """A model in evaluation mode, in the precision it was saved in, and its tokenizer, unless that is given.

    `name`: of a repository, or a folder. What is on this machine is taken from here; no code of a repository is run.
    `task`: None for what its configuration says. Raises `InputError`, `MissingExtra`, `ModelError`.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("a text model of the Hugging Face hub", "hf") from error
    place = place_of(name)
    with quiet(transformers):
        chosen = task or _task(transformers, place, name)
        auto = getattr(transformers, CLASSES[chosen])

        def load(local: bool) -> Any:
            return auto.from_pretrained(place, local_files_only=local, output_loading_info=True)

        def read(local: bool) -> Any:
            return transformers.AutoTokenizer.from_pretrained(place, local_files_only=local)

        model, info = got(load, place, name, f"a {chosen} that transformers can load")
        found = got(read, place, name, "a tokenizer beside the model") if tokenizer is None else tokenizer
    lacking = sorted(info["missing_keys"])
    if lacking and chosen is not Task.SIMILARITY:  # an encoder may lack the pooler, which nothing reads
        raise ModelError(
            f"hf:{name} is no trained {chosen}: its file has no weights for {', '.join(lacking[:FEW])}; choose a "
            "checkpoint that was trained for it, or another task="
        )
    module: nn.Module = model.eval()
    return module, found


def _task(transformers: Any, place: str, name: str) -> Task:
    """What the class that the checkpoint was saved from is made for."""

    def load(local: bool) -> Any:
        return transformers.AutoConfig.from_pretrained(place, local_files_only=local)

    saved = list(got(load, place, name, "a model that transformers knows").architectures or ())
    for kind in saved:
        for ending, task in ENDINGS.items():
            if kind.endswith(ending):
                return task
    remedy = "say what it is made for: gl.text.text_model(…, task=gl.text.Task.SEQUENCE)"
    raise InputError(f"a configuration of hf:{name} that names a text model", ", ".join(saved) or "none", remedy)
