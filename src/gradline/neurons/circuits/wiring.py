"""What a residual transformer is made of: which modules read its stream, and which write to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from gradline.errors import InputError


@dataclass(frozen=True)
class Heads:
    """Where heads lie in what a projection (`nn.Linear`, or `Conv1D` of transformers) returns.

    Head h has the numbers `start + h · stride` to `start + h · stride + size`. `module`: its dotted name in the model.
    `stride`: the size of a head by default; larger where a fused projection has query, key and value head by head.
    """

    module: str
    start: int = 0
    stride: int | None = None


@dataclass(frozen=True)
class Attention:
    """Attention that reads the stream through `norm` (None: as it is) and adds what its heads find to it.

    `heads` of `size` numbers each; `key_heads`: of keys and values, fewer where query heads share them. `output`: the
    projection that takes the heads' results side by side, and whose result is added to the stream.
    """

    query: Heads
    key: Heads
    value: Heads
    output: str
    heads: int
    size: int
    key_heads: int | None = None
    norm: str | None = None

    def __post_init__(self) -> None:
        shared = self.key_heads or self.heads
        if self.heads < 1 or self.size < 1 or self.heads % shared:
            got = f"heads={self.heads}, key_heads={self.key_heads}, size={self.size}"
            raise InputError("heads of at least one number, as a multiple of key_heads", got)


@dataclass(frozen=True)
class Mlp:
    """What reads the stream through `norm` and adds to it. `reads`: the module that takes the normalised stream;
    `writes`: the one whose result is added, the same by default."""

    reads: str
    writes: str | None = None
    norm: str | None = None


@dataclass(frozen=True)
class Block:
    """Attention, then an MLP; either may be missing. `parallel`: the MLP does not see what its attention writes."""

    attention: Attention | None = None
    mlp: Mlp | None = None
    parallel: bool = False


@dataclass(frozen=True)
class Wiring:
    """A model whose residual stream is the sum of what its parts write: embeddings, heads, MLPs, and constants.

    `embedding`: the module whose result starts the stream, `(N, T, D)`. `end`: the module that takes the finished
    stream, the last norm or the unembedding. All by dotted names of `model.named_modules()`. That the parts add up
    to the stream is verified at every call.
    """

    embedding: str
    blocks: tuple[Block, ...]
    end: str

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple) or not all(isinstance(block, Block) for block in self.blocks):
            raise InputError("blocks as a tuple of gl.neurons.Block", repr(self.blocks))
        if not any(block.attention or block.mlp for block in self.blocks):
            raise InputError("a wiring with at least one attention or MLP", "none")


def wiring_of(model: Any) -> Wiring:
    """The wiring of a Hugging Face model of GPT-2, GPT-NeoX or Llama type (Mistral, Qwen …), alone or inside a module.

    Raises `InputError` for any other: it can be described with `Wiring`.
    """
    model = getattr(model, "__self__", model)
    if not isinstance(model, nn.Module):
        raise InputError("a torch.nn.Module to find attention heads and MLPs in", type(model).__name__, _REMEDY)
    found = [wiring for name, blocks in _lists(model) if (wiring := _known(model, name, blocks)) is not None]
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(repr(wiring.embedding) for wiring in found)
        raise InputError("one transformer in the model", f"{len(found)}, at {places}", _REMEDY)
    expected = "a Hugging Face model of GPT-2, GPT-NeoX or Llama type"
    raise InputError(expected, f"{type(model).__name__} with {_seen(model)}", _REMEDY)


_REMEDY = (
    "describe it with wiring=gl.neurons.Wiring(embedding=…, blocks=(gl.neurons.Block(gl.neurons.Attention(…), "
    "gl.neurons.Mlp(…)), …), end=…), whose entries are names in model.named_modules(); its norms must stand in front "
    "of the parts, not behind them as in BERT"
)


def _lists(model: nn.Module) -> Iterator[tuple[str, nn.ModuleList]]:
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module):
            yield name, module


def _seen(model: nn.Module) -> str:
    """The lists of equal blocks in a model, in words."""
    told = []
    for name, blocks in _lists(model):
        parts = ", ".join(child for child, _ in blocks[0].named_children())
        told.append(f"{len(blocks)} {type(blocks[0]).__name__}({parts}) at {name!r}")
    return "; ".join(told[:4]) or "no list of blocks"


def _has(module: nn.Module, *names: str) -> bool:
    inside = {name for name, _ in module.named_modules()}
    return all(name in inside for name in names)


def _known(model: nn.Module, name: str, blocks: nn.ModuleList) -> Wiring | None:
    at = name.rpartition(".")[0]
    parent = model.get_submodule(at)
    prefix = f"{at}." if at else ""
    for kind in (_gpt2, _neox, _llama):
        ends, parts, build = kind()
        if _has(parent, *ends) and all(_has(block, *parts) for block in blocks):
            if any(_has(block, "crossattention") for block in blocks):
                return None
            made = tuple(build(block, f"{name}.{i}.") for i, block in enumerate(blocks))
            return Wiring(prefix + ends[0], made, prefix + ends[1])
    return None


def _gpt2() -> tuple[tuple[str, str], tuple[str, ...], Any]:
    def build(block: Any, at: str) -> Block:
        heads, size = int(block.attn.num_heads), int(block.attn.head_dim)
        q, k, v = (Heads(f"{at}attn.c_attn", part * heads * size) for part in range(3))
        attention = Attention(q, k, v, f"{at}attn.c_proj", heads, size, norm=f"{at}ln_1")
        return Block(attention, Mlp(f"{at}mlp", norm=f"{at}ln_2"))

    return ("wte", "ln_f"), ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp"), build


def _neox() -> tuple[tuple[str, str], tuple[str, ...], Any]:
    def build(block: Any, at: str) -> Block:
        size = int(block.attention.head_size)
        heads = block.attention.query_key_value.out_features // (3 * size)
        q, k, v = (Heads(f"{at}attention.query_key_value", part * size, 3 * size) for part in range(3))
        attention = Attention(q, k, v, f"{at}attention.dense", heads, size, norm=f"{at}input_layernorm")
        mlp = Mlp(f"{at}mlp", norm=f"{at}post_attention_layernorm")
        return Block(attention, mlp, parallel=bool(block.use_parallel_residual))

    parts = ("input_layernorm", "attention.query_key_value", "attention.dense", "post_attention_layernorm", "mlp")
    return ("embed_in", "final_layer_norm"), parts, build


def _llama() -> tuple[tuple[str, str], tuple[str, ...], Any]:
    def build(block: Any, at: str) -> Block:
        inner = block.self_attn
        size = int(inner.head_dim)
        q, k, v = (Heads(f"{at}self_attn.{letter}_proj") for letter in "qkv")
        heads, key_heads = inner.q_proj.out_features // size, inner.k_proj.out_features // size
        attention = Attention(q, k, v, f"{at}self_attn.o_proj", heads, size, key_heads, f"{at}input_layernorm")
        return Block(attention, Mlp(f"{at}mlp", norm=f"{at}post_attention_layernorm"))

    projections = tuple(f"self_attn.{letter}_proj" for letter in "qkvo")
    return ("embed_tokens", "norm"), ("input_layernorm", *projections, "post_attention_layernorm", "mlp"), build
