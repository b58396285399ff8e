"""Small causal transformers whose every part is plain to see, and their wiring."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradline.neurons.circuits.wiring import Attention, Block, Heads, Mlp, Wiring


class TinyAttention(nn.Module):
    """Causal attention; `fixed`: with patterns that do not depend on what is read, so that it is linear."""

    def __init__(self, width: int, heads: int, *, fixed: bool = False, tokens: int = 0) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.fixed = nn.Parameter(torch.randn(heads, tokens, tokens)) if fixed else None
        self.pattern = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, self.size)).transpose(1, 2) for f in (self.q, self.k, self.v))
        logits = q @ k.mT / self.size**0.5
        if self.fixed is not None:
            logits = self.fixed + 0 * logits
        future = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        pattern = logits.masked_fill(future, -torch.inf).softmax(-1)
        self.pattern = pattern.detach()
        return self.o((pattern @ v).transpose(1, 2).flatten(2))


class TinyBlock(nn.Module):
    def __init__(self, width: int, heads: int, *, linear: bool, mlp: bool, tokens: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = (nn.Identity() if linear else nn.LayerNorm(width) for _ in range(2))
        self.attention = TinyAttention(width, heads, fixed=linear, tokens=tokens)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.Identity() if linear else nn.GELU())
        self.mlp.append(nn.Linear(2 * width, width))
        self.with_mlp = mlp

    def forward(self, r: Tensor) -> Tensor:
        r = r + self.attention(self.norm_1(r))
        return r + self.mlp(self.norm_2(r)) if self.with_mlp else r


class Tiny(nn.Module):
    """Token ids `(N, T)` to the logits behind the last one `(N, vocabulary)`."""

    def __init__(
        self,
        vocabulary: int,
        tokens: int,
        *,
        width: int = 12,
        heads: int = 3,
        layers: int = 2,
        linear: bool = False,
        mlp: bool = True,
    ) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(vocabulary, width), nn.Parameter(torch.randn(tokens, width))
        made = (TinyBlock(width, heads, linear=linear, mlp=mlp, tokens=tokens) for _ in range(layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.Identity() if linear else nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        r = self.embed(ids) + self.place
        for block in self.blocks:
            r = block(r)
        return self.head(self.norm(r))[:, -1]


def wiring(model: Tiny) -> Wiring:
    blocks = []
    for i, block in enumerate(model.blocks):
        at = f"blocks.{i}."
        q, k, v = (Heads(f"{at}attention.{name}") for name in "qkv")
        attention = block.attention
        part = Attention(q, k, v, f"{at}attention.o", attention.heads, attention.size, norm=f"{at}norm_1")
        blocks.append(Block(part, Mlp(f"{at}mlp", norm=f"{at}norm_2") if block.with_mlp else None))
    return Wiring("embed", tuple(blocks), "norm")
