"""What a smooth path pays: `[GRADLINE_DATA=…] python benchmarks/smooth.py` (about two minutes on one core).

Evaluations and true error of the controller as it is ("both": the smooth or the rough reading of the path, whichever is
sharper) and with the rough reading alone, for tolerances 5 %, 1 %, 0.1 %, on networks without kinks and, as a check, on
ReLU networks. Truth: Gauss–Legendre with 400 nodes in float64 for smooth networks, a 4097-node trapezoid for ReLU ones.
With the data pack, a SiLU encoder and a ReLU CNN with trained weights on MNIST digits join in. Writes smooth.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from intervals import wilson
from torch import Tensor, nn

import gradline as gl
from gradline.core import error_bar

HERE = Path(__file__).parent
TOLERANCES = (0.05, 0.01, 0.001)
ITEMS = 20


def mlp(activation: Callable[[], nn.Module], inputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 200), activation(), nn.Linear(200, 100), activation(), nn.Linear(100, 10))


class Transformer(nn.Module):
    """Two encoder layers over 27 vectors of 64, GELU, mean-pooled: the size of a short sentence."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 256, activation="gelu", batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).mean(1))


def cases() -> list[tuple[str, bool, nn.Module, Tensor]]:
    """Name, smooth or not, model, inputs."""
    torch.manual_seed(0)
    made: list[tuple[str, bool, nn.Module, Tensor]] = [
        ("MLP, GELU", True, mlp(nn.GELU, 300), torch.randn(ITEMS, 300)),
        ("MLP, tanh, inputs × 3", True, mlp(nn.Tanh, 300), 3 * torch.randn(ITEMS, 300)),
        ("transformer, GELU", True, Transformer(), torch.randn(ITEMS, 27, 64)),
        ("MLP, ReLU", False, mlp(nn.ReLU, 300), torch.randn(ITEMS, 300)),
    ]
    pack = os.environ.get("GRADLINE_DATA")
    if pack is not None:
        digits = torch.from_numpy(np.load(Path(pack) / "mnist.npz")["test_images"][:ITEMS]).float() / 255
        vae = np.load(Path(pack) / "models" / "mnist_vae16.npz")
        encoder = nn.Sequential(nn.Linear(784, 400), nn.SiLU(), nn.Linear(400, 32))
        encoder.load_state_dict({k[2:]: torch.from_numpy(vae[k]).float() for k in vae.files if k.startswith("e.")})
        made.append(("MNIST VAE encoder, SiLU, trained", True, encoder, digits.flatten(1)))
        cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip
        weights = np.load(Path(pack) / "models" / "mnist_cnn.npz")
        cnn.load_state_dict({k: torch.from_numpy(weights[k]).float() for k in weights.files})
        made.append(("MNIST CNN, ReLU, trained", False, cnn, digits.unsqueeze(1)))
    return made


def truth(model: nn.Module, x: Tensor, smooth: bool) -> Tensor:
    rule, steps = (gl.rules.GaussLegendre(), 400) if smooth else (gl.rules.Trapezoid(), 4097)
    made = gl.explain(model.double(), x.double(), 0, rule=rule, steps=steps, memory="2GiB").values
    model.float()
    return made


def row(name: str, model: nn.Module, x: Tensor, exact: Tensor) -> str:
    cells = []
    for tol in TOLERANCES:
        texts = []
        for sharper in (0.5, 0.0):
            error_bar.SHARPER = sharper
            a = gl.explain(model, x, 0, tol=tol, memory="2GiB")
            off = (a.values.double() - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
            done = [off[i] <= tol for i, s in enumerate(a.status) if s == "converged"]
            spent = a.evaluations.double()
            low, _ = wilson(int(sum(done)), len(done))
            texts.append(f"{spent.median():.0f} ({off.max():.2%}; {int(sum(done))}/{len(done)}, ≥ {low:.0%})")
        cells += texts
    error_bar.SHARPER = 0.5
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    torch.set_num_threads(1)
    head = " | ".join(f"{tol:.1%} {which}" for tol in TOLERANCES for which in ("both", "rough alone"))
    lines = [
        f"Median evaluations (worst true error; converged maps within tol, lower Wilson bound), {ITEMS} inputs each.",
        "",
        f"| model | {head} |",
        "|---" * (1 + 2 * len(TOLERANCES)) + "|",
    ]
    for name, smooth, model, x in cases():
        model.eval()
        lines.append(row(name, model, x, truth(model, x, smooth)))
        print(lines[-1], flush=True)
    (HERE / "smooth.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
