"""Normal or pneumonia: EfficientNet-Lite0 with a linear head that was trained on children's chest X-rays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gradline.adapters.models.built_in import network
from gradline.adapters.models.model import ImageModel, Source
from gradline.adapters.models.preprocessing import Preprocessing, Resample

NAME = "xray-pneumonia"

CLASSES = ("normal", "pneumonia")

PREPROCESSING = Preprocessing(224, 224, (127.0,) * 3, (128.0,) * 3, Resample.BICUBIC)
"""The shorter side to 224 pixels, then the central square. Pictures are not stretched to a square: in the training
pictures the shape of the file alone tells the classes apart (AUC 0.87), and stretching would draw it into the ribs."""

HEAD = Path(__file__).parent / "head.npz"
"""`weight (1280,)` and `bias ()`, float32: the log-odds of pneumonia are weight · features + bias."""


def xray_model() -> ImageModel:
    """The classifier "xray-pneumonia": x `(N, 3, 224, 224)` to logits `(N, 2)` of "normal" and "pneumonia".

    With z the log-odds of pneumonia, linear in the 1280 features of the frozen ImageNet network: logits (−z/2, z/2),
    so that softmax gives the logistic regression's probability σ(z), both classes have a map, and `Margin` is z.
    `benchmarks/train_xray.py` makes it: 86 % right in 5-fold cross-validation. A network for trying maps on, not for
    patients. Raises `MissingExtra`.
    """
    model = network("efficientnet-lite0")
    with np.load(HEAD) as head:
        model._fc = joined(torch.from_numpy(head["weight"]), float(head["bias"]))
    return ImageModel(NAME, model.eval(), PREPROCESSING, CLASSES, Source(NAME))


def joined(weight: Tensor, bias: float) -> nn.Linear:
    """The last layer that gives logits (−z/2, z/2), from `weight (1280,)` and `bias` of z."""
    half = weight.float() / 2
    layer = nn.Linear(len(weight), len(CLASSES), device="meta")  # draws no random numbers
    layer.weight = nn.Parameter(torch.stack([-half, half]))
    layer.bias = nn.Parameter(torch.tensor([-bias / 2, bias / 2], dtype=torch.float32, device="cpu"))
    return layer
