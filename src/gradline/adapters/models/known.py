"""What may be written after `--model`. Imports nothing: shells ask at every Tab."""

from __future__ import annotations

BUILT_IN = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260, "xray-pneumonia": 224}
"""The built-in networks, and the pixels of a side of x."""

TEXTS = ("minilm-sentiment",)
"""The built-in networks for texts."""

KINDS = {
    "torchvision:NAME": "a classifier of torchvision, with its default weights",
    "timm:NAME": "a pretrained classifier of timm",
    "hf:NAME": "an image classifier or a text model of the Hugging Face hub, or of a local folder (hf:./folder)",
    "package.module:factory": "a function of yours that returns a model",
    "FILE.pt2": "an exported program (torch.export.save)",
    "pickle:FILE": "a pickled model; unpickling runs code that the file brings along",
}
"""What a model's name may look like beside the built-in names, and what it means."""

PREFIXES = tuple(form.partition(":")[0] + ":" for form in KINDS if form.endswith((":NAME", ":FILE")))
"""What names of libraries and pickles begin with."""


def names() -> list[str]:
    """The built-in names."""
    return list(BUILT_IN)


def completions(prefix: str) -> list[str]:
    """Built-in names and prefixes that begin like this, for a shell."""
    return [name for name in (*BUILT_IN, *TEXTS, *PREFIXES) if name.startswith(prefix)]
