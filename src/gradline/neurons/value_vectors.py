"""Value vectors: what each feed-forward neuron, written into the residual stream, adds to a word's log-probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gradline.errors import InputError, ModelError, SiteError
from gradline.question.guard import undisturbed
from gradline.question.inputs import Inputs, check_inputs
from gradline.question.sites import Layer
from gradline.question.trees import floating

BATCH = 8
"""Examples in a forward."""

ELEMENTS = 2**24
"""Numbers in a table of neurons by words that is held at a time."""

CLOSE, ROUGHLY = 1e-3, 5e-2
"""How far the parts may be from what the model computes, relative to the largest number, before they are refused; in
half precision."""


@dataclass(frozen=True)
class Decoder:
    """Where a causal language model keeps its parts, by name; `before` and `down` are names within a block.

    A block adds to the residual stream r, the input of `before` (the norm in front of the feed-forward part), the
    output of `down`, a linear map of the activations m: r + Σ_v m_v · (value vector v) + bias is what the block
    returns. The logits are `unembedding(norm(what the last block returns))`.
    """

    blocks: tuple[str, ...]
    before: str
    down: str
    norm: str
    unembedding: str


@dataclass(frozen=True, eq=False)
class ValueScores:
    """`scores[l] (N, D_l)`, in nats, for `blocks[l]`; `log_probability (N, L)`: of the word from the stream alone."""

    blocks: tuple[int, ...]
    scores: tuple[Tensor, ...]
    log_probability: Tensor


def log_probability_increase(
    model: nn.Module,
    x: Any,
    word: int | Tensor,
    *,
    position: int = -1,
    blocks: Sequence[int] | None = None,
    context: Any = None,
    recomputed_norm: bool = False,
    decoder: Decoder | None = None,
) -> ValueScores:
    """How much each feed-forward neuron raises the log-probability of a word at a position, read off the stream.

    s_v = log p(word | r + m_v · v) − log p(word | r), r the residual stream in front of the block's feed-forward part
    and p the softmax of the unembedded final norm, whose scale is frozen at what it is for the whole model at that
    position; `recomputed_norm`: that of r and of r + m_v v. Forwards only; claims no sum.

    `word`: an id, or a tensor of N. `blocks`: by number; all by default. `context`: as of `gl.Score`. `decoder`: where
    the parts are; found for models built like GPT-2 and Llama. It is checked that they give the model's own numbers.

    Yu, Ananiadou (2024, arXiv:2312.12141), section 3.2; their code freezes the scale. Raises `InputError`, `SiteError`,
    `ModelError`.
    """
    if not isinstance(model, nn.Module):
        raise InputError("a language model, a torch.nn.Module", type(model).__name__)
    inputs = check_inputs(x, context)
    parts = Parts.find(model, decoder or find_decoder(model), position)
    chosen = tuple(range(len(parts.blocks))) if blocks is None else _blocks(blocks, len(parts.blocks))
    words = _words(word, inputs.rows)
    norm, unembedding = _widened(parts.norm), _widened(parts.unembedding)
    scores: list[list[Tensor]] = [[] for _ in chosen]
    before: list[Tensor] = []
    with undisturbed(model, inputs.anchor.device), torch.no_grad():
        for rows in torch.split(torch.arange(inputs.rows), BATCH):
            seen = parts.seen(model, inputs, rows)
            for i, row in enumerate(rows.tolist()):
                read = Read(parts, norm, unembedding, seen.final[i], recomputed_norm)
                found = [read.raised(seen.streams[b][i], seen.moves(parts, b, i), int(words[row])) for b in chosen]
                before.append(torch.stack([start for start, _ in found]))
                for own, (_, raised) in zip(scores, found, strict=True):
                    own.append(raised)
    return ValueScores(chosen, tuple(torch.stack(own) for own in scores), torch.stack(before))


def find_decoder(model: nn.Module) -> Decoder:
    """Where the parts are in a model built like GPT-2 or Llama. Raises `SiteError`."""
    names = {name for name, _ in model.named_modules()}
    kinds = (
        ("transformer.h", "ln_2", "mlp.c_proj", "transformer.ln_f"),
        ("model.layers", "post_attention_layernorm", "mlp.down_proj", "model.norm"),
    )
    for stem, before, down, norm in kinds:
        blocks = sorted((n for n in names if n.rpartition(".")[0] == stem), key=lambda n: int(n.rpartition(".")[2]))
        wanted = {f"{b}.{inner}" for b in blocks for inner in (before, down)} | {norm, "lm_head"}
        if blocks and wanted <= names:
            return Decoder(tuple(blocks), before, down, norm, "lm_head")
    raise SiteError(
        "a causal language model built like GPT-2 or Llama",
        type(model).__name__,
        "say where its parts are: decoder=gl.neurons.Decoder(blocks, before, down, norm, unembedding)",
    )


# ------------------------------------------------------------------------------------------------ the parts


@dataclass(frozen=True, eq=False)
class Block:
    """The parts of a block, as modules; value vectors `(D, H)`, the bias `(H,)` or None."""

    whole: nn.Module
    before: nn.Module
    down: nn.Module
    vectors: Tensor
    bias: Tensor | None


@dataclass(frozen=True, eq=False)
class Seen:
    """What a forward showed at the position: the stream in front of each block's feed-forward part `(R, H)`, its
    activations `(R, D)`, and the stream in front of the final norm `(R, H)`."""

    streams: list[Tensor]
    activations: list[Tensor]
    final: Tensor

    def moves(self, parts: Parts, block: int, row: int) -> Tensor:
        """What each neuron writes, `(D, H)`."""
        return _wide(self.activations[block][row])[:, None] * parts.blocks[block].vectors


@dataclass(frozen=True, eq=False)
class Parts:
    """A decoder found in a model."""

    blocks: tuple[Block, ...]
    norm: nn.Module
    unembedding: nn.Module
    position: int

    @classmethod
    def find(cls, model: nn.Module, decoder: Decoder, position: int) -> Parts:
        if isinstance(position, bool) or not isinstance(position, int):
            raise InputError("position as a whole number", repr(position))

        def at(name: str) -> nn.Module:
            return Layer(name).find(model).module

        blocks = []
        for name in decoder.blocks:
            down = at(f"{name}.{decoder.down}")
            blocks.append(Block(at(name), at(f"{name}.{decoder.before}"), down, *_value_vectors(down, name)))
        return cls(tuple(blocks), at(decoder.norm), at(decoder.unembedding), position)

    def seen(self, model: nn.Module, inputs: Inputs, rows: Tensor) -> Seen:
        """A forward of these examples, checked against the model's own numbers. Raises `ModelError`, `InputError`."""
        heard: dict[tuple[nn.Module, bool], Tensor] = {}
        thread = get_ident()

        def ear(module: nn.Module, given: bool) -> Callable[..., None]:
            def hook(_: nn.Module, arguments: Any, output: Any = None) -> None:
                if get_ident() == thread:
                    heard[module, given] = self._at(floating(arguments if given else output)[0][1])

            return hook

        args, named = inputs.arguments({}, rows)
        with ExitStack() as around:
            for module in [m for b in self.blocks for m in (b.before, b.down)] + [self.norm]:
                around.callback(module.register_forward_pre_hook(ear(module, True)).remove)
            for block in self.blocks:
                around.callback(block.whole.register_forward_hook(ear(block.whole, False)).remove)
            output = model(*args, **named)
        for block in self.blocks:
            bias = 0 if block.bias is None else block.bias
            made = heard[block.before, True] + heard[block.down, True] @ block.vectors + bias
            _check_close(made, heard[block.whole, False], "what a block adds to the stream")
        final = heard[self.norm, True]
        _check_close(self.unembedding(self.norm(final)), self._at(floating(output)[0][1]), "the logits")
        streams = [heard[b.before, True] for b in self.blocks]
        return Seen(streams, [heard[b.down, True] for b in self.blocks], final)

    def _at(self, whole: Tensor) -> Tensor:
        if whole.ndim != 3 or not -whole.shape[1] <= self.position < whole.shape[1]:
            raise InputError(f"tensors (N, T, …) with a position {self.position}", f"shape {tuple(whole.shape)}")
        return whole[:, self.position]


@dataclass(frozen=True, eq=False)
class Read:
    """How words are read off a stream: the final norm, its scale as at `final (H,)` unless `recomputed`. `norm`,
    `unembedding`: those of the parts in at least float32."""

    parts: Parts
    norm: Callable[[Tensor], Tensor]
    unembedding: Callable[[Tensor], Tensor]
    final: Tensor
    recomputed: bool

    def raised(self, stream: Tensor, moves: Tensor, word: int) -> tuple[Tensor, Tensor]:
        """The word's log-probability from the stream `(H,)`, and how much each of the moves `(D, H)` raises it."""
        stream = _wide(stream)
        start = self.log_probability(stream[None], word)[0]
        width = max(1, ELEMENTS // self.parts.unembedding(self.final[None]).shape[1])
        found = [self.log_probability(stream + some, word) for some in torch.split(moves, width)]
        return start, torch.cat(found) - start

    def log_probability(self, streams: Tensor, word: int) -> Tensor:
        """`(R,)`, in float32 at least."""
        logits = self.unembedding(self.normed(streams))
        if not 0 <= word < logits.shape[1]:
            raise InputError(f"a word from 0 to {logits.shape[1] - 1}", str(word))
        return torch.log_softmax(_wide(logits), 1)[:, word]

    def normed(self, streams: Tensor) -> Tensor:
        norm = self.parts.norm
        if self.recomputed:
            return self.norm(streams)
        own, frozen = _scale(norm, streams), _scale(norm, _wide(self.final)[None])
        bias = norm.bias if isinstance(norm, nn.LayerNorm) and norm.bias is not None else 0
        return (self.norm(streams) - bias) * (own / frozen) + bias


def _widened(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """A module with its numbers in at least float32: the difference that a neuron makes is below what half precision
    can tell apart."""
    state = {name: _wide(t) for name, t in (*module.named_parameters(), *module.named_buffers())}
    return lambda streams: torch.as_tensor(functional_call(module, state, (streams,)))


def _wide(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 or not tensor.is_floating_point() else tensor.float()


def _scale(norm: nn.Module, streams: Tensor) -> Tensor:
    """What a norm divides by, `(R, 1)`: the standard deviation, or the root mean square."""
    centred = streams - streams.mean(1, keepdim=True) if isinstance(norm, nn.LayerNorm) else streams
    epsilon = next((float(e) for e in (getattr(norm, "eps", None), getattr(norm, "variance_epsilon", None)) if e), 0.0)
    return (centred.square().mean(1, keepdim=True) + epsilon).sqrt()


def _value_vectors(down: nn.Module, block: str) -> tuple[Tensor, Tensor | None]:
    """The rows `(D, H)` that a down-projection adds up, and its bias. Raises `SiteError`."""
    weight, bias = getattr(down, "weight", None), getattr(down, "bias", None)
    if isinstance(down, nn.Linear):
        return down.weight.detach().T, None if bias is None else bias.detach()
    if type(down).__name__ == "Conv1D" and isinstance(weight, Tensor):  # of transformers: x @ weight + bias
        return weight.detach(), None if bias is None else bias.detach()
    raise SiteError(f"a linear down-projection in block {block}", type(down).__name__)


def _check_close(made: Tensor, own: Tensor, what: str) -> None:
    close = CLOSE if own.dtype in (torch.float32, torch.float64) else ROUGHLY
    if made.shape != own.shape or not float((made - own).abs().max()) <= close * float(own.abs().max()):
        raise ModelError(
            f"expected the parts to give {what}, and they do not: this model does something else there (a norm behind "
            "the feed-forward part, scaled or capped logits); say where the parts are with decoder="
        )


def _words(word: int | Tensor, rows: int) -> Tensor:
    if isinstance(word, Tensor) and word.shape == (rows,) and not word.is_floating_point() and word.dtype != torch.bool:
        return word.detach().cpu()
    if isinstance(word, bool) or not isinstance(word, int):
        got = str(tuple(word.shape)) if isinstance(word, Tensor) else repr(word)
        raise InputError(f"word as a whole number, or a tensor of {rows} whole numbers", got)
    return torch.full((rows,), word)


def _blocks(blocks: Sequence[int], count: int) -> tuple[int, ...]:
    chosen = tuple(blocks) if isinstance(blocks, Sequence) else ()
    if not chosen or not all(isinstance(b, int) and 0 <= b < count for b in chosen):
        raise InputError(f"numbers of blocks from 0 to {count - 1}", repr(blocks))
    return chosen
